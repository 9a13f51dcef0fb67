"""submit_run: a manifest in the inbox becomes a run, and the run's next round becomes a Batch job.

`accept` is the trigger's part: it accepts the blob. `submit` is every submitter's part, also the poller's and the
recorder's: its steps can be repeated, and two of them at once do no harm. The order of the steps is what makes that
so:

1. the record is looked for: a run that has one is only closed
2. the manifest is kept in the results and removed from the inbox
3. what the plan needs from outside is read, and written into the run document
4. scripts and files are staged
5. the job is created, and cannot end yet
6. the document is read again: only if the run is still to be submitted, tasks are added
7. the job may end, and the document says RUNNING
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from shared import batch_job
from shared.app import App
from shared.batch.errors import ENDED, GONE
from shared.documents.names import is_manifest, run_id
from shared.documents.record import JobRecord, RunProblem
from shared.documents.run import Progress, Rejection, Run, RunBody
from shared.documents.states import FailureCategory, State, WaitReason
from shared.errors import (
    BatchRefused,
    CannotPlan,
    FilesChanged,
    JobConflict,
    ManifestError,
    Problem,
    QuotaReached,
    RunChanged,
    RunUnreadable,
    ServiceBusy,
    TryLater,
)
from shared.log import Stage, log_event, milliseconds_since
from shared.manifest.read import Manifest
from shared.outputs.record_tasks import no_items, status_of
from shared.plan.planner import manifest_of, problem_of_task
from shared.plan.round_plan import RoundPlan
from shared.steps.close_run import close, finish, finish_cancelled, finish_rejected
from shared.steps.prepare_round import planned, planning
from shared.storage.inbox import Drop


def accept(app: App, blob: str) -> None:
    """Accept a manifest blob, if it is one and is still there, and submit its run.

    The name is all that is used of the trigger: content, ETag and time are read here, in one request. A version that
    somebody else has accepted is theirs.
    """
    if not is_manifest(blob):
        return
    drop = app.inbox.read(blob)
    if drop is None:
        return
    run = app.runs.create(accepted_run(app, drop))
    if run is not None:
        log_event(Stage.SUBMIT, "accepted", run=run.id, blob=blob)
        submit(app, run)


def accepted_run(app: App, drop: Drop) -> Run:
    body = RunBody(
        run_id=run_id(app.inbox.name, drop.manifest.name, drop.manifest.etag, drop.last_modified),
        manifest=drop.manifest,
        dropped=drop.last_modified,
        accepted=app.now(),
        default_pool=app.settings.batch.pool_id,
        default_staging=app.settings.containers.staging,
    )
    return Run(body, Progress())


def submit(app: App, run: Run) -> WaitReason | None:
    """Bring the current round of a queued run into Batch, or end the run if that can never be.

    Whatever a service does not do now is left to a later tick; what is returned tells if the run waits for a service
    that said so itself. A run that somebody else moved on meanwhile is left to them.
    """
    try:
        return _submit(app, run)
    except RunChanged as change:
        log_event(Stage.SUBMIT, "moved-on-by-another", run=run.id, reason=str(change))
    except (TryLater, RunUnreadable) as later:
        log_event(Stage.SUBMIT, "put-off", level=logging.WARNING, run=run.id, reason=str(later))
    return None


def _submit(app: App, run: Run) -> WaitReason | None:
    if app.results.has_record(run):
        app.inbox.remove(run.body.manifest.name, run.body.manifest.etag)
        close(app, run)
        return None
    if run.progress.round == 1 and run.progress.waiting is None:
        archive_manifest(app, run)
    if not run.is_open_for_tasks:
        end_unsubmitted(app, run)
        return None
    try:
        _submit_round(app, run)
    except (ManifestError, BatchRefused) as error:
        end_unsubmitted(app, app.runs.save(_reloaded(app, run).with_rejection(_rejection(error))))
    except CannotPlan as error:
        rejection = _gave_up(FailureCategory.INTERNAL, "CannotPlan", str(error))
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


def _wait(app: App, run: Run, why: WaitReason, retry_after: timedelta | None = None) -> WaitReason:
    retry_at = app.now() + retry_after if retry_after else None
    _save_and_tell(app, _reloaded(app, run).with_wait(why, retry_at))
    return why


def _save_and_tell(app: App, run: Run) -> None:
    """Write status and run document: in this order, so that a run that is closed meanwhile leaves no status behind."""
    app.results.write_status(run, status_of(run, now=app.now()))
    try:
        app.runs.save(run)
    except RunChanged:
        if app.runs.load(run.id) is None:
            app.results.remove_status(run)
        raise


def archive_manifest(app: App, run: Run) -> None:
    """Once a run is accepted or rejected its manifest lies in the results, and no longer in the inbox."""
    manifest = run.body.manifest
    app.results.keep_manifest(run, app.inbox.url(manifest.name))
    app.inbox.remove(manifest.name, manifest.etag)


def end_unsubmitted(app: App, run: Run) -> None:
    """End a queued run that is cancelled or rejected; what Batch has of it is recorded once its job has ended."""
    if app.batch.terminate(run.job_id):
        app.runs.save(run.as_ending())
    elif run.body.rejection is not None:
        finish_rejected(app, run, run.body.rejection)
    else:
        finish_cancelled(app, run)


def give_up(app: App, run: Run, code: str, message: str) -> None:
    """End a queued run that is not wrong, but cannot be brought into Batch."""
    rejection = _gave_up(FailureCategory.INFRASTRUCTURE, code, message)
    archive_manifest(app, run)
    end_unsubmitted(app, app.runs.save(run.with_rejection(rejection)))


def _gave_up(category: FailureCategory, code: str, message: str) -> Rejection:
    return Rejection(category=category, code=code, errors=(RunProblem(message=message),))


def _rejection(error: ManifestError | BatchRefused) -> Rejection:
    problems = error.problems if isinstance(error, ManifestError) else [Problem(str(error))]
    code = "InvalidManifest" if isinstance(error, ManifestError) else error.code
    return Rejection(
        category=FailureCategory.USER, code=code, errors=tuple(RunProblem.of(problem) for problem in problems)
    )


def _submit_round(app: App, run: Run) -> None:
    started = time.monotonic()
    with planning(run):
        manifest = manifest_of(run)
    time_left = manifest.flow.timeout - (app.now() - run.body.accepted)
    if time_left <= timedelta(0):
        give_up(
            app,
            run,
            "FlowTimeout",
            f"the flow's timeout of {manifest.flow.timeout} was over before Azure Batch took it",
        )
        return
    run, plan = planned(app, run, manifest)
    if not plan.tasks:
        finish(app, run.with_finished(map(no_items, plan.empty), None))
        return
    _check_pool(app, manifest, plan)
    _stage(app, run, plan)
    created = app.batch.create_job(batch_job.job(run, plan, time_left, app.settings.origin))
    current = app.runs.load(run.id)
    if current is None:
        close(app, run)
    elif current.is_open_for_tasks and current.progress.round == run.progress.round:
        _add_tasks(app, current, plan, time_left, started)
    elif created or not current.is_running(run.progress.round):
        app.batch.delete(run.job_id)


def _check_pool(app: App, manifest: Manifest, plan: RoundPlan) -> None:
    """Batch accepts a job for a pool that does not exist, or whose nodes are too small, and never runs it."""
    pools = app.batch.pools(at_least=plan.pool_id)
    pool = pools.get(plan.pool_id)
    if pool is None:
        known = ", ".join(sorted(pools)) or "none yet"
        message = f"there is no pool {plan.pool_id!r} in the Batch account; there is: {known}"
        raise ManifestError([problem_of_task(manifest, plan.tasks[0].name, ("taskRunner", "poolId"), message)])
    if too_large := [task for task in plan.tasks if task.slots > pool.slots_per_node]:
        message = f"the nodes of pool {pool.id!r} have {pool.slots_per_node} task slots"
        raise ManifestError([problem_of_task(manifest, task.name, ("requiredSlots",), message) for task in too_large])


def _stage(app: App, run: Run, plan: RoundPlan) -> None:
    if run.progress.is_staged:
        return
    try:
        app.staging.upload(plan)
    except FilesChanged:
        app.runs.save(run.with_external_data(run.body.outside.without_files()))
        raise


def _add_tasks(app: App, run: Run, plan: RoundPlan, time_left: timedelta, started: float) -> None:
    submitted = app.now()
    access = app.staging.access(plan.staging, time_left, now=submitted)
    try:
        app.batch.add_tasks(run.job_id, batch_job.Tasks(plan, access))
        app.batch.end_when_tasks_end(run.job_id)
    except JobConflict as conflict:
        if conflict.code in GONE:
            return  # somebody closed the run
        if conflict.code not in ENDED:
            raise TryLater(str(conflict)) from conflict
    batch = app.settings.batch
    job = JobRecord(
        id=run.job_id,
        pool=plan.pool_id,
        account=batch.account_name,
        portal_url=batch.portal_url,
        reason=plan.reason,
        submitted=submitted,
    )
    _save_and_tell(app, run.with_job(job, plan.staging, submitted, keep_jobs=plan.keep_job, has_parts=plan.has_parts))
    ms = milliseconds_since(started)
    log_event(Stage.SUBMIT, "submitted", run=run.id, job=run.job_id, tasks=len(plan.tasks), ms=ms)
