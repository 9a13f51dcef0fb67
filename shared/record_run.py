"""record_run: a job that has ended becomes outputs, logs and the completion record; then the run is closed.

Events may come late, repeatedly and out of order, so the run document decides whether there is anything to do.
Every step can be repeated: existing copies are not made again, and the record is written once. One event is processed
for at most 20 seconds, because Event Grid delivers it again after 30; the app then publishes an event for what is left.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from shared.app import App, isolate_failures
from shared.documents.end_markers import EndMarker
from shared.documents.ended_task import EndedTask, TaskState
from shared.documents.part import Part
from shared.documents.run import Run
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure, TaskRecord
from shared.events import JobEnded
from shared.log import Stage, log_event, milliseconds_since
from shared.manifest.read import Manifest
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.judgement import items_to_repeat, judge, warnings_of_repeats
from shared.outputs.nothing_to_run import records_of_nothing, unfinished_items
from shared.outputs.outcome import failure_of_skipped
from shared.outputs.record_tasks import NOT_RECORDED_MESSAGE
from shared.plan.plan_round import has_next_round
from shared.plan.round_plan import SubmittedRound
from shared.plan.run_manifest import manifest_of
from shared.steps.await_end import await_end
from shared.steps.close_run import finish, finish_rejected, follow_record
from shared.steps.collect_outputs import EndedRound, collect
from shared.steps.load_open import load_open
from shared.steps.prepare_round import load_submitted_round
from shared.submit_run import go_on, submit

BUDGET_SECONDS = 20.0


def record(app: App, event: JobEnded | EndMarker) -> None:
    """Record the run that an event names, if its job has ended and the run is not recorded yet.

    Returns normally also when a service failed: the only retry is that poll_runs publishes JobEnded again.
    """
    deadline = time.monotonic() + BUDGET_SECONDS
    with isolate_failures(Stage.RECORD, run=event.run_id):
        if isinstance(event, EndMarker):
            if ended := await_end(app, event):
                _record_round(app, ended.run, ended.tasks, deadline)
            return
        run = load_open(app, event.run_id, end_as=State.FAILED if event.last else None)
        if run is None or not run.is_running(event.round):
            return
        if event.last:
            _give_up(app, run)
        else:
            _record_round(app, run, app.batch.tasks(run.job_id), deadline)


def _give_up(app: App, run: Run) -> None:
    """End a run that could not be recorded in time: its record says that the results could not be collected."""
    failure = Failure(category=FailureCategory.INTERNAL, code=FailureCode.NOT_RECORDED, message=NOT_RECORDED_MESSAGE)
    finish(app, run, State.FAILED, failure)


def _record_round(app: App, run: Run, tasks: Mapping[str, EndedTask], deadline: float) -> None:
    detected, started = app.now(), time.monotonic()
    if not tasks and follow_record(app, run):  # closing the run, which begins with the job, was interrupted
        return
    if run.body.rejection is not None and not tasks:
        if app.batch.has_ended(run.job_id) and not go_on(app, run):
            finish_rejected(app, run, run.body.rejection)
        return
    manifest = manifest_of(run)
    run, plan = load_submitted_round(app, run, manifest)
    if _may_be_running(run, plan, tasks) and not app.batch.has_ended(run.job_id):
        return
    out_of_time = _ran_out_of_time(app, run, tasks)
    judgement = judge(run, plan, tasks, ran_out_of_time=out_of_time)
    ended = EndedRound(run, plan, tasks, out_of_time, judgement)
    part = collect(app, ended, deadline)
    progress = "round-collected" if part else "slice-collected"
    log_event(Stage.RECORD, progress, run=run.id, job=run.job_id, tasks=len(plan.tasks), ms=milliseconds_since(started))
    if part is None:
        app.events.publish([JobEnded(run.id, run.progress.round)])
        return
    _finish_round(app, ended, manifest, part, detected)


def _may_be_running(run: Run, plan: SubmittedRound, tasks: Mapping[str, EndedTask]) -> bool:
    """Whether the job may be running still: the states of its tasks do not show that it has ended."""
    states = [tasks[task.id].state if task.id in tasks else None for task in plan.tasks]
    return run.progress.cancelled or any(state is not TaskState.COMPLETED for state in states)


def _ran_out_of_time(app: App, run: Run, tasks: Mapping[str, EndedTask]) -> bool:
    """Whether the flow's timeout ended the job. Batch is asked only if tasks were terminated, but not by a cancel."""
    return (
        not run.progress.cancelled
        and any(task.was_terminated for task in tasks.values())
        and app.batch.ran_out_of_time(run.job_id)
    )


def _finish_round(app: App, ended: EndedRound, manifest: Manifest, part: Part, detected: datetime) -> None:
    """Record the run, or submit its next round."""
    round_number = ended.run.progress.round
    current = app.runs.load(ended.run.id)
    if current is None or not current.is_running(round_number):
        return
    later = unfinished_items(ended.plan, ended.judgement)
    run = current.with_finished(_records(app, ended, part, later), detected).with_unfinished(later)
    if again := ended.judgement.again:
        warnings = warnings_of_repeats(ended.plan, ended.tasks, ended.judgement)
        run = run.with_repeats(items_to_repeat(ended.plan, again), warnings)
        job, count = ended.run.job_id, len(again)
        log_event(Stage.RECORD, "tasks-repeated", level=logging.WARNING, run=run.id, job=job, tasks=count)
    elif run.progress.cancelled or run.body.rejection is not None or not has_next_round(manifest, run, app.settings):
        if not go_on(app, run):
            finish(app, run, failure=_failure_of_run(app, run))
        return
    submit(app, app.runs.save(run.next_round()))


def _failure_of_run(app: App, run: Run) -> Failure | None:
    """Why tasks were skipped, if neither a task's failure nor a rejection nor a cancel explains it."""
    records = run.body.finished.values()
    skipped = [task.id for task in records if task.state is State.SKIPPED and not task.is_left_out]
    if not skipped or run.was_cancelled or run.rejection or any(task.failure for task in records):
        return None
    return failure_of_skipped(skipped, run.job_id, ran_out_of_time=app.batch.ran_out_of_time(run.job_id))


def _records(app: App, ended: EndedRound, part: Part, later: Iterable[str]) -> Iterator[TaskRecord]:
    """The records of all tasks that have ended; a fan-out has ended when all of its items have."""
    repeated = {*later, *(task.name for task in ended.plan.tasks if task.number in ended.judgement.again)}
    of_all_rounds = app.parts.items(ended.run.id) if ended.run.body.unfinished else {}
    yield from part.tasks
    for name, items in part.items.items():
        if name not in repeated:
            yield fan_out_record(name, of_all_rounds[name] if name in ended.run.body.unfinished else items)
    yield from records_of_nothing(ended.plan.empty, ended.judgement.of_empty, of_all_rounds)
