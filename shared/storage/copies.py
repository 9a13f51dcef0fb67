"""Copies of blobs within the storage account.

Storage makes them itself by Copy Blob: any size, no byte passes through the app, and most are complete at once. Behind
a firewall storage has been seen to refuse to read its own account (403 CannotVerifyCopySource,
https://github.com/Azure/azure-storage-azcopy/issues/755). Then blocks are put from the address of the source, with a
token or a SAS for it. If that is refused as well, the app reads and writes the blocks itself. A method that was refused
once is not tried again by this process.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobSasPermissions, StorageErrorCode, generate_blob_sas

from shared.log import Stage, log_event
from shared.parallel import in_parallel

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient, StorageStreamDownloader

BYTES_FROM_URL = 100 * 1024 * 1024
BYTES_THROUGH_APP = 4 * 1024 * 1024
MAX_BLOCKS = 50_000
BLOCKS_AT_ONCE = 4
SAS_LIFETIME = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=15)
_STORAGE_SCOPE = "https://storage.azure.com/.default"
_COPIED = "success"
_FORBIDDEN = 403


class CopyState(Enum):
    """How far a copy is."""

    DONE = "the destination is complete"
    PENDING = "storage is still copying"
    UNFINISHED = "the time did not suffice; the next call continues"


class CopyMethod(IntEnum):
    """The ways to copy a blob, the cheapest first."""

    COPY_BLOB = 1
    BLOCKS_FROM_URL = 2
    BLOCKS_THROUGH_APP = 3


@dataclass(frozen=True)
class CopySource:
    """A blob of the account; with an `etag`, only this version of it."""

    container: str
    blob: str
    etag: str | None = None


@dataclass(frozen=True)
class _Block:
    """A part of a source. The same part always has the same id, so that a copy can be continued."""

    id: str
    offset: int
    length: int


class Copies:
    """Makes copies within one storage account; `method` is the cheapest way that storage has not refused."""

    def __init__(self, blobs: BlobServiceClient, endpoint: str) -> None:
        self.method = CopyMethod.COPY_BLOB
        self._blobs = blobs
        self._endpoint = endpoint

    def copy(
        self, source: CopySource, destination: BlobClient, *, overwrite: bool = False, deadline: float = math.inf
    ) -> CopyState:
        """Copy a blob; works until `deadline`, a reading of `time.monotonic()`.

        Raises ResourceNotFoundError or ResourceModifiedError if the source does not exist in its version, and
        ResourceExistsError if the destination exists and is not to be overwritten.
        """
        if self.method is CopyMethod.COPY_BLOB:
            try:
                return self._copy_blob(source, destination, overwrite=overwrite)
            except HttpResponseError as error:
                self._give_up_method(CopyMethod.BLOCKS_FROM_URL, error)
        if self.method is CopyMethod.BLOCKS_FROM_URL:
            try:
                return self._copy_blocks(source, destination, BYTES_FROM_URL, overwrite=overwrite, deadline=deadline)
            except HttpResponseError as error:
                self._give_up_method(CopyMethod.BLOCKS_THROUGH_APP, error)
        return self._copy_blocks(source, destination, BYTES_THROUGH_APP, overwrite=overwrite, deadline=deadline)

    def _give_up_method(self, next_method: CopyMethod, error: HttpResponseError) -> None:
        """Go on with the next method if storage refuses to read the source; any other error is raised again."""
        code = getattr(error, "error_code", None)
        if error.status_code != _FORBIDDEN or code != StorageErrorCode.CANNOT_VERIFY_COPY_SOURCE:
            raise error
        self.method = max(self.method, next_method)
        log_event(Stage.RECORD, "copy-refused", level=logging.WARNING, method=self.method.name, error=str(code))

    def _copy_blob(self, source: CopySource, destination: BlobClient, *, overwrite: bool) -> CopyState:
        conditions: dict[str, Any] = {} if overwrite else {"match_condition": MatchConditions.IfMissing}
        if source.etag:
            conditions |= {"source_etag": source.etag, "source_match_condition": MatchConditions.IfNotModified}
        url = f"{self._endpoint}/{source.container}/{quote(source.blob, safe='/~')}"
        copy = destination.start_copy_from_url(url, **conditions)
        return CopyState.DONE if copy["copy_status"] == _COPIED else CopyState.PENDING

    def _copy_blocks(
        self, source: CopySource, destination: BlobClient, block_bytes: int, *, overwrite: bool, deadline: float
    ) -> CopyState:
        """Put the blocks that an earlier call has not put, then make the blob of them."""
        original = self._blobs.get_blob_client(source.container, source.blob)
        properties = original.get_blob_properties(**_version(source.etag))
        blocks = _blocks_of(source, properties, block_bytes)
        existing = _uncommitted(destination)
        put = self._put_from_url if block_bytes == BYTES_FROM_URL else _put_through_app

        def put_in_time(block: _Block) -> bool:
            if time.monotonic() > deadline:
                return False
            put(original, destination, properties.etag, block)
            return True

        missing = [block for block in blocks if block.id not in existing]
        at_once = BLOCKS_AT_ONCE if block_bytes == BYTES_FROM_URL else 1  # each of them is in memory otherwise
        if not all(in_parallel(put_in_time, missing, at_once=at_once)):
            return CopyState.UNFINISHED
        condition: dict[str, Any] = {} if overwrite else {"match_condition": MatchConditions.IfMissing}
        destination.commit_block_list(
            [BlobBlock(block_id=block.id) for block in blocks],
            content_settings=properties.content_settings,
            metadata=properties.metadata,
            **condition,
        )
        return CopyState.DONE

    def _put_from_url(self, source: BlobClient, destination: BlobClient, etag: str, block: _Block) -> None:
        url, authorization = self._readable(source)
        unchanged = {"x-ms-source-if-match": etag}
        destination.stage_block_from_url(block.id, url, block.offset, block.length, headers=unchanged, **authorization)

    def _readable(self, source: BlobClient) -> tuple[str, dict[str, Any]]:
        """An address at which storage may read a blob: with a SAS, or with the token of the app's identity."""
        credential = self._blobs.credential
        if hasattr(credential, "get_token"):
            return source.url, {"source_authorization": f"Bearer {credential.get_token(_STORAGE_SCOPE).token}"}
        now = datetime.now(UTC)
        sas = generate_blob_sas(
            str(source.account_name),
            source.container_name,
            source.blob_name,
            account_key=credential.account_key,
            permission=BlobSasPermissions(read=True),
            start=now - CLOCK_SKEW,
            expiry=now + SAS_LIFETIME,
        )
        return f"{source.url}?{sas}", {}


