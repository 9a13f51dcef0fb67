"""The end of every run: report, record, RunEnded; then everything that only an open run needs is removed.

The run document is removed last: as long as it exists, a later tick or event does again what follows the record. That
is built from the stored record, so it is the same whoever does it.
"""

from __future__ import annotations

import logging

from azure.core.exceptions import AzureError
from pydantic import ValidationError

from shared.app import App
from shared.documents.early_end import Rejection
from shared.documents.flow_limit import Behavior
from shared.documents.ledger import recorded_line
from shared.documents.names import job_id
from shared.documents.record import Record, RunProblem
from shared.documents.run import Run
from shared.documents.run_ended import run_ended
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure
from shared.log import Stage, log_event, log_exception
from shared.manifest.read import Manifest
from shared.masking import Masker
from shared.outputs.fan_outs import separate_items, with_unfinished_fan_outs
from shared.outputs.record_tasks import build_record
from shared.outputs.recorded_inputs import RecordedInputs
from shared.plan.inputs import input_values
from shared.plan.lookups import MissingData
from shared.plan.plan_round import staging_of, submitted_round
from shared.plan.planner import default_staging
from shared.plan.run_manifest import manifest_of
from shared.steps._flow_outputs import with_outputs
from shared.steps._start_followers import followers, start_followers
from shared.storage.copies import CopyMethod

COPIED_THROUGH_APP = (
    "the files passed through the function app, which is slow: the storage account refuses to read its own blobs"
    " (CannotVerifyCopySource); check its firewall and private endpoints"
)


def finish(app: App, run: Run, state: State | None = None, failure: Failure | None = None) -> None:
    """Write report and record, once, and close the run. Without a `state`, those of its tasks decide.

    A phase of the flow that could not continue is the failure of the run, whatever came after it.
    """
    if failure is None and run.body.early_end and run.body.early_end.rejection:
        state, failure = State.FAILED, run.body.early_end.rejection.failure
    manifest = _readable_manifest(run)
    if run.body.is_partly_unfinished or any(task.items for task in run.body.finished.values()):
        run = run.with_items(app.parts.items(run.id))
    if run.body.is_partly_unfinished and manifest:
        run = _with_unfinished_fan_outs(app, run, manifest)
    if app.copies.method is CopyMethod.BLOCKS_THROUGH_APP:
        run = run.with_warnings([RunProblem(message=COPIED_THROUGH_APP)])
    inputs = _inputs(app, run, manifest)
    record = build_record(run, manifest, inputs, state, failure, prices=app.settings.prices, now=app.now())
    if manifest and state is None:
        record = with_outputs(app, run, manifest, record)
    if items := separate_items(run):
        app.results.write_items(run, items)
    _write_report(app, run, record, manifest)
    stored = app.results.write_record(run, record)
    log_event(Stage.RECORD, "recorded", run=run.id, state=record.state, ms=_milliseconds(run, record))
    _follow(app, run, stored)


def follow_record(app: App, run: Run) -> bool:
    """If the run has a record, do everything that follows it; returns whether it has."""
    try:
        stored = app.results.record(run)
    except ValidationError as error:  # the mask of a secret is in place of one of the record's own words
        log_event(Stage.RECORD, "run-ended-left-out", level=logging.ERROR, run=run.id, reason=str(error))
        close(app, run)
        return True
    if stored is None:
        return False
    _follow(app, run, stored)
    return True


def _follow(app: App, run: Run, stored: Record) -> None:
    """Do what follows the record: start what follows the run, note and tell the end, and close the run."""
    start_followers(app, run, stored)
    app.ledger.append(Stage.RECORD, recorded_line(stored, run.results))
    app.events.publish_end(run_ended(stored, app.results.address(run)))
    close(app, run)


