"""record_run: a job that has ended becomes outputs, logs and the completion record; then the run is closed.

JobEnded may come late, repeatedly and out of order, so the run document decides whether there is anything to do.
Every step can be repeated: copies that are there are not made again, and the record is written once. One event is
worked on for at most 20 seconds, because Event Grid delivers it again after 30; what is left goes on with an event
that the run publishes for itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.batch import models

from shared.app import guarded
from shared.close_run import close, finish, finish_rejected
from shared.errors import ManifestError
from shared.events import JobEnded
from shared.outcome import at_flow_timeout, judge, was_ended
from shared.outputs import LOG_NAMES, files_of
from shared.plan import manifest_of, plan_round
from shared.printed import MAX_STREAM_BYTES, Printed
from shared.record import Failure, TaskRecord
from shared.record_builder import COULD_NOT_RECORD, task_record
from shared.results import CopyState
from shared.states import FailureCategory, State
from shared.submit_run import submit
from shared.task_script import SCRIPT_EXIT_CODES, read_marker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from shared.app import App
    from shared.manifest import Manifest
    from shared.outcome import Outcome
    from shared.outputs import Collected, TaskFiles
    from shared.planned import PlannedTask, RoundPlan
    from shared.run import Run

BUDGET_SECONDS = 20.0
PENDING_PAUSE_SECONDS = 0.5
MANY_COPIES = 100
_COPIED = "success"


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
    failure = Failure(category=FailureCategory.INTERNAL, code="NotRecorded", message=COULD_NOT_RECORD)
    finish(app, run, State.FAILED, failure)


@dataclass(frozen=True)
class _EndedTask:
    """All that is known of one task of an ended job."""

    planned: PlannedTask
    batch: models.BatchTask | None
    files: TaskFiles
    job_ran_out_of_time: bool


def _record_round(app: App, run: Run, deadline: float) -> None:
    detected = app.now()
    batch_tasks = app.batch.tasks(run.job_id)
    if run.body.rejection is not None and not batch_tasks:
        if app.batch.has_ended(run.job_id):
            finish_rejected(app, run, run.body.rejection)
        return
    manifest = manifest_of(run)
    plan = plan_round(manifest, run, app.settings, was_submitted=True)
    if _may_be_alive(run, plan, batch_tasks) and not app.batch.has_ended(run.job_id):
        return
    staged = app.staging.list(plan.staging, run)
    out_of_time = _ran_out_of_time(app, run, batch_tasks)
    ended = [_EndedTask(task, batch_tasks.get(task.id), files_of(task, staged), out_of_time) for task in plan.tasks]
    refused = _copy_all(app, run, plan.staging, ended, deadline)
    if refused is None:
        app.events.publish([JobEnded(run.id, run.progress.round)])
        return
    records = [_task_record(app, plan.staging, task, refused) for task in ended]
    _finish_round(app, run, manifest, records, detected)


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


def _copy_all(app: App, run: Run, staging: str, ended: Sequence[_EndedTask], deadline: float) -> set[str] | None:
    """Let storage copy all files of the round: the destinations that it refused; None if the time did not suffice."""
    wanted = [file for task in ended for file in (*task.files.logs.values(), *task.files.outputs)]
    states = app.results.copied(run) if len(wanted) > MANY_COPIES else {}
    pending, refused = [], set()
    for file in wanted:
        if states.get(file.destination) == _COPIED:
            continue
        if time.monotonic() > deadline:
            return None
        match app.results.copy(app.staging.url(staging, file.source.name), run, file.destination):
            case CopyState.PENDING:
                pending.append(file)
            case CopyState.REFUSED:
                refused.add(file.destination)
    return refused if not pending or _await_copies(app, run, staging, pending, deadline) else None


def _await_copies(app: App, run: Run, staging: str, pending: Sequence[Collected], deadline: float) -> bool:
    """Wait for copies that storage makes in the background; False if they take longer than there is time."""
    while time.monotonic() < deadline:
        states = app.results.copied(run)
        left = [file for file in pending if states.get(file.destination) != _COPIED]
        if not left:
            return True
        for file in left:
            if states.get(file.destination) in ("failed", "aborted"):
                app.results.copy(app.staging.url(staging, file.source.name), run, file.destination, again=True)
        time.sleep(PENDING_PAUSE_SECONDS)
    return False


def _task_record(app: App, staging: str, task: _EndedTask, refused: set[str]) -> TaskRecord:
    printed = Printed()
    for name in LOG_NAMES:
        log_file = task.files.logs.get(name)
        if log_file is not None:
            printed.read(name, app.staging.lines(staging, log_file.source, MAX_STREAM_BYTES))
            if log_file.source.bytes > MAX_STREAM_BYTES:
                printed.warnings.append(
                    f"{name}: only the first {MAX_STREAM_BYTES >> 20} MiB were read for printed values"
                )
    return task_record(task.planned, _outcome(app, staging, task), task.files.without(refused), printed)


def _outcome(app: App, staging: str, task: _EndedTask) -> Outcome:
    info = task.batch.execution_info if task.batch else None
    stderr = task.files.logs.get("stderr.txt")
    report = None
    if info is not None and info.exit_code in SCRIPT_EXIT_CODES and stderr is not None:
        report = read_marker(app.staging.lines(staging, stderr.source, MAX_STREAM_BYTES))
    outcome = judge(task.batch, report)
    return at_flow_timeout(outcome) if task.job_ran_out_of_time else outcome


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
    """Whether a next round would have a task; what is wrong with it is said when it is submitted."""
    try:
        return bool(plan_round(manifest, run, app.settings).tasks)
    except ManifestError:
        return True
