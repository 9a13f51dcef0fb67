"""Writes into `status.json` why a run waits: its place in a queue (of the quota, of its flow), or what its pool lacks.

It costs one listing of nodes a tick, and only if a running run has waited for long. A tick writes at most twenty
statuses. What a run waits for is kept in its metadata, so that a status is written only when it changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.app import App, isolate_failures
from shared.batch.pools import why_tasks_wait
from shared.documents.progress import ListedRun
from shared.documents.states import State, WaitReason
from shared.lifecycle import over_limit
from shared.log import Stage
from shared.outputs.record_tasks import status_of

PLACE_REPORTED_AGAIN_AFTER = timedelta(minutes=1)
LONG = timedelta(minutes=2)
POOL_REPORTED_AGAIN_AFTER = timedelta(minutes=10)
MAX_NOTICES = 20


@dataclass(frozen=True)
class WaitNotice:
    """What the status of a run must say; `reason` is None if the run no longer waits."""

    run: ListedRun
    reason: WaitReason | None
    message: str | None = None
    position: int | None = None


def report_waiting(app: App, runs: Sequence[ListedRun], now: datetime, deadline: datetime) -> None:
    """Write the statuses that have changed; those that were written longest ago come first."""
    notices = [*queue_places(runs, now), *flow_places(runs, now), *_pools(app, runs, now)]
    for notice in sorted(notices, key=lambda notice: notice.run.last_write)[:MAX_NOTICES]:
        if app.now() >= deadline:
            return
        with isolate_failures(Stage.POLL, run=notice.run.id):
            _write(app, notice)


def queue_places(runs: Sequence[ListedRun], now: datetime) -> list[WaitNotice]:
    """The places of the runs behind one that waits for the quota, if they have not been reported for a minute."""
    over = over_limit(runs)
    queue = [run for run in runs if run.progress.state is State.QUEUED and run.progress.is_readable]
    queue = [run for run in queue if run.id not in over]
    if not any(run.progress.waiting is WaitReason.QUOTA for run in queue):
        return []
    return [
        WaitNotice(run, WaitReason.QUOTA, position=place)
        for place, run in enumerate(queue, start=1)
        if now - run.last_write >= PLACE_REPORTED_AGAIN_AFTER
    ]


def flow_places(runs: Sequence[ListedRun], now: datetime) -> list[WaitNotice]:
    """The places of the runs that wait for others of their flow, each in the queue of its own flow."""
    over = over_limit(runs)
    places: Counter[str] = Counter()
    notices = []
    for run in runs:
        limit = run.progress.limit
        if limit is None or run.id not in over:
            continue
        places[limit.flow] += 1
        if now - run.last_write >= PLACE_REPORTED_AGAIN_AFTER:
            notices.append(WaitNotice(run, WaitReason.FLOW, position=places[limit.flow]))
    return notices


def _pools(app: App, runs: Sequence[ListedRun], now: datetime) -> list[WaitNotice]:
    running = [run for run in runs if run.progress.state is State.RUNNING and run.progress.pool]
    waiting_long = [run for run in running if now - run.last_write >= LONG and not run.progress.announced]
    if not waiting_long:
        return []
    nodes = app.batch.nodes()
    messages = {
        pool: why_tasks_wait(app.batch.pools(at_least=pool).get(pool), pool, nodes.get(pool, {}), now)
        for pool in {run.progress.pool for run in waiting_long}
    }
    notices = []
    for run in waiting_long:
        message = messages[run.progress.pool]
        was_reported = run.progress.waiting is WaitReason.POOL
        if (message is not None) != was_reported or (message and now - run.last_write >= POOL_REPORTED_AGAIN_AFTER):
            notices.append(WaitNotice(run, WaitReason.POOL if message else None, message))
    return notices


def _write(app: App, notice: WaitNotice) -> None:
    """Write the status, unless the run has moved on since it was listed."""
    run = app.runs.load(notice.run.id)
    if run is None or not run.is_version(notice.run.etag):
        return
    progress = replace(run.progress, waiting=notice.reason)
    status = status_of(replace(run, progress=progress), now=app.now(), position=notice.position, message=notice.message)
    app.results.write_status(run, status)
    if app.runs.set_progress(notice.run, progress) is None and app.runs.load(run.id) is None:
        app.results.remove_status(run)
