"""Files of this machine that a run is given: blobs `<SHA-256>/<file name>` in a container of their own.

The same content of the same name is one blob. A lifecycle rule removes blobs 30 days after they were last modified
(docs/deploy.md), so one that is older than a week is made younger; to set its metadata is enough: "any operation that
modifies the blob, including an update of the blob's metadata or properties, changes the last-modified time".
https://learn.microsoft.com/rest/api/storageservices/get-blob-properties#response-headers
"""

from __future__ import annotations

import base64
import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobBlock

from batchrun.errors import ClientError, UsageError, printable
from shared.documents.names import is_safe, too_long

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

PIECE = 8 * 1024 * 1024
"""Bytes; a blob has at most 50,000 blocks: https://learn.microsoft.com/rest/api/storageservices/put-block-list."""
OLD = timedelta(days=7)


@dataclass(frozen=True)
class LocalData:
    """A file on this machine, its size and the SHA-256 of its content."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> LocalData:
        """Read a file, piece by piece. Raises UsageError if it cannot be uploaded."""
        name = path.name
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                kind = "a folder" if path.is_dir() else "no file that can be read twice"
                raise UsageError(f"{printable(str(path))} is {kind}: name a file")
            problem = too_long(name) or ("" if is_safe(name) and name == name.strip() else "no file can have this name")
            if problem:
                raise UsageError(f"{printable(str(path))} cannot be uploaded: {problem}; rename it")
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
                return cls(path, content.tell(), digest)
        except FileNotFoundError:
            raise UsageError(f"there is no file {printable(str(path)) or 'without a name'}") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{printable(str(path))} cannot be read: {getattr(error, 'strerror', error)}") from error

    @property
    def blob(self) -> str:
        """The name of its blob."""
        return f"{self.sha256}/{self.path.name}"

    def address(self, container: str) -> str:
        """Its address, as the value of an input."""
        return f"blob://{container}/{self.blob}"

    def pieces(self) -> Iterator[bytes]:
        """Its content. Raises ClientError at the end if that is not what it was."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as content:
                while piece := content.read(PIECE):
                    digest.update(piece)
                    yield piece
        except OSError as error:
            raise ClientError(f"{printable(str(self.path))} cannot be read: {error.strerror}.") from error
        if digest.hexdigest() != self.sha256:
            raise ClientError(f"{printable(str(self.path))} has been changed meanwhile. Run the command again.")


class Uploads:
    """The container with the files that runs are given."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def has(self, file: LocalData) -> bool:
        """Whether the file is there, and stays there for three weeks at least."""
        blob = self._container.get_blob_client(file.blob)
        try:
            found = blob.get_blob_properties()
            if found.size != file.size:
                return False
            if datetime.now(UTC) - found.last_modified > OLD:
                blob.set_blob_metadata({}, etag=found.etag, match_condition=MatchConditions.IfNotModified)
        except ResourceModifiedError:
            return True  # somebody else has just done the same
        except ResourceNotFoundError:
            return False
        return True

    def put(self, file: LocalData, progress: Callable[[int], None]) -> None:
        """Upload a file, as a whole or not at all. `progress` is told of every piece. Raises ClientError."""
        blob = self._container.get_blob_client(file.blob)
        blocks: list[BlobBlock] = []
        for number, piece in enumerate(file.pieces()):
            block = base64.b64encode(f"{number:08}".encode()).decode()
            blob.stage_block(block, piece)
            blocks.append(BlobBlock(block))
            progress(len(piece))
        try:
            blob.commit_block_list(blocks, match_condition=MatchConditions.IfMissing)
        except HttpResponseError as error:
            # Who uploads the same file at the same time and is faster has discarded these blocks.
            if not isinstance(error, ResourceExistsError) and _code(error) != "InvalidBlockList":
                raise
            if not self.has(file):
                place = f"{self._container.container_name}/{file.blob}"
                raise ClientError(f"{printable(place)} is there and has another size: remove it.") from error


def _code(error: HttpResponseError) -> object:
    return getattr(error, "error_code", None)
