"""Operations on blobs that every container needs: create a blob once, remove a blob if it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


def create_once(container: ContainerClient, name: str, content: bytes, **options: Any) -> bool:  # noqa: ANN401 - the SDK's
    """Write a blob unless it exists, and return whether it was written. An existing blob is left unchanged."""
    try:
        container.upload_blob(name, content, **options)
    except ResourceExistsError:
        return False
    return True


def remove(container: ContainerClient, name: str) -> None:
    """Remove a blob if it exists."""
    try:
        container.delete_blob(name)
    except ResourceNotFoundError:
        return
