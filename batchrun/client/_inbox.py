"""The inbox: where a person puts manifests and requests to cancel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from batchrun.client.refs import DroppedRun, RunRef
from batchrun.errors import ClientError
from shared.documents.names import is_manifest, results_folder, run_id

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


class DropBox:
    """The inbox container, for those who put something into it."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def drop(self, manifest: Path) -> DroppedRun:
        """Put a manifest into the inbox, as `put` does."""
        return self.put(manifest.name, manifest.read_bytes())

    def put(self, blob: str, content: bytes) -> DroppedRun:
        """Put a manifest into the inbox.

        Raises ClientError if a manifest of this name has not been accepted yet: it would be replaced and never run.
        Without an answer the SDK sends nothing again: the app may have taken it, and would take it for another run.
        """
        try:
            answer = self._container.get_blob_client(blob).upload_blob(content, retry_read=0, retry_status=0)
        except ResourceExistsError:
            message = f"A manifest {blob} is still in the inbox. Wait until it is accepted."
            raise ClientError(message) from None
        return self._dropped(blob, answer["etag"], answer["last_modified"])

    def waiting(self) -> list[DroppedRun]:
        """The manifests that have not been accepted yet."""
        blobs = [blob for blob in self._container.list_blobs() if is_manifest(blob.name)]
        return [self._dropped(blob.name, blob.etag, blob.last_modified) for blob in blobs]

    def _dropped(self, blob: str, etag: str, modified: datetime) -> DroppedRun:
        run = run_id(self._container.container_name, blob, etag, modified)
        return DroppedRun(RunRef(run, results_folder(blob, run)), blob, etag)

    def holds(self, run: DroppedRun) -> bool:
        """Whether the manifest is still in the inbox."""
        try:
            return bool(self._container.get_blob_client(run.blob).get_blob_properties().etag == run.etag)
        except ResourceNotFoundError:
            return False

    def remove(self, run: DroppedRun) -> bool:
        """Remove the manifest from the inbox; False if it is no longer there."""
        try:
            self._container.delete_blob(run.blob, etag=run.etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
        return True

    def cancel(self, run: RunRef) -> None:
        """Ask the app to cancel a run, which it does when it next reads the inbox."""
        self._container.upload_blob(run.cancel_blob, b"", overwrite=True)

    def holds_cancel(self, run: RunRef) -> bool:
        """Whether the app has not acted on the request to cancel yet."""
        return bool(self._container.get_blob_client(run.cancel_blob).exists())
