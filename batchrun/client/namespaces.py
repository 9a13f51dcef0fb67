"""The files of namespaces: blobs `<namespace>/<path>` in a container of their own, which tasks get as files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from batchrun.client.downloads import Download, RemoteFile, listed
from batchrun.errors import ClientError, UsageError, printable
from shared.documents.names import is_safe, too_long
from shared.parallel import in_parallel

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,149}")
"""As in a flow: `shared/manifest/flow.py`."""
_AT_ONCE = 4
"""The SDK holds up to 64 MiB of a file in memory until it has sent them."""


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, and its path in a namespace."""

    path: Path
    name: str


class Namespaces:
    """The container with the files of all namespaces."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def all(self) -> list[str]:
        """The namespaces that have files."""
        found = self._container.walk_blobs(delimiter="/")
        return [each.name.removesuffix("/") for each in found if isinstance(each, BlobPrefix)]

    def files(self, namespace: str) -> list[RemoteFile]:
        """The files of a namespace, whose names are their paths in it."""
        return list(listed(self._container, f"{checked(namespace)}/"))

    def put(self, namespace: str, files: Sequence[LocalFile], progress: Callable[[], None]) -> None:
        """Upload files; those of the same name are replaced, each as a whole.

        Raises ClientError if one cannot be read.
        """

        def upload(file: LocalFile) -> None:
            try:
                with file.path.open("rb") as content:
                    self._container.upload_blob(f"{namespace}/{file.name}", content, overwrite=True)
                progress()
            except OSError as error:
                raise ClientError(f"{file.path} cannot be read: {error.strerror or error}.") from error

        in_parallel(upload, files, at_once=_AT_ONCE)

    def remove(self, files: Sequence[RemoteFile], progress: Callable[[], None]) -> None:
        """Remove files; those that are gone already are no error."""

        def remove(file: RemoteFile) -> None:
            with contextlib.suppress(ResourceNotFoundError):
                self._container.delete_blob(file.blob)
            progress()

        in_parallel(remove, files)

    def to(self, folder: Path) -> Callable[[Callable[[int], None]], Download]:
        """How files of namespaces come into a folder: a function of the one that is told of their progress."""
        return lambda progress: Download(self._container, folder, progress)


def checked(namespace: str) -> str:
    """The namespace. Raises UsageError if a flow cannot have it."""
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"{printable(namespace)!r} is not a namespace: small letters, digits, `.`, `-` and `_`, as in acme.sales."
        )
    return namespace


def files_below(paths: Sequence[Path], folder: str) -> list[LocalFile]:
    """The files that are meant by files and folders, with their paths in a namespace, below `folder`.

    Those of a folder keep their paths in it; links to folders are not followed. Raises UsageError if a path does not
    exist, two files would have the same path, or a path is not one that a task's file can have.
    """
    found: dict[str, LocalFile] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no file or folder {printable(str(path))}.")
        for file in _files(path, folder.strip("/")):
            problem = too_long(file.name) or ("" if is_safe(file.name) else "no file of a task can have this name")
            if problem:
                raise UsageError(f"{printable(str(file.path))} cannot be put: {problem}.")
            if file.name in found:
                raise UsageError(f"{found[file.name].path} and {file.path} would both become {file.name}.")
            found[file.name] = file
    return list(found.values())


def _files(path: Path, folder: str) -> Iterator[LocalFile]:
    start = f"{folder}/" if folder else ""
    if not path.is_dir():
        yield LocalFile(path, start + path.name)
        return
    for parent, folders, names in os.walk(path):
        folders.sort()
        for each in (Path(parent, name) for name in sorted(names)):
            if each.is_file():  # no socket, no link to nothing
                yield LocalFile(each, start + each.relative_to(path).as_posix())
