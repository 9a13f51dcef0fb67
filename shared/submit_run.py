"""submit_run: a manifest in the inbox becomes a run, and the run's next round becomes a Batch job.

`receive` is called by the trigger only. `submit` is also called by the poller and the recorder: every step can be
repeated, and two submitters at once do no harm. The order of the steps ensures that:

1. Look for the record: a run that has one is only closed.
2. Copy the manifest to the results and remove it from the inbox. A run of a flow with `concurrency` goes no further
   before a tick admits it.
3. Take over what ended well, if it is a retry.
   Read what the plan needs from outside. Both go into the run document.
4. Stage scripts and files.
5. Create the job, which cannot end yet.
6. Read the run document again: tasks are added only if the run must still be submitted.
7. Let the job end when its tasks have ended, and set the run to RUNNING.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from shared import batch_job
from shared.app import App, isolate_failures
from shared.batch.errors import ENDED, GONE
from shared.documents.early_end import Rejection
from shared.documents.ledger import accepted_line
from shared.documents.names import is_cancel, is_manifest, run_id, run_to_cancel
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import FailureCategory, FailureCode, State, WaitReason
from shared.errors import (
    BatchRefused,
    CannotPlan,
    FilesChanged,
    JobConflict,
    ManifestError,
    QuotaReached,
    RunChanged,
    RunUnreadable,
    ServiceBusy,
    TryLater,
)
from shared.log import Stage, log_event, milliseconds_since
from shared.outputs.record_tasks import status_of
from shared.plan.admission import limit_to_wait_for
from shared.plan.phases import time_limit, with_later_phases
from shared.plan.pool_check import check_pool
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import checked_manifest, manifest_of
from shared.steps.archive_manifest import archive_manifest, remove_from_inbox
from shared.steps.close_run import close, finish, finish_cancelled, finish_rejected, follow_record
from shared.steps.load_open import load_open
from shared.steps.note_job import with_ending_job, with_job
from shared.steps.prepare_round import planning_errors, prepare_round
from shared.steps.resolve_request import resolve_request
from shared.steps.take_over import take_over
from shared.storage.inbox import Drop, InboxBlob

CANCEL_KEPT = timedelta(minutes=5)


def receive(app: App, blob: str) -> None:
    """Do what a blob of the inbox asks for: run a manifest, or cancel a run. Any other blob is ignored."""
    if not is_cancel(blob):
        accept(app, blob)
    elif request := app.inbox.find(blob):
        with isolate_failures(Stage.SUBMIT, blob=blob):
            cancel_run(app, request)


def accept(app: App, blob: str) -> None:
    """Accept a manifest blob, if it is one and is still there, and submit its run.

    Only the blob's name comes from the trigger: content, ETag and time are read here, in one request. Does nothing if
    another invocation has accepted the same version.
    """
    if not is_manifest(blob):
        return
    drop = app.inbox.read(blob)
    if drop is None:
        return
    run = app.runs.create(accepted_run(app, drop))
    if run is not None:
        log_event(Stage.SUBMIT, "accepted", run=run.id, blob=blob)
        app.ledger.append(Stage.SUBMIT, accepted_line(run))
        submit(app, run)


def accepted_run(app: App, drop: Drop) -> Run:
    """The run of a dropped manifest, before it is stored."""
    requested, accepted = resolve_request(app, drop.manifest), app.now()
    body = RunBody(
        run_id=run_id(app.inbox.name, drop.manifest.name, drop.manifest.etag, drop.last_modified),
        manifest=drop.manifest,
        flow=requested.flow,
        earlier=requested.earlier,
        trigger=requested.trigger,
        dropped=drop.last_modified,
        accepted=accepted,
        default_pool=requested.default_pool or app.settings.batch.pool_id,
        default_staging=app.settings.containers.staging,
    )
    return Run(body, Progress(accepted=accepted))


def submit(app: App, run: Run) -> WaitReason | None:
    """Submit the current round of a queued run to Batch, or end the run if that can never succeed.

    Returns why the run waits, if a service asked for that; a later tick tries again, as after any failure of a service.
    A run that another invocation has changed meanwhile is left to that invocation.
    """
    try:
        return _submit(app, run)
    except RunChanged as change:
        log_event(Stage.SUBMIT, "moved-on-by-another", run=run.id, reason=str(change))
    except (TryLater, RunUnreadable) as later:
        log_event(Stage.SUBMIT, "put-off", level=logging.WARNING, run=run.id, reason=str(later))
    return None


def _submit(app: App, run: Run) -> WaitReason | None:
    if follow_record(app, run):
        remove_from_inbox(app, run)
        return None
    if run.progress.round == 1 and run.progress.waiting is None:
        archive_manifest(app, run)
    if not run.is_open_for_tasks:
        end_unsubmitted(app, run)
        return None
    try:
        _submit_round(app, run)
    except (ManifestError, BatchRefused) as error:
        end_unsubmitted(app, app.runs.save(_reloaded(app, run).with_rejection(Rejection.of(error))))
    except CannotPlan as error:
        rejection = Rejection.by_app(FailureCategory.INTERNAL, FailureCode.CANNOT_PLAN, str(error))
        end_unsubmitted(app, app.runs.save(_reloaded(app, run).with_rejection(rejection)))
    except QuotaReached:
        return _wait(app, run, WaitReason.QUOTA)
    except ServiceBusy as busy:
        return _wait(app, run, WaitReason.BUSY, busy.retry_after)
    return None


def _reloaded(app: App, run: Run) -> Run:
    current = app.runs.load(run.id)
    if current is None or current.progress.round != run.progress.round or current.progress.state is not State.QUEUED:
        raise RunChanged(f"The run {run.id} was moved on by another invocation.")
    return current


def _wait(app: App, run: Run, reason: WaitReason, retry_after: timedelta | None = None) -> WaitReason:
    retry_at = app.now() + retry_after if retry_after else None
    _save_with_status(app, _reloaded(app, run).with_wait(reason, retry_at))
    return reason


def _save_with_status(app: App, run: Run) -> None:
    """Write the status, then the run document: in this order a run that is closed meanwhile leaves no status behind."""
    app.results.write_status(run, status_of(run, now=app.now()))
    try:
        app.runs.save(run)
    except RunChanged:
        if app.runs.load(run.id) is None:
            app.results.remove_status(run)
        raise


def end_unsubmitted(app: App, run: Run) -> None:
    """End a queued run that is cancelled or rejected. If it has a job, the run is recorded once that has ended."""
    if app.batch.terminate(run.job_id):
        app.runs.save(with_ending_job(app, run))
    elif go_on(app, run):
        pass
    elif run.body.rejection is not None:
        finish_rejected(app, run, run.body.rejection)
    else:
        finish_cancelled(app, run)


def go_on(app: App, run: Run) -> bool:
    """Go on with later phases of the flow of a run that was cancelled or rejected; whether there are any."""
    if not (run.body.jobs and (run.progress.cancelled or run.body.rejection)):
        return False
    with suppress(ManifestError):  # of a newer version of the app, which reads it otherwise
        if later := with_later_phases(manifest_of(run), run):
            submit(app, app.runs.save(later))
            return True
    return False


def cancel_run(app: App, request: InboxBlob) -> None:
    """Cancel the run that `<run id>.cancel` names, if it is open; the blob is removed last.

    A run that is not open is closed, or its manifest has not been accepted yet: events come in any order. The request
    therefore stays for some minutes, and every tick tries again.
    """
    run_id = run_to_cancel(request.name)
    run = load_open(app, run_id, end_as=State.KILLED) if run_id else None
    if run is not None:
        _cancel(app, run, request.etag)
    elif run_id and app.now() - request.last_modified < CANCEL_KEPT:
        return
    app.inbox.remove(request.name, request.etag)


def _cancel(app: App, run: Run, request: str) -> None:
    """Cancel a run, once for each request: where that was cut short, the run may have gone on with a later phase."""
    if (cancelled := run.with_cancellation(request)) is not run:
        run = app.runs.save(cancelled)
        log_event(Stage.POLL, "cancelled", run=run.id)
    if not run.progress.cancelled:
        return
    if run.progress.state is State.QUEUED:
        archive_manifest(app, run)
        end_unsubmitted(app, run)
    else:
        app.batch.terminate(run.job_id)


def give_up(app: App, run: Run, code: str, message: str) -> None:
    """End a queued run that cannot be submitted to Batch although its manifest is valid."""
    rejection = Rejection.by_app(FailureCategory.INFRASTRUCTURE, code, message)
    archive_manifest(app, run)
    end_unsubmitted(app, app.runs.save(run.with_rejection(rejection)))


def _submit_round(app: App, run: Run) -> None:
    started = time.monotonic()
    with planning_errors(run):
        manifest = checked_manifest(run, app.settings)
    if limit := limit_to_wait_for(manifest, run, app.settings):
        _save_with_status(app, run.waiting_for_flow(limit))
        return
    run = take_over(app, run, manifest)
    run, plan = prepare_round(app, run, manifest)
    if not plan.tasks:
        finish(app, run)
        return
    time_left = time_limit(plan.phase, manifest.flow.timeout - (app.now() - run.begun))
    if time_left <= timedelta(0):
        give_up(
            app,
            run,
            FailureCode.FLOW_TIMEOUT,
            f"the flow's timeout of {manifest.flow.timeout} was exceeded before Azure Batch accepted the run",
        )
        return
    pools = app.batch.pools(at_least=plan.pool_id)
    check_pool(manifest, plan, {pool.id: pool.slots_per_node for pool in pools.values()})
    plan = replace(plan, nodes=pools[plan.pool_id].nodes)
    _stage(app, run, plan)
    created = app.batch.create_job(batch_job.job(run, plan, time_left, app.settings.origin))
    current = app.runs.load(run.id)
    if current is None:
        close(app, run)
    elif current.is_open_for_tasks and current.progress.round == run.progress.round:
        _add_tasks(app, current, plan, time_left, started)
    elif created or not current.is_running(run.progress.round):
        app.batch.delete(run.job_id)


def _stage(app: App, run: Run, plan: RoundPlan) -> None:
    if run.progress.is_staged:
        return
    try:
        app.staging.upload(plan, run)
    except FilesChanged:
        app.runs.save(run.with_external_data(run.body.outside.without_files()))
        raise


def _add_tasks(app: App, run: Run, plan: RoundPlan, time_left: timedelta, started: float) -> None:
    submitted = app.now()
    access = app.staging.access(plan.staging, time_left, now=submitted)
    try:
        app.batch.add_tasks(run.job_id, batch_job.Tasks(plan, access, time_left))
        app.batch.end_when_tasks_end(run.job_id)
    except JobConflict as conflict:
        if conflict.code in GONE:
            return  # another invocation closed the run
        if conflict.code not in ENDED:
            raise TryLater(str(conflict)) from conflict
    _save_with_status(app, with_job(app, run, plan, submitted).awaiting(plan.end_marker_count))
    ms = milliseconds_since(started)
    log_event(Stage.SUBMIT, "submitted", run=run.id, job=run.job_id, tasks=len(plan.tasks), ms=ms)
