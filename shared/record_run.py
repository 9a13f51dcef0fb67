"""record_run: a job that has ended becomes outputs, logs and the completion record; then the run is closed.

JobEnded may come late, repeatedly and out of order, so the run document decides whether there is anything to do.
Every step can be repeated: copies that are there are not made again, and the record is written once. One event is
worked on for at most 20 seconds, because Event Grid delivers it again after 30; what is left goes on with an event
that the run publishes for itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from azure.batch import models

from shared.app import guarded
from shared.close_run import close, finish, finish_rejected
from shared.collect import EndedRound, collect
from shared.errors import ManifestError
from shared.events import JobEnded
from shared.outcome import was_ended
from shared.outside import Needs
from shared.plan import manifest_of, plan_round
from shared.read_outside import planned
from shared.record import Failure, TaskRecord
from shared.record_builder import COULD_NOT_RECORD, NOT_RECORDED, fan_out_record, no_items
from shared.states import FailureCategory, State
from shared.submit_run import submit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from shared.app import App
    from shared.manifest import Manifest
    from shared.planned import RoundPlan
    from shared.run import Run

BUDGET_SECONDS = 20.0


def record(app: App, event: JobEnded) -> None:
    """Record the run that an event names, if its job has ended and nobody has recorded it yet.

    Returns normally also when a service failed: poll_runs publishes the event again, and that is the only retry.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    with guarded(f"run {event.run_id}"):
        run = app.runs.load(event.run_id)
        if run is None or not run.is_running(event.round):
            return
        if event.last:
            _give_up(app, run)
        elif app.results.has_record(run):
            close(app, run)
        else:
            _record_round(app, run, deadline)


def _give_up(app: App, run: Run) -> None:
    """The last way out: a record that says that the results could not be collected."""
    failure = Failure(category=FailureCategory.INTERNAL, code=NOT_RECORDED, message=COULD_NOT_RECORD)
    finish(app, run, State.FAILED, failure)


def _record_round(app: App, run: Run, deadline: float) -> None:
    detected = app.now()
    batch_tasks = app.batch.tasks(run.job_id)
    if run.body.rejection is not None and not batch_tasks:
        if app.batch.has_ended(run.job_id):
            finish_rejected(app, run, run.body.rejection)
        return
    manifest = manifest_of(run)
    run, plan = planned(app, run, manifest, was_submitted=True)
    if _may_be_alive(run, plan, batch_tasks) and not app.batch.has_ended(run.job_id):
        return
    ended = EndedRound(run, plan, batch_tasks, ran_out_of_time=_ran_out_of_time(app, run, batch_tasks))
    part = collect(app, ended, deadline)
    if part is None:
        app.events.publish([JobEnded(run.id, run.progress.round)])
        return
    fan_outs = [fan_out_record(name, items) for name, items in part.items.items()]
    _finish_round(app, run, manifest, [*part.tasks, *fan_outs, *map(no_items, plan.empty)], detected)


def _may_be_alive(run: Run, plan: RoundPlan, batch_tasks: Mapping[str, models.BatchTask]) -> bool:
    """Whether the tasks alone do not tell that the job has ended."""
    states = [batch_tasks[task.id].state if task.id in batch_tasks else None for task in plan.tasks]
    return run.progress.cancelled or any(state != models.BatchTaskState.COMPLETED for state in states)


def _ran_out_of_time(app: App, run: Run, batch_tasks: Mapping[str, models.BatchTask]) -> bool:
    """Whether the flow's timeout ended the job; asked only if tasks were stopped, and not by a cancel."""
    return (
        not run.progress.cancelled
        and any(was_ended(task) for task in batch_tasks.values())
        and app.batch.ran_out_of_time(run.job_id)
    )


def _finish_round(app: App, run: Run, manifest: Manifest, records: Sequence[TaskRecord], detected: datetime) -> None:
    """Record the run, or go on with its next round."""
    current = app.runs.load(run.id)
    if current is None or not current.is_running(run.progress.round):
        return
    ended = current.ended(records, detected)
    if ended.progress.cancelled or ended.body.rejection is not None or not _is_anything_left(app, manifest, ended):
        finish(app, ended)
        return
    submit(app, app.runs.save(ended.next_round()))


def _is_anything_left(app: App, manifest: Manifest, run: Run) -> bool:
    """Whether there is a next round; what is wrong with it, or must be read for it, shows when it is submitted."""
    try:
        plan = plan_round(manifest, run, app.settings)
    except ManifestError:
        return True
    return isinstance(plan, Needs) or bool(plan.tasks or plan.empty)
