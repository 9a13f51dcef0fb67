"""A process that records a run as the app's worker does; prints the MB that it took at most, and at its beginning."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from shared import poll_runs, record_run, submit_run
from shared.app import App, collect_garbage_less_often
from shared.events import JobEnded
from shared.settings import Settings
from tests.benchmarks.target import Memory
from tests.integration.conftest import Outbox

STORIES = (submit_run, poll_runs, record_run)
"""A worker has imported all of them."""


def main(run: str) -> None:
    """Deliver the end of a run until it is recorded."""
    collect_garbage_less_often()
    outbox = Outbox()
    app = replace(App.of(Settings.from_environ(os.environ)), events=outbox)
    begin = Memory.now()
    while app.runs.load(run) is not None:
        for event in outbox.take() or [JobEnded(run, 1)]:
            record_run.record(app, event)
    print(f"{Memory.most():.0f} {begin:.0f}")


if __name__ == "__main__":
    main(sys.argv[1])
