"""What a run request asks for, as it is at the time of acceptance: the stored flow, or the earlier run to run again.

It is read before the run document is created: a stored flow may change, and the version that was read is the one that
runs. https://learn.microsoft.com/azure/storage/blobs/concurrency-manage
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from shared.app import App
from shared.documents.earlier_run import EarlierRun
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.names import run_in_results, stored_flow_blob
from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.trigger import StartedBy
from shared.errors import RunUnreadable
from shared.manifest.read import is_json
from shared.manifest.request import INPUTS, RunRequest, find_request
from shared.masking import MASK


@dataclass(frozen=True)
class Requested:
    """The flow of a run whose manifest names it; the earlier run that it retries, its default pool and its trigger."""

    flow: ManifestBlob | None = None
    earlier: EarlierRun | None = None
    default_pool: str | None = None
    trigger: StartedBy | None = None


class _Refused(Exception):  # noqa: N818 - not an error: a reason
    """Why a run cannot be run again."""


def resolve_request(app: App, manifest: ManifestBlob) -> Requested:
    """What a manifest asks for; nothing if it has its flow in itself.

    What cannot be had is said in the flow's `unreadable`: the run is then rejected.
    """
    request = _request_in(manifest)
    if request is None or isinstance(request.flow, dict):
        return Requested()
    if request.retry is None:
        return Requested(app.flows.read(request.flow))
    folder = request.retry
    earlier = EarlierRun(run_id=run_in_results(folder) or folder, results=folder, begin=request.from_)
    try:
        return _earlier_run(app, earlier, request)
    except _Refused as why:
        blob = ManifestBlob(name=folder, etag="", sha256=None, text=None, unreadable=str(why))
        return Requested(blob, earlier)


def _request_in(manifest: ManifestBlob) -> RunRequest | None:
    try:
        return find_request(manifest.text, as_json=is_json(manifest.name)) if manifest.text else None
    except Exception:  # noqa: BLE001 - it is read again once the run has a document, which can then say so
        return None


def _earlier_run(app: App, earlier: EarlierRun, request: RunRequest) -> Requested:
    """The run that a retry runs again. Raises _Refused."""
    record = _record(app, earlier)
    flow = app.results.flow_of(earlier.results, record)
    if flow.text is None:
        raise _Refused(flow.unreadable or "")
    _check(record, flow, request)
    update = {
        "inputs": record.inputs,
        "labels": record.labels,
        "seed": record.seed,
        "of_stored_flow": _is_stored(record),
    }
    return Requested(flow, earlier.model_copy(update=update), record.default_pool, record.trigger)


def _is_stored(record: Record) -> bool:
    """Whether the flow of a run is a stored one; the name tells, as a retry has the source of the run before it."""
    flow = record.flow
    return flow.source is not None and flow.source.name == stored_flow_blob(f"{flow.namespace}/{flow.id}")


def _record(app: App, earlier: EarlierRun) -> Record:
    folder = earlier.results
    try:
        record = app.results.record_in(folder)
    except ValidationError as error:
        why = f"the record of {folder!r} cannot be read: it is damaged, or of a newer version of the app"
        raise _Refused(why) from error
    if record is None:
        why = "is open still: wait until it has ended" if _is_open(app, earlier.run_id) else "is not there"
        raise _Refused(f"there is no record of a run in {folder!r} of the results: it {why}")
    if record.run_id != earlier.run_id:
        raise _Refused(f"the record in {folder!r} is that of another run, {record.run_id!r}: name the folder of that")
    return record


def _is_open(app: App, run_id: str) -> bool:
    try:
        return app.runs.load(run_id) is not None
    except RunUnreadable:  # it is there
        return True


def _check(record: Record, flow: ManifestBlob, request: RunRequest) -> None:
    """Raise _Refused if the run had no flow, or what it was given is not known from its record as it was."""
    instead = "drop a new run request, which has the `flow` and its `inputs`"
    if (named := _request_in(flow)) and not isinstance(named.flow, dict):
        raise _Refused(f"the run {record.run_id!r} was rejected before it had a flow: drop its manifest again")
    if record.masked_inputs:
        names = ", ".join(record.masked_inputs)
        raise _Refused(f"the values of inputs of {record.run_id!r} hold secrets ({names}): {instead}")
    wrong = [path for error in record.errors if (path := error.path or "").startswith(f"{INPUTS}.")]
    if wrong and record.state is State.REJECTED:
        raise _Refused(f"the run {record.run_id!r} was rejected for what it was given ({', '.join(wrong)}): {instead}")
    labels = [name for name, value in record.labels.items() if MASK in name + value and name not in request.labels]
    if labels:
        names = ", ".join(labels)
        raise _Refused(f"labels of {record.run_id!r} hold secrets ({names}): give them again, in `labels` of the retry")
