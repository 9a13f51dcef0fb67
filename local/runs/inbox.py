"""The inbox: where manifests and requests to cancel are dropped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from local.errors import LocalError
from local.runs.refs import DroppedRun, RunRef
from shared.documents.names import is_manifest, results_folder, run_id

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


class Inbox:
    """The inbox container, as those who drop things see it."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def drop(self, manifest: Path) -> DroppedRun:
        """Put a manifest into the inbox.

        Raises LocalError if one of this name has not been taken yet: it would be replaced and never run.
        """
        try:
            answer = self._container.get_blob_client(manifest.name).upload_blob(manifest.read_bytes())
        except ResourceExistsError:
            raise LocalError(f"A manifest {manifest.name} still lies in the inbox. Wait until it is taken.") from None
        return self._dropped(manifest.name, answer["etag"], answer["last_modified"])

    def waiting(self) -> list[DroppedRun]:
        """The manifests that have not been taken yet."""
        blobs = [blob for blob in self._container.list_blobs() if is_manifest(blob.name)]
        return [self._dropped(blob.name, blob.etag, blob.last_modified) for blob in blobs]

    def _dropped(self, blob: str, etag: str, modified: datetime) -> DroppedRun:
        run = run_id(self._container.container_name, blob, etag, modified)
        return DroppedRun(RunRef(run, results_folder(blob, run)), blob, etag)

    def holds(self, run: DroppedRun) -> bool:
        """Whether the manifest still lies in the inbox."""
        try:
            return bool(self._container.get_blob_client(run.blob).get_blob_properties().etag == run.etag)
        except ResourceNotFoundError:
            return False

    def remove(self, run: DroppedRun) -> bool:
        """Take the manifest out of the inbox again; False if it is not there any more."""
        try:
            self._container.delete_blob(run.blob, etag=run.etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
        return True

    def cancel(self, run: RunRef) -> None:
        """Ask the app to cancel a run, which it does when it looks at the inbox next."""
        self._container.upload_blob(run.cancel_blob, b"", overwrite=True)

    def holds_cancel(self, run: RunRef) -> bool:
        """Whether the request to cancel has not been honoured yet."""
        return bool(self._container.get_blob_client(run.cancel_blob).exists())
