"""The inbox container: manifests that have not been accepted or rejected yet, and requests to cancel runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

from shared.documents.manifest_blob import MAX_BYTES, ManifestBlob, manifest_blob
from shared.documents.names import is_cancel, is_manifest
from shared.storage._blobs import beginning_of
from shared.storage.copies import CopySource

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


@dataclass(frozen=True)
class Drop:
    """One version of a manifest blob, read in one request: bytes, ETag and last modification belong together."""

    manifest: ManifestBlob
    last_modified: datetime
    is_too_large: bool


@dataclass(frozen=True)
class InboxBlob:
    """A blob in the inbox, as a listing returns it."""

    name: str
    etag: str
    last_modified: datetime


@dataclass(frozen=True)
class Listing:
    """The manifests and the requests to cancel in the inbox; other blobs are ignored."""

    manifests: tuple[InboxBlob, ...]
    cancels: tuple[InboxBlob, ...]


class Inbox:
    """The inbox container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self._container.container_name)

    def read(self, blob: str) -> Drop | None:
        """Read the current version of a manifest; None if it is gone, because its run has been accepted."""
        try:
            stream = beginning_of(self._container, blob, MAX_BYTES + 1)
        except ResourceNotFoundError:
            return None
        content = stream.readall()
        manifest = manifest_blob(blob, stream.properties.etag.strip('"'), content)
        return Drop(manifest, stream.properties.last_modified, is_too_large=len(content) > MAX_BYTES)

    def find(self, blob: str) -> InboxBlob | None:
        """A blob as it is now, without its content; None if it does not exist."""
        try:
            found = self._container.get_blob_client(blob).get_blob_properties()
        except ResourceNotFoundError:
            return None
        return InboxBlob(blob, found.etag.strip('"'), found.last_modified)

    def source(self, manifest: ManifestBlob) -> CopySource:
        """The version of a manifest, as the source of a copy."""
        return CopySource(self.name, manifest.name, manifest.etag)

    def remove(self, blob: str, etag: str) -> None:
        """Remove a blob if it exists and still has this ETag."""
        try:
            self._container.delete_blob(blob, etag=f'"{etag}"', match_condition=MatchConditions.IfNotModified)
        except (ResourceNotFoundError, ResourceModifiedError):
            return

    def list(self) -> Listing:
        """List all manifests and requests to cancel."""
        blobs = [InboxBlob(blob.name, blob.etag, blob.last_modified) for blob in self._container.list_blobs()]
        return Listing(
            manifests=tuple(blob for blob in blobs if is_manifest(blob.name)),
            cancels=tuple(blob for blob in blobs if is_cancel(blob.name)),
        )
