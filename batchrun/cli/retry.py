"""`retry`: runs again what did not end well in an earlier run, and takes over the rest with its files and values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from batchrun.cli._watching import NewRuns, exit_code_of
from batchrun.cli.options import add_run, add_waiting
from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.requests import Drop, of_retry
from batchrun.client.result_folders import ResultFolders
from batchrun.client.runs import Runs
from batchrun.errors import ClientError, UsageError, printable
from shared.documents.record import Record
from shared.errors import did_you_mean


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `retry`."""
    parser.epilog = (
        "The new run has the flow and the inputs of the earlier one. Exit code: 0 if it ended in SUCCESS or WARNING, 1"
        " if it did not, or the earlier run is still open."
    )
    add_run(parser)
    parser.add_argument(
        "--task",
        action="append",
        default=[],
        dest="tasks",
        metavar="TASK",
        help="a task that runs again whatever became of it, with all that depends on it",
    )
    add_waiting(parser, "an empty or new folder for the results (default: results/NAME/RUN, of a stack in its data"
                " directory)")  # fmt: skip


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Retry a run. Raises UsageError, or ClientError if there is no such run or it is still open."""
    folders = ResultFolders(arguments.out, is_only_one=True)
    folders.check(["retry"])
    with opening as app:
        drop = _request(app, arguments.run, arguments.tasks)
        states = NewRuns([drop], app, folders, waits=not arguments.no_wait).until_complete()
    return exit_code_of(states, is_strict=arguments.strict)


def _request(app: App, text: str, tasks: Sequence[str]) -> Drop:
    """What is dropped, as far as it can be seen that it is accepted."""
    with Runs.of(app) as runs:
        ref = runs.find(text)
        record = runs.results.record(ref)
        if record is None and (runs.open_run(ref.id) or any(each.ref == ref for each in runs.inbox.waiting())):
            raise ClientError(
                f"{ref.id} is still open: wait until it has ended. What it does: {app.command('show', ref.id)}"
            )
        if record is None:
            raise ClientError(f"{ref.id} has no record: it cannot be run again.")
    _check(tasks, record, ref)
    return of_retry(ref, list(dict.fromkeys(tasks)), datetime.now(UTC).replace(microsecond=0))


def _check(tasks: Sequence[str], record: Record, ref: RunRef) -> None:
    """Raise UsageError for names that are not of tasks of the run. One that was rejected has none."""
    known = [task.id for task in record.tasks]
    wrong = [
        f"--task {printable(each)}: {ref.id} has no such task{did_you_mean(each, known) or f'; it has: {_some(known)}'}"
        for each in dict.fromkeys(tasks)
        if known and each not in known
    ]
    if wrong:
        raise UsageError("\n".join(wrong))


def _some(names: Sequence[str]) -> str:
    most = 10
    return ", ".join(names[:most]) + (f", … ({len(names)})" if len(names) > most else "")
