"""What every container needs: blobs that are written once, and blobs that are removed if they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


def create_once(container: ContainerClient, name: str, content: bytes, **options: Any) -> bool:  # noqa: ANN401 - the SDK's
    """Write a blob unless it exists; whether it was written. What exists stays: somebody else was first."""
    try:
        container.upload_blob(name, content, **options)
    except ResourceExistsError:
        return False
    return True


def remove(container: ContainerClient, name: str) -> None:
    """Remove a blob; one that is gone already is fine."""
    try:
        container.delete_blob(name)
    except ResourceNotFoundError:
        return
