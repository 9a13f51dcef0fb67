"""Blobs → files below a folder: in parallel, whole or not at all, and not again if they are there.

A file is written under another name beside its own, and renamed when all of it is there. It gets the time of the blob,
so that the same size and time mean the same content. Large files are fetched in pieces, by as many threads as small
ones, so what is in memory is bounded by the number of threads.

Names come from storage and are not trusted: no file is written outside of the folder, also not through a link in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

from batchrun.errors import printable
from shared.documents.names import UNSAFE_CHARACTERS
from shared.parallel import AT_ONCE

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

PIECE = 4 * 1024 * 1024  # bytes
UNFINISHED = ".batchrun-"
"""How the names of unfinished files begin; short, for a name has as many bytes as the file system takes, or fewer."""


@dataclass(frozen=True)
class RemoteFile:
    """A blob, the path that it gets below a folder, its size, version and time."""

    blob: str
    name: str
    bytes: int
    etag: str
    modified: datetime

    @classmethod
    def of(cls, blob: BlobProperties, prefix: str) -> RemoteFile:
        """The file of a listed blob whose name begins with `prefix`."""
        return cls(blob.name, blob.name.removeprefix(prefix), blob.size, blob.etag, blob.last_modified)


class _UnsafeNameError(Exception):
    """A file has a name that is not safe; the message says so."""


class Download:
    """Files on their way into a folder.

    `progress` is called with numbers of bytes, from several threads. `fetched` and `present` are the numbers of files
    that are there, new and from before; `problems` says why others, the `missing`, could not be fetched.
    """

    def __init__(self, container: ContainerClient, folder: Path, progress: Callable[[int], None]) -> None:
        self._container = container
        self._folder = folder
        self._root = folder.resolve()
        self._progress = progress
        self._lock = threading.Lock()
        self._is_stopped = False
        self.fetched = self.present = 0
        self.problems: list[str] = []
        self.missing: set[RemoteFile] = set()

    def fetch(self, files: Sequence[RemoteFile]) -> None:
        """Fetch the files. One that is gone or cannot be written is a problem, and does not keep others back.

        If this is interrupted, or storage fails, it ends as soon as no piece is on its way, and leaves no unfinished
        file.
        """
        targets = [target for file in files if (target := self._target(file))]
        pieces = ((target, start) for target in targets for start in target.starts)
        try:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                try:
                    for _ in threads.map(self._fetch, pieces):
                        pass
                except BaseException:
                    self._is_stopped = True  # before the pool waits for its threads
                    raise
        finally:
            for target in targets:
                target.discard()

    def _target(self, file: RemoteFile) -> _Target | None:
        """Where a file is written; None if it is there already, or cannot be written."""
        try:
            path = self._path(file)
        except _UnsafeNameError as error:
            self._note(file, str(error))
            return None
        if not _is_present(path, file):
            return _Target(file, path)
        self.present += 1
        self._progress(file.bytes)
        return None

    def _path(self, file: RemoteFile) -> Path:
        """The path of a file; raises _UnsafeNameError if it is not below the folder."""
        parts = file.name.split("/")
        path = self._folder.joinpath(*parts)
        is_inside = not UNSAFE_CHARACTERS.search(file.name) and not {"", ".", ".."} & set(parts)
        if not is_inside or not path.parent.resolve().is_relative_to(self._root):
            name = printable(file.name)
            raise _UnsafeNameError(
                f"{name} would be written outside of {self._folder}, or has no name that a file can have."
            )
        return path

    def _fetch(self, piece: tuple[_Target, int]) -> None:
        """Fetch a piece, and finish the file with its last one."""
        target, start = piece
        if self._is_stopped or target.is_over:
            return
        try:
            content = self._read(target.file, start) if target.file.bytes else b""
            is_whole = target.write(start, content)
        except (ResourceNotFoundError, ResourceModifiedError):
            self._give_up(target, f"{printable(target.file.name)} has been removed or replaced meanwhile.")
        except OSError as error:
            self._give_up(target, f"{target.path} cannot be written: {error.strerror or error}.")
        else:
            with self._lock:
                self.fetched += is_whole
            self._progress(len(content))

    def _give_up(self, target: _Target, problem: str) -> None:
        if target.discard():
            self._note(target.file, problem)

    def _note(self, file: RemoteFile, problem: str) -> None:
        with self._lock:
            self.problems.append(problem)
            self.missing.add(file)

    def _read(self, file: RemoteFile, start: int) -> bytes:
        """A piece of the version of a blob that was listed."""
        stream = self._container.download_blob(
            file.blob,
            offset=start,
            length=min(PIECE, file.bytes - start),
            etag=file.etag,
            match_condition=MatchConditions.IfNotModified,
        )
        return bytes(stream.readall())


class _Target:
    """A file that is being written by several threads; nothing of it is on disk before the first piece is there."""

    def __init__(self, file: RemoteFile, path: Path) -> None:
        self.file = file
        self.path = path
        self.is_over = False
        self._beside = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
        self._content: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._left = len(self.starts)

    @property
    def starts(self) -> range:
        """Where its pieces begin; an empty file has one as well."""
        return range(0, max(1, self.file.bytes), PIECE)

    def write(self, start: int, content: bytes) -> bool:
        """Write a piece; whether the file is whole now, and has got its name."""
        with self._lock:
            if self.is_over:
                return False
            if self._content is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._content = self._beside.open("xb")
            self._content.seek(start)
            self._content.write(content)
            self._left -= 1
            if self._left:
                return False
            self._content.close()
            seconds = self.file.modified.timestamp()
            os.utime(self._beside, (seconds, seconds))
            self._beside.replace(self.path)
            self.is_over = True
            return True

    def discard(self) -> bool:
        """Remove what is unfinished; False if the file is whole, or this was done before."""
        with self._lock:
            if self.is_over:
                return False
            self.is_over = True
            if self._content:
                with contextlib.suppress(OSError):
                    self._content.close()  # which writes what is buffered, if there is room
                self._beside.unlink(missing_ok=True)
            return True


def _is_present(path: Path, file: RemoteFile) -> bool:
    """Whether a file of the same size and time is there; links are not followed."""
    try:
        found = path.lstat()
    except OSError:
        return False
    is_same = (found.st_size, found.st_mtime) == (file.bytes, file.modified.timestamp())
    return stat.S_ISREG(found.st_mode) and is_same


def listed(container: ContainerClient, prefix: str) -> Iterator[RemoteFile]:
    """The blobs whose names begin with `prefix`, as files without it."""
    return (RemoteFile.of(blob, prefix) for blob in container.list_blobs(name_starts_with=prefix))
