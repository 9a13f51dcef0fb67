"""Notes the job of a round in the run, once its tasks are in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shared.app import App
from shared.documents.record import JobRecord
from shared.documents.run import Run
from shared.errors import CannotPlan, ManifestError
from shared.log import Stage, log_exception
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of
from shared.steps.prepare_round import prepare_round


def with_job(app: App, run: Run, plan: RoundPlan, submitted: datetime) -> Run:
    """The run with all tasks of its round in a job, whose first ones were added at that time."""
    batch = app.settings.batch
    job = JobRecord(
        id=run.job_id,
        pool=plan.pool_id,
        nodes=plan.nodes,
        account=batch.account_name,
        portal_url=batch.portal_url,
        reason=plan.reason,
        submitted=submitted,
    )
    return run.with_job(job, plan.staging, plan.phase, keep_jobs=plan.keep_job, has_parts=plan.has_parts)


def with_ending_job(app: App, run: Run) -> Run:
    """The run whose job was ended before its submitter has noted it. Tasks that are in it may have run."""
    tasks = app.batch.tasks(run.job_id)
    if not tasks:
        return run.as_ending()
    try:
        prepared, plan = prepare_round(app, run, manifest_of(run))
    except (ManifestError, CannotPlan):  # nothing is known of the job but that there is one
        log_exception(Stage.SUBMIT, "job-not-noted", run=run.id)
        return run.as_ending()
    if pool := app.batch.pools(at_least=plan.pool_id).get(plan.pool_id):
        plan = replace(plan, nodes=pool.nodes)
    submitted = min((task.started for task in tasks.values() if task.started), default=app.now())
    return with_job(app, prepared, plan, submitted).with_parts()