def _blocks_of(source: CopySource, properties: BlobProperties, block_bytes: int) -> list[_Block]:
    """The blocks of a version of a source; they are larger than `block_bytes` only if there were too many of them.

    All ids of a blob must have the same length.
    """
    total = int(properties.size)
    size = max(block_bytes, math.ceil(total / MAX_BLOCKS))
    version = hashlib.sha256(f"{source.container}/{source.blob}@{properties.etag}/{size}".encode()).hexdigest()[:16]
    starts = range(0, total, size)
    return [_Block(f"{version}{n:06}", start, min(size, total - start)) for n, start in enumerate(starts)]


def _uncommitted(destination: BlobClient) -> frozenset[str]:
    """The ids of the blocks that earlier calls have put."""
    try:
        _, uncommitted = destination.get_block_list("uncommitted")
    except ResourceNotFoundError:
        return frozenset()
    return frozenset(block.id for block in uncommitted)


def _put_through_app(source: BlobClient, destination: BlobClient, etag: str, block: _Block) -> None:
    stream: StorageStreamDownloader[bytes] = source.download_blob(block.offset, block.length, **_version(etag))
    destination.stage_block(block.id, stream.readall(), length=block.length)


def _version(etag: str | None) -> dict[str, Any]:
    """The condition that a blob is still the version with an ETag, if one is given."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
