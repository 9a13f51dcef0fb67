"""What a run request asks for, as it is at the time of acceptance: the stored flow, or the earlier run to run again.

It is read before the run document is created: a stored flow may change, and the version that was read is the one that
runs. https://learn.microsoft.com/azure/storage/blobs/concurrency-manage
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from shared.app import App
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.names import run_in_results
from shared.documents.run import EarlierRun
from shared.manifest.read import is_json
from shared.manifest.request import find_request


@dataclass(frozen=True)
class Requested:
    """The flow of a run whose manifest names it, the earlier run that it retries, and that run's default pool."""

    flow: ManifestBlob | None = None
    earlier: EarlierRun | None = None
    default_pool: str | None = None


def resolve_request(app: App, manifest: ManifestBlob) -> Requested:
    """What a manifest asks for; nothing if it has its flow in itself.

    What cannot be had is said in the flow's `unreadable`: the run is then rejected.
    """
    request = find_request(manifest.text, as_json=is_json(manifest.name)) if manifest.text else None
    if request is None or isinstance(request.flow, dict):
        return Requested()
    if request.retry:
        return _earlier_run(app, request.retry, request.from_)
    return Requested(app.flows.read(request.flow))


def _earlier_run(app: App, folder: str, begin: tuple[str, ...]) -> Requested:
    run_id = run_in_results(folder) or folder
    earlier = EarlierRun(run_id=run_id, results=folder, begin=begin)
    try:
        record = app.results.record_in(folder)
    except ValidationError:
        return _refused(earlier, f"the record of {folder!r} cannot be read: it may be of a newer version of the app")
    if record is None:
        why = "is open still: wait until it has ended" if app.runs.load(run_id) else "is not there"
        return _refused(earlier, f"there is no record of a run in {folder!r} of the results: it {why}")
    if record.masked_inputs:
        names = ", ".join(record.masked_inputs)
        return _refused(earlier, f"the values of inputs of {run_id!r} hold secrets ({names}): drop a new run request")
    flow = app.results.flow_of(folder, record)
    if flow.text is None:
        return _refused(earlier, flow.unreadable or "")
    earlier = earlier.model_copy(update={"inputs": record.inputs, "labels": record.labels, "seed": record.seed})
    return Requested(flow, earlier, record.default_pool)


def _refused(earlier: EarlierRun, why: str) -> Requested:
    blob = ManifestBlob(name=earlier.results, etag="", sha256=None, text=None, unreadable=why)
    return Requested(blob, earlier)
