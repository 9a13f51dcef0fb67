"""The runs container: which runs are open, and their documents. The client only reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from shared.documents.progress import ListedRun, Progress
from shared.documents.run import Run

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

_SUFFIX = ".json"


class OpenRuns:
    """The runs container, for those who read it."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def list(self) -> list[ListedRun]:
        """All open runs, the oldest first."""
        blobs = self._container.walk_blobs(include=["metadata"], delimiter="/")
        listed = [_listed(blob) for blob in blobs if not isinstance(blob, BlobPrefix) and blob.name.endswith(_SUFFIX)]
        return sorted(filter(None, listed), key=lambda run: run.oldest_first)

    def load(self, run_id: str) -> Run | None:
        """The document of a run; None if the run is not open. Raises RunUnreadable."""
        try:
            stream = self._container.download_blob(run_id + _SUFFIX)
        except ResourceNotFoundError:
            return None
        properties = stream.properties
        return Run.from_blob(run_id, stream.readall(), properties.metadata, properties.etag)


def _listed(blob: BlobProperties) -> ListedRun | None:
    try:
        progress = Progress.from_metadata(blob.metadata)
    except (KeyError, ValueError):
        return None  # not a run document
    return ListedRun(blob.name.removesuffix(_SUFFIX), progress, blob.etag, blob.last_modified)
