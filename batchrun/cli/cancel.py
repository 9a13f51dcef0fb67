"""`cancel`: cancels a run, as a blob `<run id>.cancel` in the inbox does, and waits for the result."""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager

from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from shared.documents.states import State

CANCEL_SECONDS = 30
"""An invocation of poll_runs takes ten seconds at most, and a stack that is up starts one every second."""
POLL_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cancel`."""
    parser.epilog = "Exit code: 0 if the run is cancelled, 1 if it had ended before or could not be cancelled."
    add_run(parser)


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Cancel a run, and wait until that is recorded. Raises ClientError if it cannot be cancelled."""
    with opening as app, Runs.of(app) as runs:
        print(_cancel(runs, arguments.run))
    return 0


def _cancel(runs: Runs, text: str) -> str:
    """Cancel the run that `text` names; returns what has happened."""
    run = runs.find_open(text)
    if any(waiting.ref == run and runs.withdraw(waiting) for waiting in runs.inbox.waiting()):
        return f"{run.id} had not started: its manifest was removed from the inbox."
    if record := runs.results.record(run):
        raise ClientError(f"{run.id} has ended already: {record.state}.")
    runs.inbox.cancel(run)
    return _outcome(runs, run)


def _outcome(runs: Runs, run: RunRef) -> str:
    deadline = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < deadline:
        record = runs.results.record(run)
        if record and record.state is State.KILLED:
            return f"{run.id} is cancelled: KILLED."
        if record:
            raise ClientError(f"{run.id} ended before it could be cancelled: {record.state}.")
        time.sleep(POLL_SECONDS)
    if runs.inbox.holds_cancel(run):
        raise ClientError(
            f"The app has not acted on the request to cancel {run.id} within {CANCEL_SECONDS} s. Is the Functions host"
            f" running? The request, {run.cancel_blob}, stays in the inbox."
        )
    return f"{run.id} is cancelled; its tasks are still being stopped."
