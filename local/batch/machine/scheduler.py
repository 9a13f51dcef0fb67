"""Which task starts next on which node: pure choices over what the machine holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.batch.machine.job_tasks import JobTasks
from local.batch.models.job import UNLIMITED_PARALLEL_TASKS, Job
from local.batch.models.pool import NodeFillType
from local.batch.models.task import Task

CREATION_TIME_ORDER = "creationtime"


@dataclass(frozen=True)
class Candidate:
    """A job of the pool that may run tasks, its tasks, and the nodes that run none of them."""

    job: Job
    tasks: JobTasks
    refused_nodes: frozenset[str] = frozenset()

    @property
    def may_run_more(self) -> bool:
        """Whether a task is ready and the job's own limit of parallel tasks allows it."""
        limit = self.job.max_parallel_tasks
        return self.tasks.has_ready and (limit == UNLIMITED_PARALLEL_TASKS or self.tasks.running_count < limit)


@dataclass(frozen=True)
class Assignment:
    """A task that starts now, and where."""

    job: Job
    task: Task
    node_id: str


def next_assignment(
    candidates: Iterable[Candidate], free_slots: Mapping[str, int], fill: NodeFillType, job_order: str | None
) -> Assignment | None:
    """Return what starts next in a pool, or None if nothing can.

    Jobs of higher priority go first; among equals the one with the fewest running tasks, or the oldest if the pool's
    policy says so. A task that needs more slots than any node has free does not hold up those behind it.
    """
    for candidate in sorted(
        (each for each in candidates if each.may_run_more), key=lambda each: _rank(each, job_order)
    ):
        allowed = {node_id: free for node_id, free in free_slots.items() if node_id not in candidate.refused_nodes}
        for task in candidate.tasks.ready(max(allowed.values(), default=0)):
            node_id = _choose_node(allowed, task.required_slots, fill)
            if node_id is not None:
                return Assignment(candidate.job, task, node_id)
    return None


def _rank(candidate: Candidate, job_order: str | None) -> tuple[int, int, float]:
    running = 0 if (job_order or "").lower() == CREATION_TIME_ORDER else candidate.tasks.running_count
    return (-candidate.job.priority, running, candidate.job.creation_time.timestamp())


def _choose_node(free_slots: Mapping[str, int], required: int, fill: NodeFillType) -> str | None:
    fitting = [(free, node_id) for node_id, free in free_slots.items() if free >= required]
    if not fitting:
        return None
    wanted = max(fitting)[0] if fill is NodeFillType.SPREAD else min(fitting)[0]
    return next(node_id for free, node_id in fitting if free == wanted)
