"""`ls`: the open runs, and the latest complete ones."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from batchrun.cli._text import STYLES, age, aligned, why_it_waits
from batchrun.client.apps import App
from batchrun.client.refs import RunRef, newest_first
from batchrun.client.runs import Runs
from batchrun.errors import printable
from shared.documents.progress import ListedRun
from shared.documents.record import Record
from shared.documents.states import State

MOST_OPEN = 50
MOST_COMPLETE = 10
HEAD = ("STATE", "RUN", "AGE", "TASKS", "NOTE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ls`."""
    parser.epilog = (
        "For each run: its state, its id, how long ago it was dropped, how many of its tasks have ended, and why it"
        " waits or what went wrong."
    )


def run(_arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """List the runs. Raises ClientError if the app does not answer."""
    with opening as app, Runs.of(app) as runs:
        found = _list(runs)
        if found.rows:
            _print(found, Console(highlight=False))
        else:
            print(f"Nothing has been run here yet. Run a manifest with: {app.command('run', 'MANIFEST')}")
    return 0


@dataclass(frozen=True)
class _Row:
    """A run in the list: `state` is None while its manifest is in the inbox."""

    id: str
    state: State | None
    dropped: datetime
    tasks: str = ""
    note: str = ""


@dataclass(frozen=True)
class _List:
    """The rows, open runs first, and how many more open and complete runs there are."""

    rows: tuple[_Row, ...]
    more_open: int
    more_complete: int


def _list(runs: Runs) -> _List:
    open_runs = runs.open()
    waiting = [run.ref for run in runs.inbox.waiting()]
    open_ids = {run.id for run in open_runs} | {run.id for run in waiting}
    complete = sorted((run for run in runs.results.runs() if run.id not in open_ids), key=newest_first)
    rows = [
        *(_Row(run.id, None, run.dropped, note="in the inbox, not accepted yet") for run in waiting),
        *_open(runs, open_runs[:MOST_OPEN]),
        *_complete(runs, complete[:MOST_COMPLETE]),
    ]
    return _List(tuple(rows), max(0, len(open_runs) - MOST_OPEN), max(0, len(complete) - MOST_COMPLETE))


def _open(runs: Runs, listed: list[ListedRun]) -> Iterator[_Row]:
    for each in listed:
        state = each.progress.state
        run = runs.open_run(each.id) if each.progress.waiting else None
        status = runs.results.status(RunRef(run.id, run.results)) if run else None
        counts = runs.tasks.counts(each.job_id) if state is State.RUNNING else None
        tasks = f"{counts.ended}/{counts.total}" if counts else ""
        failed = f"{counts.failed} failed" if counts and counts.failed else ""
        cancelled = "is being cancelled" if each.progress.cancelled else ""
        yield _Row(each.id, state, each.dropped, tasks, cancelled or why_it_waits(status) or failed)


def _complete(runs: Runs, refs: list[RunRef]) -> Iterator[_Row]:
    for ref in refs:
        if record := runs.results.record(ref):  # a run that is just being accepted has none yet
            yield _Row(ref.id, record.state, ref.dropped, _tasks(record), _note(record))


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


def _print(found: _List, console: Console) -> None:
    """Print the list; on a terminal that is too narrow each run has several lines, and nothing is cut off."""
    now = datetime.now(UTC)
    cells = [_cells(row, now) for row in found.rows]
    head, *lines = aligned([HEAD, *cells])
    if console.is_terminal and len(head) > console.width:
        lines = [_stacked(*row) for row in cells]
    else:
        console.print(Text(head, "dim"), soft_wrap=True)
    for row, line in zip(found.rows, lines, strict=True):
        text = Text(line)
        if row.state:
            text.stylize(STYLES[row.state], 0, len(row.state))
        console.print(text, soft_wrap=True)
    for count, kind in ((found.more_open, "open"), (found.more_complete, "complete")):
        if count:
            print(f"… and {count} more {kind}")


def _stacked(state: str, run: str, time: str, tasks: str, note: str) -> str:
    """A run as two lines, for narrow terminals."""
    more = ", ".join(filter(None, [f"{time} ago", f"{tasks} tasks" if tasks else "", printable(note)]))
    return f"{state}  {run}\n  {more}"


def _cells(row: _Row, now: datetime) -> tuple[str, ...]:
    return (row.state or "-", row.id, age(now - row.dropped), row.tasks, row.note)
