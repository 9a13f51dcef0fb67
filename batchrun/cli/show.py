"""`show`: everything about one run: its state, its tasks of all rounds, why it waits, and what failed first."""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from rich.console import Console
from rich.text import Text

from batchrun.cli._summary import TAIL_LINES, FailedLog, failed_results, summary_lines
from batchrun.cli._task_rows import TaskRow, task_counts, task_rows
from batchrun.cli._text import STYLES, aligned, cannot_be_shown, tell_damaged, what_it_waits_for
from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs, RunView, WatchedRun
from batchrun.errors import ClientError, printable
from shared.documents.record import JobRecord, Record, RetryRef
from shared.documents.states import State
from shared.report.text import day_and_time, duration

_MOST_OF_A_LOG = 64 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="as a JSON object, for programs")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Show a run. Raises ClientError if there is no such run, or the app does not answer."""
    with opening as app, Runs.of(app) as runs:
        ref = runs.find(arguments.run)
        tell_damaged(runs.ledger.damaged)
        shown = _Shown(runs, ref)
        if arguments.json:
            print(json.dumps(shown.as_json(), ensure_ascii=False, indent=2))
        else:
            state, *lines = shown.lines()
            console = Console(highlight=False)
            console.print(Text(state, STYLES.get(State(state.split()[0]), "") if shown.state else ""), soft_wrap=True)
            print(*lines, "", *_what_next(app, ref, is_open=shown.record is None), sep="\n")
    return 0


def _what_next(app: App, ref: RunRef, *, is_open: bool) -> list[str]:
    verbs = ("logs", "cancel") if is_open else ("logs", "get", "open")
    return [f"  {app.command(verb, ref.id)}" for verb in verbs]


class _Shown:
    """A run as it is now: `record` if it is complete, otherwise a `view` of it."""

    def __init__(self, runs: Runs, ref: RunRef) -> None:
        self._runs = runs
        self._ref = ref
        self.record = runs.results.record(ref)
        self._view = RunView(None) if self.record else WatchedRun(runs, ref).look()
        if self.record is None and self._view.state is None:
            self.record = runs.results.record(ref)  # it has been closed meanwhile
        self._status = None if self.record else runs.results.status(ref)
        if self.record is None and self._view.state is None and not self._is_in_inbox():
            raise ClientError(f"There is nothing left of {ref.id}: neither a record nor a document of an open run.")

    @property
    def state(self) -> State | None:
        """Its state; None while its manifest is in the inbox."""
        return self.record.state if self.record else self._view.state

    @property
    def retry_of(self) -> RetryRef | None:
        """The earlier run that it retries."""
        return self.record.retry_of if self.record else self._view.retry_of

    def _is_in_inbox(self) -> bool:
        return any(waiting.ref == self._ref for waiting in self._runs.inbox.waiting())

    def as_json(self) -> dict[str, object]:
        """The documents of the run, and its tasks as Batch reports them while it is open."""
        return {
            "runId": self._ref.id,
            "state": self.state or "DROPPED",
            "results": self._ref.folder,
            "retryOf": self.retry_of and self.retry_of.model_dump(by_alias=True),
            "record": self.record and json.loads(self.record.to_json()),
            "status": self._status and json.loads(self._status.to_json()),
            "tasks": None if self.record else [_task(row) for row in task_rows(self._view)],
        }

    def lines(self) -> list[str]:
        """The run for a person."""
        return self._of_record(self.record) if self.record else self._of_view()

    def _of_record(self, record: Record) -> list[str]:
        lines = summary_lines(record, record.manifest.name, self._ref.folder, self._first_failure(record))
        state, *rest = lines
        return [state, *map(printable, _facts(record)), *_rounds(record.jobs), *rest]

    def _first_failure(self, record: Record) -> FailedLog | None:
        """The end of the log of what failed first, masked; only the last of it is read."""
        for name, result in failed_results(record, self._runs.results.items_apart(self._ref, record)):
            for log in (result.logs.stderr, result.logs.stdout):
                if log and (lines := self._last_lines(log)):
                    return FailedLog(name, log, lines)
        return None

    def _last_lines(self, log: str) -> tuple[str, ...]:
        text = self._runs.results.end_of(self._ref, log, _MOST_OF_A_LOG).decode(errors="replace")
        return tuple(self._runs.masker.mask(line) for line in deque(text.splitlines(), TAIL_LINES))

    def _of_view(self) -> list[str]:
        view, counts = self._view, task_counts(self._view)
        head = f"{view.state or 'dropped'}  {self._ref.id}"
        if view.state is None:
            return [head, "", "  Its manifest is in the inbox and not accepted yet."]
        waits = what_it_waits_for(view)
        rows = task_rows(view)
        ended = f"{counts.ended} of {counts.total} tasks have ended" + (
            f", {counts.failed} failed" if counts.failed else ""
        )
        return [
            head,
            f"  dropped {day_and_time(self._ref.dropped)} UTC, round {view.round}",
            *([f"  retry of {printable(view.retry_of.results)}"] if view.retry_of else []),
            *([f"  it {printable(waits)}" if waits.startswith("waits") else f"  {printable(waits)}"] if waits else []),
            "",
            f"  {printable(cannot_be_shown(view)) or ended}",
            *(f"  {row}" for row in (aligned([_cells(row) for row in rows]) if rows else ())),
        ]


def _facts(record: Record) -> Iterator[str]:
    timings = record.timings
    flow = ".".join(filter(None, (record.flow.namespace, record.flow.id)))
    yield "  " + ", ".join(filter(None, (f"flow {flow}" if flow else "", f"manifest {record.manifest.name}")))
    took = f", recorded {duration(timings.recorded - timings.dropped)} later" if timings.recorded else ""
    yield f"  dropped {day_and_time(timings.dropped)} UTC{took}"


def _rounds(jobs: Sequence[JobRecord]) -> list[str]:
    if len(jobs) <= 1:
        return []
    rows = [(job.id, f"pool {job.pool}", job.reason.value) for job in jobs]
    return ["", "  rounds", *(f"    {line}" for line in aligned(rows))]


def _cells(row: TaskRow) -> tuple[str, str, str, str]:
    took = duration(row.stopped - row.started) if row.started and row.stopped else ""
    restarts = f"begun anew {row.restarts} times" if row.restarts else ""
    return (row.name, row.words, took, restarts)


def _task(row: TaskRow) -> dict[str, object]:
    return {
        "id": row.name,
        "isFanOut": row.is_fan_out,
        "total": row.total,
        "ended": row.ended,
        "failed": row.failed,
        "words": row.words,
        "started": row.started.isoformat() if row.started else None,
        "stopped": row.stopped.isoformat() if row.stopped else None,
        "restarts": row.restarts,
        "isTakenOver": row.is_taken_over,
        "takenOverItems": row.taken_over_items,
    }
