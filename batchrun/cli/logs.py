"""`logs`: what the tasks of a run print: read from Batch while they run, from the results once the run is complete."""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from azure.core.exceptions import AzureError
from rich.console import Console
from rich.text import Text

from batchrun.cli._text import why_it_waits
from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.refs import MOST_NAMED, RunRef
from batchrun.client.runs import Runs, RunView, WatchedRun
from batchrun.client.tasks import STREAMS, BatchHidden, TaskView
from batchrun.errors import ClientError, Unreachable, printable
from shared.documents.record import Record
from shared.documents.task_result import Logs
from shared.errors import did_you_mean

POLL_SECONDS = 0.5
MARKS = {"stdout.txt": "out", "stderr.txt": "err"}
STYLES = {"stdout.txt": "dim", "stderr.txt": "red"}
SPACES_PER_TAB = 8
_UNSEEN = Unreachable.exit_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `logs`."""
    parser.epilog = "Each line begins with the task that printed it, and with `out` for stdout or `err` for stderr."
    add_run(parser)
    parser.add_argument(
        "task", nargs="?", metavar="TASK[ITEM]", help="only this task, or this item of a fan-out, such as 'each[3]'"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="continue until the run is complete")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Print the logs of a run; with `--follow` until it is complete.

    Messages about the run itself (its state, why it waits, its errors) go to stderr. Raises ClientError if there is no
    such run, or the app does not answer.
    """
    with opening as app, Runs.of(app) as runs:
        ref = runs.find(arguments.run)
        printed = _PrintedLogs(runs, ref, _Lines(runs.masker.mask), arguments.task)
        try:
            return printed.print(follow=arguments.follow)
        except (KeyboardInterrupt, AzureError):
            if arguments.follow:
                task = [arguments.task] if arguments.task else []
                print(f"To go on: {app.command('logs', ref.id, *task, '-f')}", file=sys.stderr, flush=True)
            raise


@dataclass
class _Read:
    """How far the streams of a task are printed; `start` tells one start of the task from the next."""

    start: tuple[str, datetime]
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    is_over: bool = False


