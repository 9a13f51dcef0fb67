"""The results container: which runs have left something, and what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from local.errors import LocalError
from local.runs.refs import RunRef
from shared.documents.record import Record, Status

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

RECORD = "record.json"
STATUS = "status.json"
_RUN_FOLDER = re.compile(r"(?P<folder>.+/(?P<id>[a-z0-9-]{1,20}-\d{8}t\d{6}-[0-9a-f]{8}))/")
_OUT_OF_RANGE = 416


@dataclass(frozen=True)
class ResultFile:
    """A blob below the folder of a run: its name there, and its size."""

    name: str
    bytes: int


class Results:
    """The results container, as those who look for results see it."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def runs(self) -> list[RunRef]:
        """All runs that have a folder. Folders of runs are not looked into: it costs a listing for each manifest."""
        return list(self._runs_below(""))

    def _runs_below(self, folder: str) -> Iterator[RunRef]:
        for item in self._container.walk_blobs(name_starts_with=folder, delimiter="/"):
            if isinstance(item, BlobPrefix):
                run = _RUN_FOLDER.fullmatch(item.name)
                if run:
                    yield RunRef(run["id"], run["folder"])
                else:
                    yield from self._runs_below(item.name)

    def record(self, run: RunRef) -> Record | None:
        """The record of a run that is complete."""
        text = self._read(run, RECORD)
        return None if text is None else Record.model_validate_json(text)

    def status(self, run: RunRef) -> Status | None:
        """Where an open run says that it is."""
        text = self._read(run, STATUS)
        return None if text is None else Status.model_validate_json(text)

    def text(self, run: RunRef, name: str) -> str | None:
        """A document of a run; None if it is not there."""
        text = self._read(run, name)
        return None if text is None else text.decode(errors="replace")

    def _read(self, run: RunRef, name: str) -> bytes | None:
        try:
            return self._container.download_blob(f"{run.folder}/{name}").readall()
        except ResourceNotFoundError:
            return None

    def bytes_from(self, run: RunRef, name: str, offset: int) -> Iterator[bytes]:
        """What stands in a file of a run from `offset` on, piece by piece."""
        try:
            yield from self._container.download_blob(f"{run.folder}/{name}", offset=offset).chunks()
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code != _OUT_OF_RANGE:
                raise

    def files(self, run: RunRef) -> list[ResultFile]:
        """Everything that a run has left."""
        prefix = f"{run.folder}/"
        blobs = self._container.list_blobs(name_starts_with=prefix)
        return [ResultFile(blob.name.removeprefix(prefix), blob.size) for blob in blobs]

    def download(self, run: RunRef, file: ResultFile, folder: Path, progress: Callable[[int], None]) -> Path:
        """Copy a file into a local folder; `progress` is told the bytes as they come. Raises LocalError."""
        path = (folder / file.name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise LocalError(f"The result {file.name} would be written outside of {folder}: it is not downloaded.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as content:
                for chunk in self.bytes_from(run, file.name, 0) if file.bytes else ():
                    content.write(chunk)
                    progress(len(chunk))
        except OSError as error:
            raise LocalError(f"The result {path} cannot be written: {error.strerror or error}.") from error
        return path
