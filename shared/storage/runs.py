"""The runs container: run documents, which are created once and changed only under their ETag; and their parts.

The container is private: neither a SAS nor the nodes' identity gives access to it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContentSettings

from shared.documents.names import run_to_cancel
from shared.documents.part import Part
from shared.documents.progress import DAMAGED, ListedRun, Progress
from shared.documents.run import Run
from shared.documents.schedules import SCHEDULES_BLOB
from shared.documents.task_result import ItemRecord
from shared.errors import RunChanged
from shared.log import Stage, log_event
from shared.parallel import in_parallel
from shared.plan.round_plan import PART_TASKS
from shared.storage._blobs import create_once, remove

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

OpenRun = TypeVar("OpenRun", Run, ListedRun)
_JSON = ContentSettings(content_type="application/json")
_SUFFIX = ".json"


class RunStore:
    """The run documents."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def create(self, run: Run) -> Run | None:
        """Store a new run. Returns None if it exists: another invocation has accepted the same version."""
        try:
            return self._put(run, overwrite=False)
        except ResourceExistsError:
            return None

    def load(self, run_id: str) -> Run | None:
        """Read a run; None if it is not open.

        Raises RunUnreadable. Such a run is still open: do not delete anything of it.
        """
        try:
            stream = self._container.download_blob(run_id + _SUFFIX)
        except ResourceNotFoundError:
            return None
        properties = stream.properties
        return Run.from_blob(run_id, stream.readall(), properties.metadata, properties.etag)

    def save(self, run: Run) -> Run:
        """Write a run that was read or written before. Raises RunChanged if another invocation has written it since."""
        try:
            return self._put(run, overwrite=True, etag=run.etag, match_condition=MatchConditions.IfNotModified)
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise RunChanged(f"The run {run.id} was changed or closed by another invocation.") from error

    def _put(self, run: Run, **conditions: Any) -> Run:  # noqa: ANN401 - passed on to the SDK
        written = self._container.get_blob_client(run.id + _SUFFIX).upload_blob(
            run.body.to_json().encode(), metadata=run.progress.to_metadata(), content_settings=_JSON, **conditions
        )
        return replace(run, etag=str(written["etag"]))

    def set_progress(self, run: OpenRun, progress: Progress) -> OpenRun | None:
        """Write the metadata alone. Returns None, and writes nothing, if the run has changed since it was read."""
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
        documents = (blob for blob in blobs if not isinstance(blob, BlobPrefix) and blob.name != SCHEDULES_BLOB)
        listed = [_listed(blob) for blob in documents if blob.name.endswith(_SUFFIX)]
        return sorted(filter(None, listed), key=lambda run: run.oldest_first)

    def remove_version(self, run: Run) -> None:
        """Remove a run document that was just created, unless another invocation goes on with the run."""
        with suppress(ResourceNotFoundError, ResourceModifiedError):
            self._container.delete_blob(run.id + _SUFFIX, etag=run.etag, match_condition=MatchConditions.IfNotModified)

    def remove(self, run_id: str) -> None:
        """Remove a run document, as the last step of closing the run."""
        remove(self._container, run_id + _SUFFIX)


def _listed(blob: BlobProperties) -> ListedRun | None:
    """An open run; None if the blob is not a run document. A warning in the log tells of it, and of a damaged one."""
    run_id = blob.name.removesuffix(_SUFFIX)
    try:
        progress = Progress.from_metadata(blob.metadata)
    except (KeyError, TypeError, ValueError):
        is_run = run_to_cancel(run_id) is not None
        todo = "restore its metadata: after an hour its run ends" if is_run else "remove it from the runs container"
        log_event(Stage.POLL, "not-a-run-document", level=logging.WARNING, blob=blob.name, todo=todo)
        if not is_run:
            return None
        progress = Progress(schema_version=DAMAGED)
    return ListedRun(run_id, progress, blob.etag, blob.last_modified)


_PARTS = "parts"
_FIRST_OF_PLANNING = 1_000_000  # more than a round has tasks


class PartStore:
    """The parts of run documents, in a folder of the runs container, so that poll_runs does not list them."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def keep(self, run: Run, first: int, part: Part) -> Part:
        """Store the results of tasks of the current round, the first of which has the number `first`; once.

        Returns what is stored: another invocation may have been faster, and have collected more tasks or fewer.
        """
        name = f"{_PARTS}/{run.id}/{run.progress.round}/{first:06}.json"
        return part if create_once(self._container, name, part.to_json().encode()) else self._load(name)

    def keep_of_planning(self, run: Run, part: Part) -> None:
        """Store the next results of planning the current round, once, as the last ones of the round before."""
        number = _FIRST_OF_PLANNING + run.body.parts_of_planning
        create_once(
            self._container, f"{_PARTS}/{run.id}/{run.progress.round - 1}/{number}.json", part.to_json().encode()
        )

    def keep_taken_over(self, run: Run, items: Mapping[str, Sequence[ItemRecord]]) -> None:
        """Store the items of fan-outs that a retry takes over, as results of a round before its first."""
        portions = [
            (task, all_items[start : start + PART_TASKS])
            for task, all_items in items.items()
            for start in range(0, len(all_items), PART_TASKS)
        ]

        def keep(numbered: tuple[int, tuple[str, Sequence[ItemRecord]]]) -> None:
            number, (task, portion) = numbered
            part = Part(items={task: tuple(portion)})
            create_once(self._container, f"{_PARTS}/{run.id}/0/{number:06}.json", part.to_json().encode())

        in_parallel(keep, enumerate(portions))

    def of_round(self, run: Run) -> dict[int, Part]:
        """The parts of the current round, by the number of their first task."""
        names = self._names(run.id, f"{run.progress.round}/")
        parts = in_parallel(self._load, names)
        return {int(PurePosixPath(name).stem): part for name, part in zip(names, parts, strict=True)}

    def items(self, run_id: str, before: int | None = None) -> dict[str, tuple[ItemRecord, ...]]:
        """The items of all fan-outs of a run that have ended, by task; of a repeated item, the later result.

        With `before`, only those of the rounds before that one.
        """
        found: dict[str, dict[int, ItemRecord]] = {}
        names = [name for name in self._names(run_id) if before is None or _age(name)[0] < before]
        for part in in_parallel(self._load, sorted(names, key=_age)):
            for task, items in part.items.items():
                found.setdefault(task, {}).update({item.index: item for item in items})
        return {task: tuple(items[index] for index in sorted(items)) for task, items in found.items()}

    def remove(self, run_id: str) -> None:
        """Remove all parts of a run."""
        in_parallel(lambda name: remove(self._container, name), self._names(run_id))

    def _names(self, run_id: str, subfolder: str = "") -> list[str]:
        return list(self._container.list_blob_names(name_starts_with=f"{_PARTS}/{run_id}/{subfolder}"))

    def _load(self, name: str) -> Part:
        return Part.model_validate_json(self._container.download_blob(name).readall())


def _age(name: str) -> tuple[int, int]:
    """The round and the first task of a part, as a sort key."""
    path = PurePosixPath(name)
    return int(path.parent.name), int(path.stem)
