"""The outputs of a flow, in the record of its run: rendered when all tasks have ended, from values, files and logs.

What they read is not kept: the record is written once, and all that follows is built from the record.
"""

from __future__ import annotations

from shared.app import App
from shared.documents.record import Record, RunProblem
from shared.documents.run import Run
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure
from shared.log import Stage, log_exception
from shared.manifest.read import Manifest
from shared.plan.flow_outputs import FlowOutputs, outputs_of
from shared.plan.lookups import MissingData
from shared.steps._external_data import MAX_READINGS, read_blobs

_CANNOT_BE_RENDERED = "the flow's outputs cannot be rendered"


def with_outputs(app: App, run: Run, manifest: Manifest, record: Record) -> Record:
    """The record of a run that has come to its end, with the flow's outputs.

    A run that ended well has FAILED if they cannot be rendered; one that was cancelled has none, as in Kestra.
    """
    if not manifest.flow.outputs or record.state is State.KILLED:
        return record
    try:
        found = _rendered(app, run, manifest)
    except Exception:  # noqa: BLE001 - the run is recorded without them rather than not at all
        log_exception(Stage.RECORD, "outputs-not-rendered", run=run.id)
        return _failed(record, FailureCategory.INTERNAL, f"{_CANNOT_BE_RENDERED} because of an error of the app")
    if found.problems:
        return _failed(record, FailureCategory.USER, "; ".join([_CANNOT_BE_RENDERED, *map(str, found.problems)]))
    warnings = (*record.warnings, *map(RunProblem.of, found.warnings))
    return record.model_copy(update={"outputs": dict(found.values), "warnings": warnings})


def _rendered(app: App, run: Run, manifest: Manifest) -> FlowOutputs:
    for _ in range(MAX_READINGS):
        found = outputs_of(manifest, run, app.settings)
        if not isinstance(found, MissingData):
            return found
        known = run.body.outside
        run = run.with_external_data(known.joined(read_blobs(app, found, known)))
    raise ValueError(f"they still ask for more files after {MAX_READINGS} readings")


def _failed(record: Record, category: FailureCategory, message: str) -> Record:
    if record.state is State.FAILED:
        return record.model_copy(update={"warnings": (*record.warnings, RunProblem(message=message, path="outputs"))})
    failure = Failure(category=category, code=FailureCode.OUTPUTS_NOT_RENDERED, message=message)
    return record.model_copy(update={"state": State.FAILED, "failure": record.failure or failure})
