"""Why tasks wait: what Batch reports of their pool and its nodes → a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.documents.record import PoolNodes

_USABLE = ("idle", "running")
_IN_WORDS = {
    "creating": "being created",
    "starting": "starting",
    "waiting_for_start_task": "running their start task",
    "start_task_failed": "with a start task that failed",
    "unusable": "unusable",
    "offline": "offline",
    "preempted": "preempted",
    "rebooting": "rebooting",
    "reimaging": "being reimaged",
    "leaving_pool": "leaving the pool",
    "unknown": "out of reach",
    "deallocated": "deallocated",
    "deallocating": "being deallocated",
    "upgrading_os": "being upgraded",
}

NODE_STATES = (*_USABLE, *_IN_WORDS)


@dataclass(frozen=True)
class Pool:
    """A pool as the app knows it: its size, and how its last resize went.

    `resized` is when its allocation state last changed.
    """

    id: str
    slots_per_node: int
    vm_size: str | None = None
    target_nodes: int = 0
    is_resizing: bool = False
    has_autoscale: bool = False
    resize_errors: tuple[str, ...] = ()
    resized: datetime | None = None

    @property
    def nodes(self) -> PoolNodes:
        """What its nodes are."""
        return PoolNodes(vm_size=self.vm_size, slots=self.slots_per_node)


def why_tasks_wait(pool: Pool | None, pool_id: str, nodes: Mapping[str, int], now: datetime) -> str | None:
    """Why no task can start in a pool now; None if it has usable nodes. `nodes` are numbers of nodes by state."""
    if pool is None:
        return f"the pool {pool_id} does not exist any more"
    if any(nodes.get(state) for state in _USABLE):
        return None
    counted = ", ".join(f"{nodes[state]} {words}" for state, words in _IN_WORDS.items() if nodes.get(state))
    if counted:
        return f"none of the nodes of the pool {pool_id} can run tasks: {counted}"
    return f"the pool {pool_id} has no nodes: {_why_no_nodes(pool, now)}"


def _why_no_nodes(pool: Pool, now: datetime) -> str:
    if pool.resize_errors:
        age = f" {_ago(now - pool.resized)}" if pool.resized else ""
        return f"its last resize failed{age}: {'; '.join(pool.resize_errors)}"
    if pool.is_resizing and pool.target_nodes:
        return f"it is being resized to {pool.target_nodes}"
    if pool.has_autoscale:
        return "its autoscale formula has not asked for any yet"
    return "its target is 0; resize it"


def _ago(age: timedelta) -> str:
    minutes = round(age.total_seconds() / 60)
    return f"{minutes} minutes ago" if minutes < 120 else f"{minutes // 60} hours ago"  # noqa: PLR2004 - two hours
