"""The results container: which runs have results, and which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from batchrun.client.downloads import Download, RemoteFile, listed
from batchrun.client.refs import RunRef
from shared.documents.record import ITEMS_BLOB, FanOutItems, Items, Record
from shared.documents.status import Status

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

RECORD = "record.json"
STATUS = "status.json"
_RUN_FOLDER = re.compile(r"(?P<folder>.+/(?P<id>[a-z0-9-]{1,20}-\d{8}t\d{6}-[0-9a-f]{8}))/")
_OUT_OF_RANGE = 416


class OpenedFile(NamedTuple):
    """A file of a run that is being read: its type as storage knows it, its size, and its content in chunks."""

    content_type: str | None
    size: int
    chunks: Iterator[bytes]


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

    def items_apart(self, run: RunRef, record: Record) -> tuple[FanOutItems, ...]:
        """The items of the fan-outs of a complete run that stand beside its record."""
        is_apart = any(task.items and task.items.blob for task in record.tasks)
        text = self._read(run, ITEMS_BLOB) if is_apart else None
        return Items.model_validate_json(text).tasks if text else ()

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

    def opened(self, run: RunRef, name: str) -> OpenedFile | None:
        """A file of a run, to be read; None if there is none."""
        try:
            stream = self._container.download_blob(f"{run.folder}/{name}")
        except ResourceNotFoundError:
            return None
        return OpenedFile(stream.properties.content_settings.content_type, stream.properties.size, stream.chunks())

    def end_of(self, run: RunRef, name: str, most: int) -> bytes:
        """The last bytes of a file of a run, at most so many; nothing if there is no such file."""
        blob = self._container.get_blob_client(f"{run.folder}/{name}")
        try:
            start = max(0, blob.get_blob_properties().size - most)
        except ResourceNotFoundError:
            return b""
        return b"".join(self.bytes_from(run, name, start))

    def files(self, run: RunRef) -> list[RemoteFile]:
        """All files of a run. Its status is none of them: it is removed when the run is complete."""
        return [file for file in listed(self._container, f"{run.folder}/") if file.name != STATUS]

    def to(self, folder: Path) -> Callable[[Callable[[int], None]], Download]:
        """How files of a run come into a folder: a function of the one that is told of their progress."""
        return lambda progress: Download(self._container, folder, progress)
