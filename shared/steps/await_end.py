"""A task has left its marker → the run whose job has ended, to be recorded by this invocation.

Several tasks may end a round, each with an event of its own. Only one of them goes on: the one whose marker is the
newest once all markers are there. Batch reports the end of a task shortly after its uploads, which is waited for. What
is not seen to end here, for whatever reason, a tick announces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.app import App
from shared.documents.end_markers import EndMarker
from shared.documents.ended_task import EndedTask, TaskState
from shared.documents.run import Run
from shared.documents.states import State

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class EndedJob:
    """A run whose job has ended, and the job's tasks by their id in Batch."""

    run: Run
    tasks: Mapping[str, EndedTask]


def await_end(app: App, marker: EndMarker) -> EndedJob | None:
    """The run whose job has ended, announced by this invocation; None if it is left to another one, or to a tick."""
    pauses = iter(PAUSES_SECONDS)
    run = _running(app, marker, pauses)
    if run is None or run.body.staging != marker.container or run.progress.announced:
        return None
    if not _is_last(app.staging.end_markers(marker.container, run), marker, run.progress.markers):
        return None
    tasks = _ended_tasks(app, run, pauses, is_of_job=marker.is_of_job)
    if tasks is None:
        return None
    announced = app.runs.set_progress(run, replace(run.progress, announced=1))
    return EndedJob(announced, tasks) if announced else None


def _running(app: App, marker: EndMarker, pauses: Iterator[float]) -> Run | None:
    """The run, once all tasks of the marker's round are in Batch: the first may end before the last is noted."""
    while run := app.runs.load(marker.run_id):
        if run.is_running(marker.round):
            return run
        is_submitted_now = run.progress.state is State.QUEUED and run.progress.round == marker.round
        if not is_submitted_now or not _paused(pauses):
            return None
    return None


def _is_last(found: Mapping[str, datetime], marker: EndMarker, expected: int) -> bool:
    """Whether nothing is left to wait for, and this marker is the newest (storage counts seconds, so one of them)."""
    of_job = [name for name in found if replace(marker, blob=name).is_of_job]
    is_complete = bool(of_job) or len(found) >= expected
    return is_complete and marker.blob in found and found[marker.blob] == max(found.values())


def _ended_tasks(app: App, run: Run, pauses: Iterator[float], *, is_of_job: bool) -> Mapping[str, EndedTask] | None:
    """The tasks, once Batch says that they have ended; or, after a failure that ends it, once the job has."""
    while True:
        if not is_of_job or app.batch.has_ended(run.job_id):
            tasks = app.batch.tasks(run.job_id)
            if is_of_job or all(task.state is TaskState.COMPLETED for task in tasks.values()):
                return tasks
        if not _paused(pauses):
            return None


def _paused(pauses: Iterator[float]) -> bool:
    """Make the next pause; False if there is none left."""
    pause = next(pauses, None)
    if pause is not None:
        time.sleep(pause)
    return pause is not None
