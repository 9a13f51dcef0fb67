"""Reads the blobs that manifests name: files of namespaces, and blobs of allowed containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from shared.documents.external_data import SourceFile, TextRead
from shared.plan.lookups import BlobAddress

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


class Sources:
    """The containers with files for tasks and texts for `read()`."""

    def __init__(self, blobs: BlobServiceClient, namespaces: str) -> None:
        self._blobs = blobs
        self._namespaces = namespaces

    def namespace_files(self, namespace: str) -> tuple[SourceFile, ...]:
        """List the files of a namespace, in their current versions."""
        prefix = f"{namespace}/"
        listed = self._blobs.get_container_client(self._namespaces).list_blobs(name_starts_with=prefix)
        return tuple(SourceFile(blob=blob.name, etag=blob.etag, path=blob.name.removeprefix(prefix)) for blob in listed)

    def etag(self, address: BlobAddress) -> str | None:
        """The ETag of a blob of the account; None if it does not exist."""
        blob = self._blobs.get_blob_client(address.container, address.name)
        try:
            return str(blob.get_blob_properties().etag)
        except ResourceNotFoundError:
            return None

    def text(self, address: BlobAddress, max_bytes: int) -> TextRead:
        """The text of a blob of the account, or the problem if it cannot be read."""
        try:
            stream = self._blobs.get_container_client(address.container).download_blob(address.name, max_concurrency=1)
            if stream.size > max_bytes:
                return TextRead(problem=f"it has {stream.size} bytes, but the limit is {max_bytes}")
            return TextRead(text=stream.readall().decode())
        except ResourceNotFoundError:
            return TextRead(problem="there is no such file")
        except UnicodeDecodeError:
            return TextRead(problem="it is not text in UTF-8")
