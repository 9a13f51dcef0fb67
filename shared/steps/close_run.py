"""The end of every run: its report and its record, then everything that was only needed while it was open goes.

The run document goes last: as long as it exists, somebody comes back and closes the run again.
"""

from __future__ import annotations

from shared.app import App
from shared.documents.names import job_id
from shared.documents.record import Failure, Record
from shared.documents.run import Rejection, Run
from shared.documents.states import FailureCategory, State
from shared.log import Stage, log_event, log_exception
from shared.manifest.read import Manifest
from shared.outputs.record_tasks import build_record, items_apart, with_unfinished
from shared.plan.lookups import MissingData
from shared.plan.planner import manifest_of, own_staging, staging_of, submitted_round


def finish(app: App, run: Run, state: State | None = None, failure: Failure | None = None) -> None:
    """Write report and record, once, and close the run. Without a `state`, those of its tasks decide."""
    manifest = _manifest(run)
    if run.body.is_partly_unfinished or any(task.items for task in run.body.finished.values()):
        run = run.with_items(app.parts.items(run.id))
    if run.body.is_partly_unfinished and manifest:
        run = _with_unfinished(app, run, manifest)
    record = build_record(run, manifest, state, failure, now=app.now())
    if items := items_apart(run):
        app.results.write_items(run, items)
    _write_report(app, run, record)
    app.results.write_record(run, record)
    log_event(Stage.RECORD, "recorded", run=run.id, state=record.state, ms=_milliseconds(run, record))
    close(app, run)


def _with_unfinished(app: App, run: Run, manifest: Manifest) -> Run:
    """The run with what it has of the fan-outs of which some items were to be run again."""
    try:
        plan = submitted_round(manifest, run, app.settings)
    except Exception:  # noqa: BLE001 - the run is recorded, if need be without them
        log_exception(Stage.RECORD, "unfinished-not-recorded", run=run.id)
        return run
    return run if isinstance(plan, MissingData) else with_unfinished(run, plan)


def _write_report(app: App, run: Run, record: Record) -> None:
    """Write the page for people; the run is recorded whatever becomes of it."""
    try:
        from shared.steps._write_report import write_report

        write_report(app.results, run, record)
    except Exception:  # noqa: BLE001 - no fault of the report may keep a run open
        log_exception(Stage.RECORD, "report-failed", run=run.id)


def _milliseconds(run: Run, record: Record) -> int:
    """How long the run took, from the drop to the record."""
    recorded = record.timings.recorded or run.body.dropped
    return round((recorded - run.body.dropped).total_seconds() * 1000)


def _manifest(run: Run) -> Manifest | None:
    try:
        return manifest_of(run)
    except Exception:  # noqa: BLE001 - whatever is wrong with the manifest, the run is recorded
        return None


def finish_rejected(app: App, run: Run, rejection: Rejection) -> None:
    """Record a run that cannot go on: REJECTED if the manifest is wrong and no task ever ran, otherwise FAILED."""
    if rejection.category is FailureCategory.USER and not run.body.jobs:
        finish(app, run, State.REJECTED)
        return
    message = "; ".join(error.message for error in rejection.errors)
    finish(app, run, State.FAILED, Failure(category=rejection.category, code=rejection.code, message=message))


def finish_cancelled(app: App, run: Run) -> None:
    """Record a run that was cancelled while it was queued."""
    finish(app, run, State.KILLED)


def close(app: App, run: Run) -> None:
    """Remove the run's jobs, staged files, status and document. May be repeated, and go on where it was cut off."""
    if not run.body.keep_jobs:
        for number in range(1, run.progress.round + 1):
            app.batch.delete(job_id(run.id, number))
    app.staging.clear(run.body.staging or _planned_staging(app, run), run.id)
    app.results.remove_status(run)
    if run.body.has_parts:
        app.parts.remove(run.id)
    app.runs.remove(run.id)


def _planned_staging(app: App, run: Run) -> str:
    """The staging container of a run that no task was submitted of; perhaps something was staged all the same."""
    try:
        return staging_of(manifest_of(run), run, app.settings)
    except Exception:  # noqa: BLE001 - whatever is wrong with the manifest, it must not keep the run open
        return own_staging(run, app.settings)