class _Lines:
    """Joins chunks of streams to lines; a line is masked and printed once all of it is there."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._console = Console(highlight=False)
        self._decoders: dict[tuple[str, str], codecs.IncrementalDecoder] = {}
        self._rests: dict[tuple[str, str], str] = {}

    def add(self, task: str, stream: str, chunk: bytes) -> None:
        """The next chunk of a stream of a task; bytes that are not UTF-8 are replaced."""
        key = (task, stream)
        decoder = self._decoders.setdefault(key, codecs.getincrementaldecoder("utf-8")(errors="replace"))
        *lines, rest = (self._rests.get(key, "") + decoder.decode(chunk)).split("\n")
        for line in lines:
            self._print(task, stream, line)
        self._rests[key] = rest

    def finish(self) -> None:
        """Print the last lines of streams that do not end with a line break."""
        for (task, stream), rest in self._rests.items():
            if rest:
                self._print(task, stream, rest)
        self._rests.clear()

    def _print(self, task: str, stream: str, line: str) -> None:
        mark = (f"{task} {MARKS[stream]} | ", STYLES[stream])
        text = printable(self._mask(line.rstrip("\r")).expandtabs(SPACES_PER_TAB))
        self._console.print(Text.assemble(mark, text), soft_wrap=True)


class _PrintedLogs:
    """The logs of one run, or of a task or an item of it; and how much of them is printed already."""

    def __init__(self, runs: Runs, run: RunRef, lines: _Lines, only: str | None = None) -> None:
        self._runs = runs
        self._run = run
        self._lines = lines
        self._only = only
        self._read: dict[str, _Read] = {}
        self._said = ""

    def print(self, *, follow: bool) -> int:
        """Print what there is; with `follow`, continue until the run is complete. Returns the exit code."""
        watched = WatchedRun(self._runs, self._run)
        while True:
            record = self._runs.results.record(self._run)
            if record:
                self._print_results(record)
                return 0
            view = watched.look()
            if view.names:
                self._check_task([*view.names, *(task.name for task in view.tasks)])
            tasks = [task for task in view.tasks if self._is_wanted(task.name)]
            try:
                for task in tasks:
                    self._print_task(task)
            except BatchHidden as reason:
                view, tasks = replace(view, hidden=str(reason)), []
            self._say_why_empty(view, tasks)
            if not follow or not self._runs.tasks.is_there:
                self._lines.finish()
                return _UNSEEN if view.hidden and self._runs.tasks.is_there else 0
            time.sleep(POLL_SECONDS)

    def _is_wanted(self, name: str) -> bool:
        """Whether a task or an item is to be printed."""
        return self._only is None or self._only in (name, name.partition("[")[0])

    def _check_task(self, names: Sequence[str]) -> None:
        """Raise ClientError if the run has no such task. An item may be one of a later round."""
        if self._only and self._only not in names and self._only.partition("[")[0] not in names:
            tasks = list(dict.fromkeys(name.partition("[")[0] for name in names))
            more = " …" if len(tasks) > MOST_NAMED else ""
            its = f" Its tasks are: {', '.join(tasks[:MOST_NAMED])}{more}." if tasks else ""
            hint = did_you_mean(self._only, names) or "."
            raise ClientError(f"{self._run.id} has no task {printable(self._only)!r}{hint}{its}")

    def _say_why_empty(self, view: RunView, tasks: Sequence[TaskView]) -> None:
        """Say why there is no output yet, once for each reason."""
        if any(task.started for task in tasks):
            return
        state = view.state or "not accepted from the inbox yet"
        why = why_it_waits(view.status)
        said = f"{self._run.id} is {state}" + (f"; it {why}" if why else "")
        if said != self._said:
            self._said = said
            print(f"{said}. {view.hidden or 'There is no output yet.'}", file=sys.stderr, flush=True)

    def _print_task(self, task: TaskView) -> None:
        if task.started is None:
            return
        start = (task.job_id, task.started)
        read = self._read.get(task.name)
        if read is None or read.start != start:
            read = self._read[task.name] = _Read(start)
        if read.is_over:
            return
        for stream, size in sorted(self._runs.tasks.stream_sizes(task).items(), reverse=True):  # stdout first
            if size <= read.offsets[stream]:
                continue
            new = self._runs.tasks.printed(task, stream, read.offsets[stream], size)
            read.offsets[stream] += len(new)
            self._lines.add(task.name, stream, new)
        read.is_over = task.has_ended

    def _check_recorded(self, names: Sequence[str]) -> None:
        """Raise ClientError if the complete run has no such task or item."""
        self._check_task(names)
        if self._only and self._only not in names:
            raise ClientError(f"{self._run.id} has no item {printable(self._only)!r}.")

    def _print_results(self, record: Record) -> None:
        """Print the rest from the results: everything, or what was written since Batch was last asked."""
        found = list(_logs(self._runs, self._run, record))
        self._check_recorded([*(task.id for task in record.tasks), *(name for name, _ in found)])
        for name, logs in found:
            if not self._is_wanted(name):
                continue
            read = self._read.get(name)
            for stream, blob in zip(STREAMS, (logs.stdout, logs.stderr), strict=True):
                if blob:
                    for chunk in self._runs.results.bytes_from(self._run, blob, read.offsets[stream] if read else 0):
                        self._lines.add(name, stream, chunk)
        self._lines.finish()
        problems = [problem.message for problem in record.errors]
        print("; ".join([f"{self._run.id} has ended: {record.state}", *problems]), file=sys.stderr, flush=True)


def _logs(runs: Runs, run: RunRef, record: Record) -> Iterator[tuple[str, Logs]]:
    """The logs of all tasks and items, in the order of the manifest."""
    apart = {fan_out.id: fan_out.items for fan_out in runs.results.items_apart(run, record)}
    for task in record.tasks:
        if task.items is None:
            yield task.id, task.logs
        else:
            for item in task.items.records or apart.get(task.id, ()):
                yield f"{task.id}[{item.index}]", item.logs
