"""`cancel`: cancels runs, as a blob `<run id>.cancel` in the inbox does, and waits for the result."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from azure.core.exceptions import AzureError

from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from shared.documents.states import State

CANCEL_SECONDS = 30
"""An invocation of poll_runs takes ten seconds at most, and a stack that is up starts one every second."""
CANCEL_SECONDS_IN_AZURE = 60
"""There poll_runs is started every 15 seconds."""
POLL_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cancel`."""
    parser.epilog = "Exit code: 0 if all runs are cancelled, 1 if one had ended before or could not be cancelled."
    add_run(parser, nargs="+")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Cancel runs, and wait until that is recorded. What cannot be cancelled is told on stderr."""
    with opening as app, Runs.of(app) as runs:
        asked: dict[str, RunRef | str | None] = {}
        ended: dict[RunRef, RunRef | str | None] = {}
        texts = list(dict.fromkeys(arguments.runs))
        try:
            for text in texts:
                asked[text] = _reported(partial(_ask, runs, text))
            for run in [each for each in asked.values() if isinstance(each, RunRef)]:
                ended[run] = _reported(partial(_wait, runs, app, run))
        except (KeyboardInterrupt, AzureError):
            waited_for = [each for each in asked.values() if isinstance(each, RunRef) and each not in ended]
            for each in waited_for:
                print(f"{each.id} will be cancelled all the same.", file=sys.stderr)
            rest = [*(each.id for each in waited_for), *(text for text in texts if text not in asked)]
            print(f"To go on: {app.command('cancel', *rest)}", file=sys.stderr, flush=True)
            raise
    return 0 if None not in (*asked.values(), *ended.values()) else 1


def _reported(step: Callable[[], RunRef | str]) -> RunRef | str | None:
    """Do a step and print what has happened, if it returns that; None if it failed, which is told on stderr."""
    try:
        result = step()
    except ClientError as error:
        print(error, file=sys.stderr, flush=True)
        return None
    if isinstance(result, str):
        print(result, flush=True)
    return result


def _ask(runs: Runs, text: str) -> RunRef | str:
    """Ask for the end of the run that `text` names, which has to be waited for; or what has happened at once."""
    run = runs.find_open(text)
    if any(waiting.ref == run and runs.withdraw(waiting) for waiting in runs.inbox.waiting()):
        return f"{run.id} had not started: its manifest was removed from the inbox."
    if record := runs.results.record(run):
        raise ClientError(f"{run.id} has ended already: {record.state}.")
    runs.inbox.cancel(run)
    return run


def _wait(runs: Runs, app: App, run: RunRef) -> str:
    seconds = CANCEL_SECONDS if app.knows_all else CANCEL_SECONDS_IN_AZURE
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        record = runs.results.record(run)
        if record and record.state is State.KILLED:
            return f"{run.id} is cancelled: KILLED."
        if record:
            raise ClientError(f"{run.id} ended before it could be cancelled: {record.state}.")
        time.sleep(POLL_SECONDS)
    if runs.inbox.holds_cancel(run):
        raise ClientError(
            f"The app has not acted on the request to cancel {run.id} within {seconds} s. The request,"
            f" {run.cancel_blob}, stays in the inbox. To find out why: {app.command('doctor')}"
        )
    return f"{run.id} is cancelled; its tasks are still being stopped."
