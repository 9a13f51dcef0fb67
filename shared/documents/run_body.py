"""The body of a run document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.documents.document import Document
from shared.documents.earlier_run import EarlierRun
from shared.documents.early_end import EarlyEnd, Rejection
from shared.documents.external_data import ExternalData
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.record import JobRecord, RunProblem
from shared.documents.states import Phase
from shared.documents.task_result import TaskRecord
from shared.documents.trigger import StartedBy


class RunBody(Document):
    """Everything that later planning, recording and closing need.

    `flow` is the flow of a run request that names it: a stored one, or that of the `earlier` run which it retries.
    `trigger` is what started it, unless somebody dropped its manifest.

    `default_pool` and `default_staging` are the app settings at the time of acceptance: the tasks of a round and the
    place of its files must not change while the run is open.
    `finished` are the tasks that have ended; `unfinished` are the items, by fan-out, that the current round runs again,
    or that are left for this and later rounds while others have ended.
    `repeated_rounds` are the rounds that repeat tasks which failed before their commands began.
    A retry has `finished` tasks once it `has_taken_over` them; `item_lists` are the items that the earlier run had.
    `parts_of_planning` counts the parts with items that needed no task and ended while a round was planned.
    `phase` is that of the last job. An `early_end` is that of the first phase that ended so.
    `cancel_request` is the ETag of the last request to cancel that was noted: it may be read again.
    """

    schema_version: Literal["1"] = "1"
    run_id: str
    manifest: ManifestBlob
    flow: ManifestBlob | None = None
    earlier: EarlierRun | None = None
    trigger: StartedBy | None = None
    dropped: datetime
    accepted: datetime
    default_pool: str | None = None
    default_staging: str | None = None
    submitted: datetime | None = None
    rejection: Rejection | None = None
    detected: datetime | None = None
    staging: str | None = None
    keep_jobs: bool = False
    has_parts: bool = False
    parts_of_planning: int = 0
    jobs: tuple[JobRecord, ...] = ()
    outside: ExternalData = ExternalData()
    warnings: tuple[RunProblem, ...] = ()
    finished: dict[str, TaskRecord] = Field(default_factory=dict)
    unfinished: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    repeated_rounds: tuple[int, ...] = ()
    has_taken_over: bool = False
    item_lists: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    phase: Phase = Phase.TASKS
    early_end: EarlyEnd | None = None
    cancel_request: str | None = None

    @property
    def seed(self) -> str:
        """What the values by chance of its expressions are made of; that of a retry is that of the first run."""
        return (self.earlier.seed or self.earlier.run_id) if self.earlier else self.run_id

    @property
    def was_dropped(self) -> bool:
        """Whether somebody dropped its manifest; a retry was, and has the trigger of the earlier run."""
        return self.trigger is None or self.earlier is not None

    @property
    def may_have_parts(self) -> bool:
        """Whether there may be parts to remove; a retry writes some before it says so."""
        return self.has_parts or self.earlier is not None

    @property
    def is_partly_unfinished(self) -> bool:
        """Whether items of a fan-out have to be run again, while its other items have ended."""
        return bool(self.unfinished.keys() - self.finished.keys())
