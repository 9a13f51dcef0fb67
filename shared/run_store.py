"""Run documents: created once, changed under their ETag, listed with what the poller needs.

A private container: neither a SAS nor the nodes' identity reaches it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContentSettings

from shared.errors import RunChanged, RunUnreadable
from shared.log import Stage, tell
from shared.run import ListedRun, Progress, Run, RunBody

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

_JSON = ContentSettings(content_type="application/json")
_SUFFIX = ".json"


class RunStore:
    """The runs container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def create(self, run: Run) -> Run | None:
        """Store a new run; None if it exists already: somebody else has accepted the same version."""
        try:
            return self._put(run, overwrite=False)
        except ResourceExistsError:
            return None

    def load(self, run_id: str) -> Run | None:
        """Read a run; None if it is not open. Raises RunUnreadable; such a run is open, so nothing of it may go."""
        try:
            stream = self._container.download_blob(run_id + _SUFFIX)
        except ResourceNotFoundError:
            return None
        try:
            progress = Progress.from_metadata(stream.properties.metadata)
            if not progress.is_readable:
                raise RunUnreadable(f"The run {run_id} is that of a newer version of the app, which goes on with it.")
            return Run(RunBody.model_validate_json(stream.readall()), progress, stream.properties.etag)
        except (KeyError, ValueError) as error:
            message = (
                f"The document of the run {run_id} is damaged: remove it from the runs container, and delete its job."
            )
            raise RunUnreadable(message) from error

    def save(self, run: Run) -> Run:
        """Write a run that was read or written before. Raises RunChanged if somebody else did so since."""
        try:
            return self._put(run, overwrite=True, etag=run.etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise RunChanged(f"The run {run.id} was changed or closed by another invocation.") from error

    def _put(self, run: Run, **conditions: Any) -> Run:  # noqa: ANN401 - passed on to the SDK
        written = self._container.get_blob_client(run.id + _SUFFIX).upload_blob(
            run.body.to_json().encode(), metadata=run.progress.to_metadata(), content_settings=_JSON, **conditions
        )
        return replace(run, etag=str(written["etag"]))

    def set_progress(self, run: ListedRun, progress: Progress) -> ListedRun | None:
        """Write the metadata alone; None if the run was changed since it was listed, which is left as it is."""
        blob = self._container.get_blob_client(run.id + _SUFFIX)
        try:
            written = blob.set_blob_metadata(
                progress.to_metadata(), etag=run.etag, match_condition=MatchConditions.IfNotModified
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            return None
        return replace(run, progress=progress, etag=str(written["etag"]))

    def list(self) -> list[ListedRun]:
        """All open runs, the oldest first."""
        blobs = self._container.walk_blobs(include=["metadata"], delimiter="/")
        listed = [_listed(blob) for blob in blobs if not isinstance(blob, BlobPrefix) and blob.name.endswith(_SUFFIX)]
        return sorted(filter(None, listed), key=lambda run: run.oldest_first)

    def remove(self, run_id: str) -> None:
        """Forget a run; the last step of closing it."""
        try:
            self._container.delete_blob(run_id + _SUFFIX)
        except ResourceNotFoundError:
            return


def _listed(blob: BlobProperties) -> ListedRun | None:
    """An open run; None for a blob that is no run document of ours, which must not keep the others from being seen."""
    try:
        progress = Progress.from_metadata(blob.metadata)
    except (KeyError, ValueError):
        tell(
            Stage.POLL,
            "not-a-run-document",
            level=logging.WARNING,
            blob=blob.name,
            todo="remove it from the runs container",
        )
        return None
    return ListedRun(blob.name.removesuffix(_SUFFIX), progress, blob.etag, blob.last_modified)
