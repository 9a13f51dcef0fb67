"""The nodes of pools: how clients see them, how they come, fall out and come back."""

from __future__ import annotations

import hashlib

from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.commands import LoseNode
from local.batch.machine.job_nodes import JobNodes
from local.batch.machine.runs import Runs
from local.batch.machine.start_tasks import StartTasks, in_state
from local.batch.machine.state import State
from local.batch.models.common import key_of
from local.batch.models.pool import Node, NodeError, NodeState, Pool


class Nodes:
    """What can be asked of nodes, and done to them on demand."""

    def __init__(self, state: State, runs: Runs, job_nodes: JobNodes, start_tasks: StartTasks) -> None:
        self._state = state
        self._runs = runs
        self._job_nodes = job_nodes
        self._start_tasks = start_tasks

    def all(self, pool_id: str) -> list[Node]:
        """Return the nodes of a pool as clients see them, by id."""
        nodes = (self._shown(node) for node in self._state.pool(pool_id).nodes)
        return sorted(nodes, key=lambda node: key_of(node.id))

    def get(self, pool_id: str, node_id: str) -> Node:
        """Return a node as clients see it; BatchError PoolNotFound or NodeNotFound if there is none."""
        return self._shown(self._find(pool_id, node_id))

    def set_state(self, pool_id: str, node_id: str, state: NodeState, errors: tuple[NodeError, ...] = ()) -> None:
        """Put a node into a state, as failures, preemption and recovery do.

        A node that leaves the state `idle` dies: what runs on it runs again elsewhere (counted as a requeue, not as a
        retry), and its files are lost. Back in `idle` it takes tasks again, after its start task.

        BatchError PoolNotFound, NodeNotFound, OperationInvalidForCurrentState for one that leaves its pool.
        """
        pool, node = self._state.pool(pool_id), self._find(pool_id, node_id)
        if node.state is NodeState.LEAVING_POOL:
            raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE)
        if state is NodeState.IDLE and node.state is not NodeState.IDLE:
            changed = self._start_tasks.join(pool, node).changed(errors=errors)
        else:
            changed = in_state(node, state, self._state).changed(errors=errors)
        self._state.put_pool(pool.changed(nodes=tuple(changed if each.id == node.id else each for each in pool.nodes)))
        if state is not NodeState.IDLE:
            self._state.command(LoseNode(pool.id, node.id))
            self._job_nodes.node_rebooted(node.id, wiped=True)
            self._runs.lose_all(pool.id, node.id)

    def _find(self, pool_id: str, node_id: str) -> Node:
        nodes = self._state.pool(pool_id).nodes
        found = next((node for node in nodes if key_of(node.id) == key_of(node_id)), None)
        if found is None:
            raise BatchError(ErrorCode.NODE_NOT_FOUND)
        return found

    def _shown(self, node: Node) -> Node:
        busy = node.state is NodeState.IDLE and self._state.running_tasks[node.id]
        return node.changed(state=NodeState.RUNNING) if busy else node


def new_node(pool: Pool, number: int, state: State, *, dedicated: bool) -> Node:
    """Return a node that is being created; its id looks like the service's, and no other node has it."""
    now = state.now()
    digest = hashlib.sha256(f"{pool.id}/{pool.creation_time.isoformat()}/{number}".encode()).hexdigest()
    return Node(
        id=f"tvmps_{digest}_{'d' if dedicated else 'p'}",
        state=NodeState.CREATING,
        state_transition_time=now,
        allocation_time=now,
        is_dedicated=dedicated,
    )
