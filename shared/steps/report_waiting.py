"""Tells people why a run waits, in its `status.json`: its place in the queue for the quota, or what its pool lacks.

It costs one listing of nodes a tick, and only if a running run has waited for long; at most twenty statuses a tick are
written anew. What a run waits for is kept in its metadata, so that a status is not written again without need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.app import App, isolate_failures
from shared.batch.pools import why_tasks_wait
from shared.documents.progress import ListedRun
from shared.documents.states import State, WaitReason
from shared.log import Stage
from shared.outputs.record_tasks import status_of

PLACE_TOLD_AGAIN_AFTER = timedelta(minutes=1)
LONG = timedelta(minutes=2)
POOL_TOLD_AGAIN_AFTER = timedelta(minutes=10)
MAX_TOLD = 20


@dataclass(frozen=True)
class Told:
    """What a run's status is to say; `why` is None where it does not wait any more."""

    run: ListedRun
    why: WaitReason | None
    message: str | None = None
    position: int | None = None


def report_waiting(app: App, runs: Sequence[ListedRun], now: datetime, deadline: datetime) -> None:
    """Write the statuses that say something else now; those that were written longest ago come first."""
    told = [*queue_places(runs, now), *_pools(app, runs, now)]
    for each in sorted(told, key=lambda each: each.run.last_write)[:MAX_TOLD]:
        if app.now() >= deadline:
            return
        with isolate_failures(Stage.POLL, run=each.run.id):
            _tell(app, each)


def queue_places(runs: Sequence[ListedRun], now: datetime) -> list[Told]:
    """The places of the runs that wait behind one that waits for the quota, where it is time to tell them."""
    queue = [run for run in runs if run.progress.state is State.QUEUED and run.progress.is_readable]
    if not any(run.progress.waiting is WaitReason.QUOTA for run in queue):
        return []
    return [
        Told(run, WaitReason.QUOTA, position=place)
        for place, run in enumerate(queue, start=1)
        if now - run.last_write >= PLACE_TOLD_AGAIN_AFTER
    ]


def _pools(app: App, runs: Sequence[ListedRun], now: datetime) -> list[Told]:
    running = [run for run in runs if run.progress.state is State.RUNNING and run.progress.pool]
    waiting_long = [run for run in running if now - run.last_write >= LONG and not run.progress.announced]
    if not waiting_long:
        return []
    nodes = app.batch.nodes()
    messages = {
        pool: why_tasks_wait(app.batch.pools(at_least=pool).get(pool), pool, nodes.get(pool, {}), now)
        for pool in {run.progress.pool for run in waiting_long}
    }
    told = []
    for run in waiting_long:
        message = messages[run.progress.pool]
        was_told = run.progress.waiting is WaitReason.POOL
        if (message is not None) != was_told or (message and now - run.last_write >= POOL_TOLD_AGAIN_AFTER):
            told.append(Told(run, WaitReason.POOL if message else None, message))
    return told


def _tell(app: App, told: Told) -> None:
    """Write the status, unless the run has moved on since it was listed."""
    run = app.runs.load(told.run.id)
    if run is None or not run.is_version(told.run.etag):
        return
    progress = replace(run.progress, waiting=told.why)
    status = status_of(replace(run, progress=progress), now=app.now(), position=told.position, message=told.message)
    app.results.write_status(run, status)
    if app.runs.set_progress(told.run, progress) is None and app.runs.load(run.id) is None:
        app.results.remove_status(run)
