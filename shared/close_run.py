"""The end of every run: its record, then everything that was only needed while it was open goes.

The run document goes last: as long as it exists, somebody comes back and closes the run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.app import log
from shared.errors import ManifestError
from shared.plan import manifest_of, plan_round
from shared.record import Failure, unfinished_record
from shared.run import FailureCategory, State
from shared.run_id import job_id

if TYPE_CHECKING:
    from shared.app import App
    from shared.record import Record
    from shared.run import Rejection, Run


def finish(app: App, run: Run, record: Record) -> None:
    """Write the record, once, and close the run."""
    app.results.write_record(run, record)
    log.info("run %s: recorded as %s", run.id, record.state)
    close(app, run)


def finish_rejected(app: App, run: Run, rejection: Rejection) -> None:
    """Record a run that never had a task in Batch: its manifest is wrong, or the app gave it up."""
    if rejection.category is FailureCategory.USER:
        finish(app, run, unfinished_record(run, State.REJECTED, None, now=app.now()))
        return
    message = "; ".join(error.message for error in rejection.errors)
    failure = Failure(category=rejection.category, code=rejection.code, message=message)
    finish(app, run, unfinished_record(run, State.FAILED, failure, now=app.now()))


def finish_cancelled(app: App, run: Run) -> None:
    """Record a run that was cancelled before Batch had it."""
    finish(app, run, unfinished_record(run, State.KILLED, None, now=app.now()))


def close(app: App, run: Run) -> None:
    """Remove the run's jobs, staged files, status and document. May be repeated, and go on where it was cut off."""
    staging, keep_jobs = _what_is_known(app, run)
    if not keep_jobs:
        for number in range(1, run.progress.round + 1):
            app.batch.delete(job_id(run.id, number))
    app.staging.clear(staging, run.id)
    app.results.remove_status(run)
    app.runs.remove(run.id)


def _what_is_known(app: App, run: Run) -> tuple[str, bool]:
    """The staging container of a run, and whether its jobs stay; a run that cannot be planned has staged nothing."""
    try:
        plan = plan_round(manifest_of(run), run, app.settings)
    except ManifestError:
        return app.settings.containers.staging, False
    return plan.staging, plan.keep_job
