"""Run documents: created once, changed under their ETag, listed with what the poller needs.

A private container: neither a SAS nor the nodes' identity reaches it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContentSettings

from shared.documents.progress import ListedRun, Progress
from shared.documents.record import ItemRecord
from shared.documents.run import Part, Run
from shared.errors import RunChanged
from shared.log import Stage, log_event
from shared.parallel import in_parallel
from shared.storage._blobs import create_once, remove

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
        properties = stream.properties
        return Run.from_blob(run_id, stream.readall(), properties.metadata, properties.etag)

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
        remove(self._container, run_id + _SUFFIX)


def _listed(blob: BlobProperties) -> ListedRun | None:
    """An open run; None for a blob that is no run document of ours, which must not keep the others from being seen."""
    try:
        progress = Progress.from_metadata(blob.metadata)
    except (KeyError, ValueError):
        log_event(
            Stage.POLL,
            "not-a-run-document",
            level=logging.WARNING,
            blob=blob.name,
            todo="remove it from the runs container",
        )
        return None
    return ListedRun(blob.name.removesuffix(_SUFFIX), progress, blob.etag, blob.last_modified)


_PARTS = "parts"


class PartStore:
    """The parts in the runs container, which poll_runs does not see: it lists what lies at the top."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def keep(self, run: Run, first: int, part: Part) -> None:
        """Store how the tasks from number `first` on of the current round ended, once: if it is there, it stays."""
        name = f"{_PARTS}/{run.id}/{run.progress.round}/{first:06}.json"
        create_once(self._container, name, part.to_json().encode())

    def of_round(self, run: Run) -> dict[int, Part]:
        """What is stored of the current round, by the number of the first task."""
        names = self._names(run.id, f"{run.progress.round}/")
        parts = in_parallel(self._load, names)
        return {int(PurePosixPath(name).stem): part for name, part in zip(names, parts, strict=True)}

    def items(self, run_id: str) -> dict[str, tuple[ItemRecord, ...]]:
        """The items of all fan-outs of a run that have ended, by task; of an item that was run again, the later end."""
        found: dict[str, dict[int, ItemRecord]] = {}
        for part in in_parallel(self._load, sorted(self._names(run_id), key=_age)):
            for task, items in part.items.items():
                found.setdefault(task, {}).update({item.index: item for item in items})
        return {task: tuple(items[index] for index in sorted(items)) for task, items in found.items()}

    def remove(self, run_id: str) -> None:
        """Remove all parts of a run."""
        in_parallel(lambda name: remove(self._container, name), self._names(run_id))

    def _names(self, run_id: str, below: str = "") -> list[str]:
        return list(self._container.list_blob_names(name_starts_with=f"{_PARTS}/{run_id}/{below}"))

    def _load(self, name: str) -> Part:
        return Part.model_validate_json(self._container.download_blob(name).readall())


def _age(name: str) -> tuple[int, int]:
    """The round and the first task of a part."""
    path = PurePosixPath(name)
    return int(path.parent.name), int(path.stem)
