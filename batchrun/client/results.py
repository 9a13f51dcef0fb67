"""The results container: which runs have results, and which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from batchrun.client.refs import RunRef
from batchrun.errors import ClientError
from shared.documents.record import Record, Status

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

RECORD = "record.json"
STATUS = "status.json"
_RUN_FOLDER = re.compile(r"(?P<folder>.+/(?P<id>[a-z0-9-]{1,20}-\d{8}t\d{6}-[0-9a-f]{8}))/")
_OUT_OF_RANGE = 416


@dataclass(frozen=True)
class ResultFile:
    """A blob in the folder of a run: its name relative to the folder, and its size."""

    name: str
    bytes: int


class RunResults:
    """The results container, for those who read it."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def runs(self) -> list[RunRef]:
        """All runs that have a folder. Costs one listing for each manifest; the folders of runs are not listed."""
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
        """The record of a run; None until the run is complete."""
        text = self._read(run, RECORD)
        return None if text is None else Record.model_validate_json(text)

    def status(self, run: RunRef) -> Status | None:
        """The status of an open run; None if it has none."""
        text = self._read(run, STATUS)
        return None if text is None else Status.model_validate_json(text)

    def text(self, run: RunRef, name: str) -> str | None:
        """A document of a run as text; None if it does not exist."""
        text = self._read(run, name)
        return None if text is None else text.decode(errors="replace")

    def _read(self, run: RunRef, name: str) -> bytes | None:
        try:
            return self._container.download_blob(f"{run.folder}/{name}").readall()
        except ResourceNotFoundError:
            return None

    def bytes_from(self, run: RunRef, name: str, offset: int) -> Iterator[bytes]:
        """The content of a file of a run from the byte `offset` on, in chunks; nothing if the file ends before it."""
        try:
            yield from self._container.download_blob(f"{run.folder}/{name}", offset=offset).chunks()
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code != _OUT_OF_RANGE:
                raise

    def files(self, run: RunRef) -> list[ResultFile]:
        """All files of a run."""
        prefix = f"{run.folder}/"
        blobs = self._container.list_blobs(name_starts_with=prefix)
        return [ResultFile(blob.name.removeprefix(prefix), blob.size) for blob in blobs]

    def download(self, run: RunRef, file: ResultFile, folder: Path, progress: Callable[[int], None]) -> Path:
        """Download a file into a folder; `progress` is called with the size of each chunk. Returns the path.

        Raises ClientError if the file cannot be written, or would be written outside of the folder.
        """
        path = (folder / file.name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ClientError(f"The result {file.name} would be written outside of {folder}: it is not downloaded.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as content:
                for chunk in self.bytes_from(run, file.name, 0) if file.bytes else ():
                    content.write(chunk)
                    progress(len(chunk))
        except OSError as error:
            raise ClientError(f"The result {path} cannot be written: {error.strerror or error}.") from error
        return path
