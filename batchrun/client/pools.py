"""The pools of an app's Batch account, as far as they decide whether a manifest can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azure.core.exceptions import AzureError

from batchrun.client._connections import Connections
from batchrun.client._faults import batch_failure
from batchrun.client.apps import App

_ANSWER_SECONDS = 10
"""Nobody waits longer for an answer without which a manifest can be checked all the same."""


@dataclass(frozen=True)
class Pools:
    """How many task slots a node has, by the id of its pool; None if that is not known, for the reason `hidden`."""

    slots_per_node: Mapping[str, int] | None = None
    hidden: str = ""


def pools_of(app: App) -> Pools:
    """Ask the Batch account of an app, once."""
    if not app.is_there:
        return Pools()
    with Connections(app.services) as connections:
        if connections.batch is None:
            return Pools()
        try:
            found = connections.batch.list_pools(
                select=["id", "taskSlotsPerNode"], retry_total=0, read_timeout=_ANSWER_SECONDS
            )
            return Pools({pool.id: pool.task_slots_per_node or 1 for pool in found})
        except AzureError as error:
            return Pools(hidden=batch_failure(error, connections.services))
