"""The runs of a stack as a list: what is open, and the latest of what is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from local.runs.refs import RunRef, newest_first
from local.runs.stack_runs import StackRuns
from local.show.waiting import why_it_waits
from shared.documents.progress import ListedRun
from shared.documents.record import Record
from shared.documents.states import State

MOST_OPEN = 50
MOST_COMPLETE = 10


@dataclass(frozen=True)
class RunRow:
    """A run in the list: `state` is None while its manifest lies in the inbox."""

    id: str
    state: State | None
    dropped: datetime
    tasks: str = ""
    note: str = ""


@dataclass(frozen=True)
class RunList:
    """The rows, open runs first, and how many runs more there are of both kinds."""

    rows: tuple[RunRow, ...]
    more_open: int
    more_complete: int


def list_runs(settings: Mapping[str, str]) -> RunList:
    """Read it. Raises LocalError if the stack does not answer."""
    with StackRuns.of(settings) as runs:
        open_runs = runs.open()
        waiting = [run.ref for run in runs.inbox.waiting()]
        open_ids = {run.id for run in open_runs} | {run.id for run in waiting}
        complete = sorted((run for run in runs.results.runs() if run.id not in open_ids), key=newest_first)
        rows = [
            *(RunRow(run.id, None, run.dropped, note="in the inbox, not taken yet") for run in waiting),
            *_open(runs, open_runs[:MOST_OPEN]),
            *_complete(runs, complete[:MOST_COMPLETE]),
        ]
    return RunList(tuple(rows), max(0, len(open_runs) - MOST_OPEN), max(0, len(complete) - MOST_COMPLETE))


def _open(runs: StackRuns, listed: list[ListedRun]) -> Iterator[RunRow]:
    for each in listed:
        state = each.progress.state
        run = runs.open_run(each.id) if each.progress.waiting else None
        status = runs.results.status(RunRef(run.id, run.results)) if run else None
        counts = runs.tasks.counts(each.job_id) if state is State.RUNNING else None
        tasks = f"{counts.ended}/{counts.total}" if counts else ""
        failed = f"{counts.failed} failed" if counts and counts.failed else ""
        cancelled = "is being cancelled" if each.progress.cancelled else ""
        yield RunRow(each.id, state, each.dropped, tasks, cancelled or why_it_waits(status) or failed)


def _complete(runs: StackRuns, refs: list[RunRef]) -> Iterator[RunRow]:
    for ref in refs:
        if record := runs.results.record(ref):  # one that is just being accepted has none yet
            yield RunRow(ref.id, record.state, ref.dropped, _tasks(record), _note(record))


def _tasks(record: Record) -> str:
    all_tasks = [
        state for task in record.tasks for state in _states(task.items.states if task.items else {task.state: 1})
    ]
    ended = sum(state is not State.SKIPPED for state in all_tasks)
    return f"{ended}/{len(all_tasks)}" if all_tasks else ""


def _states(counts: Mapping[State, int]) -> list[State]:
    return [state for state, count in counts.items() for _ in range(count)]


def _note(record: Record) -> str:
    """What went wrong, in a few words: what failed first, then what was allowed to fail, then the warnings of tasks.

    A note about the manifest comes last: it never hides something that happened.
    """
    failed = [task for task in record.tasks if task.failure and task.state is State.FAILED]
    allowed = [task for task in record.tasks if task.is_allowed_failure]
    if failed:
        return f"{failed[0].id}: {failed[0].failed_how}"
    if record.failure:
        return record.failure.message
    if record.errors:
        return record.errors[0].message
    if allowed:
        return f"{allowed[0].id}: {allowed[0].failed_how}"
    warnings = [f"{task.id}: {text}" for task in record.tasks for text in task.warnings]
    notes = [problem.message for problem in record.warnings]
    return next(iter([*warnings, *notes]), "") if record.state is State.WARNING else ""
