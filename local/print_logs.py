"""Prints what the tasks of a run print: from Batch while they run, from the results once the run is complete."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from local.runs.refs import RunRef
from local.runs.stack_runs import RunView, StackRuns, WatchedRun
from local.runs.tasks import STREAMS, TaskView
from local.show.log_lines import LogLines
from local.show.waiting import why_it_waits
from shared.documents.record import ITEMS_BLOB, Items, Logs, Record

POLL_SECONDS = 0.5


@dataclass
class _Read:
    """How far the streams of a task are printed; `attempt` tells one start of the task from the next."""

    attempt: tuple[str, int]
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    is_over: bool = False


def print_logs(settings: Mapping[str, str], text: str, *, follow: bool) -> None:
    """Print the logs of the run that `text` names; with `follow` until it is complete.

    What the run itself has to say (its state, why it waits, what is wrong with it) goes to stderr. Raises LocalError if
    there is no such run, or the stack does not answer.
    """
    with StackRuns.of(settings) as runs:
        PrintedLogs(runs, runs.find(text), LogLines()).print(follow=follow)


class PrintedLogs:
    """The logs of one run, as far as they are printed already."""

    def __init__(self, runs: StackRuns, run: RunRef, lines: LogLines) -> None:
        self._runs = runs
        self._run = run
        self._lines = lines
        self._read: dict[str, _Read] = {}
        self._told = ""

    def print(self, *, follow: bool) -> None:
        """Print what there is; with `follow`, go on until the run is complete."""
        watched = WatchedRun(self._runs, self._run)
        while True:
            record = self._runs.results.record(self._run)
            if record:
                self._print_results(record)
                return
            view = watched.look()
            self._tell(view)
            for task in view.tasks:
                self._print_task(task)
            if not follow:
                self._lines.finish()
                return
            time.sleep(POLL_SECONDS)

    def _tell(self, view: RunView) -> None:
        """Say once that nothing can be expected yet, and why."""
        if any(task.started for task in view.tasks):
            return
        state = view.state or "not taken from the inbox yet"
        told = f"{self._run.id} is {state}" + "".join(f"; it {why}" for why in [why_it_waits(view.status)] if why)
        if told != self._told:
            self._told = told
            print(f"{told}. Nothing is printed yet.", file=sys.stderr, flush=True)

    def _print_task(self, task: TaskView) -> None:
        if task.started is None:
            return
        attempt = (task.job_id, task.retries)
        read = self._read.get(task.name)
        if read is None or read.attempt != attempt:
            read = self._read[task.name] = _Read(attempt)
        if read.is_over:
            return
        for stream, size in sorted(self._runs.tasks.stream_sizes(task).items(), reverse=True):  # stdout first
            if size <= read.offsets[stream]:
                continue
            new = self._runs.tasks.printed(task, stream, read.offsets[stream], size)
            read.offsets[stream] += len(new)
            self._lines.add(task.name, stream, new)
        read.is_over = task.has_ended

    def _print_results(self, record: Record) -> None:
        """What is not printed yet: all of it, or what came since Batch was asked last."""
        for name, logs in _logs(self._runs, self._run, record):
            read = self._read.get(name)
            for stream, blob in zip(STREAMS, (logs.stdout, logs.stderr), strict=True):
                if blob:
                    for chunk in self._runs.results.bytes_from(self._run, blob, read.offsets[stream] if read else 0):
                        self._lines.add(name, stream, chunk)
        self._lines.finish()
        problems = [problem.message for problem in record.errors]
        print("; ".join([f"{self._run.id} has ended: {record.state}", *problems]), file=sys.stderr, flush=True)


def _logs(runs: StackRuns, run: RunRef, record: Record) -> Iterator[tuple[str, Logs]]:
    """The logs of all tasks and items, in the order of the manifest."""
    text = runs.results.text(run, ITEMS_BLOB) if any(task.items and task.items.blob for task in record.tasks) else None
    apart = {fan_out.id: fan_out.items for fan_out in Items.model_validate_json(text).tasks} if text else {}
    for task in record.tasks:
        if task.items is None:
            yield task.id, task.logs
        else:
            for item in task.items.records or apart.get(task.id, ()):
                yield f"{task.id}[{item.index}]", item.logs
