"""Operations on blobs that every container needs: create a blob once, read its beginning, remove it if it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient, StorageStreamDownloader

NO_SUCH_RANGE = 416


def create_once(container: ContainerClient, name: str, content: bytes, **options: Any) -> bool:  # noqa: ANN401 - the SDK's
    """Write a blob unless it exists, and return whether it was written. An existing blob is left unchanged."""
    try:
        container.upload_blob(name, content, **options)
    except ResourceExistsError:
        return False
    return True


def beginning_of(container: ContainerClient, name: str, max_bytes: int) -> StorageStreamDownloader[bytes]:
    """The first bytes of a blob, or all if it has fewer. Raises ResourceNotFoundError."""
    try:
        return container.download_blob(name, offset=0, length=max_bytes)
    except HttpResponseError as error:
        if error.status_code != NO_SUCH_RANGE:
            raise
    return container.download_blob(name)  # a range of an empty blob cannot be requested


def remove(container: ContainerClient, name: str) -> None:
    """Remove a blob if it exists."""
    try:
        container.delete_blob(name)
    except ResourceNotFoundError:
        return
