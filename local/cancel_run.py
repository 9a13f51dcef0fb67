"""Cancels a run, as a blob in the inbox does, and says what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from local.errors import LocalError
from local.runs.refs import RunRef
from local.runs.stack_runs import StackRuns
from shared.documents.states import State

HONOURED_SECONDS = 30
"""A tick of the poller takes ten seconds at most, and a stack that is up makes one every second."""
POLL_SECONDS = 0.2


def cancel_run(settings: Mapping[str, str], text: str) -> str:
    """Cancel the run that `text` names; what to tell the person.

    Raises LocalError if there is no such run, if it has ended, or if nobody has honoured the request within 30 seconds.
    """
    with StackRuns.of(settings) as runs:
        run = runs.find_open(text)
        if any(waiting.ref == run and runs.withdraw(waiting) for waiting in runs.inbox.waiting()):
            return f"{run.id} had not begun: its manifest is taken out of the inbox."
        if record := runs.results.record(run):
            raise LocalError(f"{run.id} has ended already: {record.state}.")
        runs.inbox.cancel(run)
        return _outcome(runs, run)


def _outcome(runs: StackRuns, run: RunRef) -> str:
    deadline = time.monotonic() + HONOURED_SECONDS
    while time.monotonic() < deadline:
        record = runs.results.record(run)
        if record and record.state is State.KILLED:
            return f"{run.id} is cancelled: KILLED."
        if record:
            raise LocalError(f"{run.id} ended before it could be cancelled: {record.state}.")
        time.sleep(POLL_SECONDS)
    if runs.inbox.holds_cancel(run):
        raise LocalError(
            f"{run.id} is asked to end, but nobody has seen that within {HONOURED_SECONDS} s. Is the Functions host"
            f" running? The request, {run.cancel_blob} in the inbox, stays there."
        )
    return f"{run.id} is cancelled; its tasks are still being stopped."
