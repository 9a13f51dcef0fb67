"""What Batch would accept but never run: the app refuses it, and the client says so before a manifest is dropped."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import ManifestError
from shared.manifest.read import Manifest
from shared.plan.round_plan import RoundPlan


def check_pool(manifest: Manifest, plan: RoundPlan, slots_per_node: Mapping[str, int]) -> None:
    """Raise ManifestError for a pool that does not exist, or whose nodes have too few task slots.

    `slots_per_node` has the pools of the Batch account by their ids.
    """
    slots = slots_per_node.get(plan.pool_id)
    if slots is None:
        known = ", ".join(sorted(slots_per_node)) or "none"
        message = f"there is no pool {plan.pool_id!r} in the Batch account; its pools are: {known}"
        raise ManifestError([manifest.problem_of_task(plan.tasks[0].name, ("taskRunner", "poolId"), message)])
    if too_large := [task for task in plan.tasks if task.slots > slots]:
        message = f"the nodes of pool {plan.pool_id!r} have {slots} task slots"
        raise ManifestError([manifest.problem_of_task(task.name, ("requiredSlots",), message) for task in too_large])
