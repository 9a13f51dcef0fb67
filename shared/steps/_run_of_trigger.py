"""A run that a trigger of a stored flow starts: its document, created once for each due time or run that ended."""

from __future__ import annotations

from dataclasses import dataclass

from shared.app import App
from shared.documents.early_end import Rejection
from shared.documents.ledger import accepted_line
from shared.documents.manifest_blob import ManifestBlob, manifest_blob
from shared.documents.names import follower_run_id, scheduled_run_id, stored_flow_blob
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import FailureCategory, FailureCode
from shared.documents.trigger import StartedBy
from shared.errors import ManifestError
from shared.log import Stage, log_event
from shared.manifest.read import Manifest
from shared.manifest.request import request_text
from shared.manifest.triggers import FlowTrigger, Schedule
from shared.plan.run_manifest import stored_manifest
from shared.plan.triggers import StartedWith, TriggerRefused, given_by, starts

NOTHING = StartedWith({}, {})


@dataclass(frozen=True)
class StoredFlow:
    """A version of a stored flow that can be read."""

    name: str
    blob: ManifestBlob
    manifest: Manifest


def read_stored_flow(app: App, name: str) -> StoredFlow | None:
    """The current version of a stored flow; None if it is gone or wrong, which the listing of the flows tells."""
    blob = app.flows.read(name)
    try:
        return StoredFlow(name, blob, stored_manifest(blob, name))
    except ManifestError:
        return None


def starts_run(app: App, flow: StoredFlow, trigger: Schedule | FlowTrigger, by: StartedBy) -> bool:
    """Whether a trigger starts a run; also if it cannot say so: then the record of the run tells why."""
    try:
        return starts(trigger, flow.manifest.flow, by, app.settings)
    except TriggerRefused:
        return True


def run_of_trigger(
    app: App, flow: StoredFlow, trigger: Schedule | FlowTrigger, by: StartedBy, refused: str | None = None
) -> Run:
    """The run that a trigger starts, before it is stored. It is rejected if it is `refused`, or cannot be rendered."""
    given = NOTHING
    try:
        starts(trigger, flow.manifest.flow, by, app.settings)
        given = given_by(trigger, flow.manifest.flow, by, app.settings)
    except TriggerRefused as why:
        refused = refused or str(why)
    accepted = app.now()
    body = RunBody(
        run_id=_run_id(by),
        manifest=_request(by.flow, given),
        flow=flow.blob,
        trigger=by,
        dropped=accepted,
        accepted=accepted,
        default_pool=app.settings.batch.pool_id,
        default_staging=app.settings.containers.staging,
        rejection=_rejection(refused) if refused else None,
    )
    return Run(body, Progress(accepted=accepted, by_tick=True))


def _run_id(by: StartedBy) -> str:
    if by.ended:
        return follower_run_id(by.flow, by.id, by.ended.run_id, by.ended.ended)
    assert by.due  # noqa: S101 - one of both
    return scheduled_run_id(by.flow, by.id, by.due.date)


def _request(flow: str, given: StartedWith) -> ManifestBlob:
    """The run request that somebody could have dropped instead; its name, as the folder of results, is the flow's."""
    text = request_text(flow, given.inputs, given.labels)
    blob = manifest_blob(stored_flow_blob(flow) or flow, "", text.encode())
    return blob.model_copy(update={"etag": (blob.sha256 or "")[:16]})


def _rejection(why: str) -> Rejection:
    return Rejection.by_app(FailureCategory.USER, FailureCode.INVALID_MANIFEST, why)


def create_run(app: App, run: Run) -> Run | None:
    """Store a run that a trigger starts; None if it is there already, or was, which its record tells."""
    return None if app.results.has_record(run) else app.runs.create(run)


def note_accepted(app: App, stage: Stage, run: Run) -> None:
    """Tell that a run was accepted."""
    trigger = run.body.trigger
    log_event(stage, "accepted", run=run.id, trigger=f"{trigger.flow}#{trigger.id}" if trigger else None)
    app.ledger.append(stage, accepted_line(run))
