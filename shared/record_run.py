"""record_run: a job that has ended becomes outputs, logs and the completion record; then the run is closed.

JobEnded may come late, repeatedly and out of order, so the run document decides whether there is anything to do.
Every step can be repeated: copies that are there are not made again, and the record is written once. One event is
worked on for at most 20 seconds, because Event Grid delivers it again after 30; what is left goes on with an event
that the run publishes for itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

from azure.batch import models

from shared.app import App, isolate_failures
from shared.documents.record import Failure, TaskRecord
from shared.documents.run import Part, Run
from shared.documents.states import FailureCategory, State
from shared.events import JobEnded
from shared.log import Stage, log_event, milliseconds_since
from shared.manifest.read import Manifest
from shared.outputs.outcome import tasks_to_repeat, unfinished_items, was_ended, why_repeated, why_undone
from shared.outputs.record_tasks import COULD_NOT_RECORD, NOT_RECORDED, fan_out_record, no_items
from shared.plan.planner import has_next_round, manifest_of
from shared.plan.round_plan import SubmittedRound
from shared.steps.close_run import close, finish, finish_rejected
from shared.steps.collect_outputs import EndedRound, collect
from shared.steps.prepare_round import load_submitted_round
from shared.submit_run import submit

BUDGET_SECONDS = 20.0


def record(app: App, event: JobEnded) -> None:
    """Record the run that an event names, if its job has ended and nobody has recorded it yet.

    Returns normally also when a service failed: poll_runs publishes the event again, and that is the only retry.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    with isolate_failures(Stage.RECORD, run=event.run_id):
        run = app.runs.load(event.run_id)
        if run is None or not run.is_running(event.round):
            return
        if event.last:
            _give_up(app, run)
        else:
            _record_round(app, run, deadline)


def _give_up(app: App, run: Run) -> None:
    """The last way out: a record that says that the results could not be collected."""
    failure = Failure(category=FailureCategory.INTERNAL, code=NOT_RECORDED, message=COULD_NOT_RECORD)
    finish(app, run, State.FAILED, failure)


def _record_round(app: App, run: Run, deadline: float) -> None:
    detected, started = app.now(), time.monotonic()
    batch_tasks = app.batch.tasks(run.job_id)
    if not batch_tasks and app.results.has_record(run):  # closing, which begins with the job, was cut off
        close(app, run)
        return
    if run.body.rejection is not None and not batch_tasks:
        if app.batch.has_ended(run.job_id):
            finish_rejected(app, run, run.body.rejection)
        return
    manifest = manifest_of(run)
    run, plan = load_submitted_round(app, run, manifest)
    if _may_be_alive(run, plan, batch_tasks) and not app.batch.has_ended(run.job_id):
        return
    out_of_time = _ran_out_of_time(app, run, batch_tasks)
    repeated = frozenset[int]() if out_of_time else tasks_to_repeat(run, plan, batch_tasks)
    ended = EndedRound(run, plan, batch_tasks, out_of_time, repeated)
    part = collect(app, ended, deadline)
    slice_ = "round-collected" if part else "slice-collected"
    log_event(Stage.RECORD, slice_, run=run.id, job=run.job_id, tasks=len(plan.tasks), ms=milliseconds_since(started))
    if part is None:
        app.events.publish([JobEnded(run.id, run.progress.round)])
        return
    _finish_round(app, ended, manifest, part, detected)


def _may_be_alive(run: Run, plan: SubmittedRound, batch_tasks: Mapping[str, models.BatchTask]) -> bool:
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


def _finish_round(app: App, ended: EndedRound, manifest: Manifest, part: Part, detected: datetime) -> None:
    """Record the run, or go on with its next round."""
    round_number = ended.run.progress.round
    current = app.runs.load(ended.run.id)
    if current is None or not current.is_running(round_number):
        return
    run = current.with_finished(_records(app, ended, part), detected)
    if ended.repeated:
        warnings = why_repeated(ended.plan, ended.batch_tasks)
        run = run.with_repeats(unfinished_items(ended.plan, ended.repeated), warnings)
        log_event(
            Stage.RECORD,
            "tasks-repeated",
            level=logging.WARNING,
            run=run.id,
            job=ended.run.job_id,
            tasks=len(ended.repeated),
        )
    elif run.progress.cancelled or run.body.rejection is not None or not has_next_round(manifest, run, app.settings):
        finish(app, run, failure=_why_undone(app, run))
        return
    submit(app, app.runs.save(run.next_round()))


def _why_undone(app: App, run: Run) -> Failure | None:
    """What the record says of tasks that have not ended, if no task's failure and no request explains it."""
    records = run.body.finished.values()
    undone = [task.id for task in records if task.state is State.SKIPPED]
    if not undone or run.progress.cancelled or run.body.rejection or any(task.failure for task in records):
        return None
    return why_undone(undone, run.job_id, ran_out_of_time=app.batch.ran_out_of_time(run.job_id))


def _records(app: App, ended: EndedRound, part: Part) -> Iterator[TaskRecord]:
    """The records of all tasks that have ended; a fan-out has when all of its items have."""
    again = {task.name for task in ended.plan.tasks if task.number in ended.repeated}
    of_all_rounds = app.parts.items(ended.run.id) if ended.run.body.unfinished else {}
    yield from part.tasks
    for name, items in part.items.items():
        if name not in again:
            yield fan_out_record(name, of_all_rounds[name] if name in ended.run.body.unfinished else items)
    yield from map(no_items, ended.plan.empty)
