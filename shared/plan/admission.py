"""Whether a run must wait for other runs of its flow: its flow has `concurrency`, and no tick has admitted it yet."""

from __future__ import annotations

from shared.documents.flow_limit import FlowLimit
from shared.documents.run import Run
from shared.manifest.read import Manifest
from shared.plan.plan_round import plan_round
from shared.settings import Settings

NO_NAMESPACE = "-"  # no namespace can be called so


def limit_to_wait_for(manifest: Manifest, run: Run, settings: Settings) -> FlowLimit | None:
    """The limit of the flow, if the run may not begin before it is admitted; otherwise None.

    Raises ManifestError with what planning finds wrong, so that nobody waits to be told of a mistake. What a retry
    takes over is not there yet, so it is planned only when it begins.
    """
    flow = manifest.flow
    if flow.concurrency is None or run.progress.admitted:
        return None
    if run.body.earlier is None:
        plan_round(manifest, run, settings)
    name = f"{flow.namespace or NO_NAMESPACE}/{flow.id}"
    return FlowLimit(name, flow.concurrency.limit, flow.concurrency.behavior)
