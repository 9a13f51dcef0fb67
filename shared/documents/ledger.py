"""The ledger: two lines for each run, from which runs are listed without opening their folders.

Lines may be doubled and come in any order; a line of the kind `recorded` is final, whatever follows it. The state of an
open run is read from its `status.json`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from shared.documents.document import Document
from shared.documents.record import FlowRef, Record
from shared.documents.run import Run
from shared.documents.run_ended import EndedTimes, ended_times, first_failure
from shared.documents.states import State
from shared.documents.usage import Amount

FOLDER = "_runs"
MAX_WORDS = 300  # characters: a line is for a list


class LineKind(StrEnum):
    """What a line says of a run."""

    ACCEPTED = "accepted"
    RECORDED = "recorded"


class TaskCounts(Document):
    """How many tasks a run has, of which each item of a fan-out is one; and how many of them have ended.

    What a condition leaves out does not count.
    """

    ended: int
    total: int


class LedgerLine(Document):
    """A line of the ledger. `results` is the run's folder; `state` and `times` are null until the run is recorded."""

    schema_version: Literal["1"] = "1"
    kind: LineKind
    run_id: str
    manifest: str
    results: str
    flow: FlowRef = FlowRef()
    dropped: AwareDatetime
    state: State | None = None
    times: EndedTimes | None = None
    failure: str | None = None
    """The first failure, in words."""
    warning: str | None = None
    """Of a run without a failure, the first failure that was allowed, or the first warning, in words."""
    tasks: TaskCounts | None = None
    """Null until the run is recorded."""
    cost: Amount | None = None
    """What its tasks are estimated to have cost; null if that is not known."""


def accepted_line(run: Run) -> LedgerLine:
    """The line of a run that was accepted. Its flow is not known yet: the manifest may not be readable."""
    return LedgerLine(
        kind=LineKind.ACCEPTED,
        run_id=run.id,
        manifest=run.body.manifest.name,
        results=run.results,
        dropped=run.body.dropped,
    )


def recorded_line(record: Record, results: str) -> LedgerLine:
    """The line of a run that was recorded, whose results are in the folder `results`."""
    failure = first_failure(record)
    named = f"{failure.task}: {failure.message}" if failure and failure.task else failure and failure.message
    return LedgerLine(
        kind=LineKind.RECORDED,
        run_id=record.run_id,
        manifest=record.manifest.name,
        results=results,
        flow=record.flow.ref,
        dropped=record.timings.dropped,
        state=record.state,
        times=ended_times(record.timings),
        failure=named[:MAX_WORDS] if named else None,
        warning=(_first_warning(record) or "")[:MAX_WORDS] or None if record.state is State.WARNING else None,
        tasks=_counts(record),
        cost=record.cost.figure if record.cost else None,
    )


def _first_warning(record: Record) -> str | None:
    """What happened comes before what is said of the manifest: that never hides an event."""
    allowed = (f"{task.id}: {task.failed_how}" for task in record.tasks if task.is_allowed_failure)
    warnings = (f"{task.id}: {text}" for task in record.tasks for text in task.warnings)
    return next(itertools.chain(allowed, warnings, (problem.message for problem in record.warnings)), None)


def _counts(record: Record) -> TaskCounts:
    states: Counter[State] = Counter()
    for task in record.tasks:
        if not task.is_left_out:
            states.update(task.items.states if task.items else {task.state: 1})
    return TaskCounts(ended=states.total() - states[State.SKIPPED], total=states.total())


def ledger_blob(day: date, part: int) -> str:
    """The blob with the lines of the runs that were dropped on a day; there are more parts if the first is full."""
    ending = "" if part == 1 else f".{part}"
    return f"{FOLDER}/{day.isoformat()}{ending}.jsonl"