def _with_unfinished_fan_outs(app: App, run: Run, manifest: Manifest) -> Run:
    """The run with the records of fan-outs some of whose items were to be run again, but will not."""
    try:
        plan = submitted_round(manifest, run, app.settings)
    except Exception:  # noqa: BLE001 - the run is recorded without them rather than not at all
        log_exception(Stage.RECORD, "unfinished-not-recorded", run=run.id)
        return run
    return run if isinstance(plan, MissingData) else with_unfinished_fan_outs(run, plan)


def _write_report(app: App, run: Run, record: Record, manifest: Manifest | None) -> None:
    """Write the page for people; the run is recorded also if that fails."""
    try:
        from shared.steps._write_report import write_report

        write_report(app.results, run, record, manifest, _followers(app, run, record))
    except Exception:  # noqa: BLE001 - no fault of the report may keep a run open
        log_exception(Stage.RECORD, "report-failed", run=run.id)


def _followers(app: App, run: Run, record: Record) -> list[Run]:
    try:
        return followers(app, run, record)
    except AzureError:  # the report is written without them; that they start does not depend on it
        log_exception(Stage.RECORD, "followers-not-in-report", run=run.id)
        return []


def _milliseconds(run: Run, record: Record) -> int:
    """How long the run took, from the drop to the record."""
    recorded = record.timings.recorded or run.body.dropped
    return round((recorded - run.body.dropped).total_seconds() * 1000)


def _readable_manifest(run: Run) -> Manifest | None:
    try:
        return manifest_of(run)
    except Exception:  # noqa: BLE001 - whatever is wrong with the manifest, the run is recorded
        return None


def _inputs(app: App, run: Run, manifest: Manifest | None) -> RecordedInputs:
    if manifest is None:
        return RecordedInputs()
    try:
        inputs = input_values(manifest, run, app.settings)
    except Exception:  # noqa: BLE001 - the run is recorded without them rather than not at all
        log_exception(Stage.RECORD, "inputs-not-recorded", run=run.id)
        return RecordedInputs()
    return RecordedInputs.of(inputs.values, inputs.given, Masker.of(app.settings))


def finish_rejected(app: App, run: Run, rejection: Rejection) -> None:
    """Record a run that cannot go on: REJECTED if the manifest is wrong and no task ever ran, otherwise FAILED."""
    if rejection.category is FailureCategory.USER and not run.body.jobs:
        finish(app, run, State.REJECTED)
        return
    finish(app, run, State.FAILED, rejection.failure)


def finish_cancelled(app: App, run: Run) -> None:
    """Record a run that was cancelled while it was queued."""
    finish(app, run, State.KILLED)


def finish_refused(app: App, run: Run) -> None:
    """Record a run that its flow does not let wait: KILLED or FAILED, as the flow's `concurrency` says."""
    limit = run.progress.limit
    if limit is None:
        return  # another invocation has written the document
    state = State.KILLED if limit.behavior is Behavior.CANCEL else State.FAILED
    message = (
        f"as many runs of the flow {limit.flow} were under way as its `concurrency` allows; drop the manifest again"
        " when they have ended"
    )
    failure = Failure(category=FailureCategory.USER, code=FailureCode.CONCURRENCY_LIMIT, message=message)
    finish(app, run, state, failure)


def close(app: App, run: Run) -> None:
    """Remove the run's jobs, staged files, status, parts and document. Can be repeated after an interruption."""
    if not run.body.keep_jobs:
        for number in range(1, run.progress.round + 1):
            app.batch.delete(job_id(run.id, number))
    app.staging.clear(run.body.staging or _planned_staging(app, run), run.id)
    app.results.remove_status(run)
    if run.body.may_have_parts:
        app.parts.remove(run.id)
    app.runs.remove(run.id)


def _planned_staging(app: App, run: Run) -> str:
    """The staging container of a run without any submitted task; files may have been staged nevertheless."""
    try:
        return staging_of(manifest_of(run), run, app.settings)
    except Exception:  # noqa: BLE001 - whatever is wrong with the manifest, it must not keep the run open
        return default_staging(run, app.settings)
