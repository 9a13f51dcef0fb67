"""The nodes of pools: how clients see them, how they come, fall out and come back."""

from __future__ import annotations

import hashlib

from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.node_passages import NodePassages
from local.batch.machine.runs import Runs
from local.batch.machine.start_tasks import in_state
from local.batch.machine.state import State
from local.batch.models.common import key_of
from local.batch.models.node import SchedulingState
from local.batch.models.pool import Node, NodeError, NodeState, Pool

_HAS_NO_MACHINE = frozenset(
    {NodeState.CREATING, NodeState.DEALLOCATED, NodeState.LEAVING_POOL, NodeState.PREEMPTED},
)
"""The states in which nothing can be taken from a spot node."""


class Nodes:
    """What can be asked of nodes, and done to them on demand."""

    def __init__(self, state: State, runs: Runs, passages: NodePassages) -> None:
        self._state = state
        self._runs = runs
        self._passages = passages

    def all(self, pool_id: str) -> list[Node]:
        """Return the nodes of a pool as clients see them, by id."""
        nodes = (self._shown(node) for node in self._state.pool(pool_id).nodes)
        return sorted(nodes, key=lambda node: key_of(node.id))

    def get(self, pool_id: str, node_id: str) -> Node:
        """Return a node as clients see it; BatchError PoolNotFound or NodeNotFound if there is none."""
        return self._shown(self.find(pool_id, node_id))

    def find(self, pool_id: str, node_id: str) -> Node:
        """Return a node as the machine knows it; BatchError PoolNotFound or NodeNotFound if there is none."""
        nodes = self._state.pool(pool_id).nodes
        found = next((node for node in nodes if key_of(node.id) == key_of(node_id)), None)
        if found is None:
            raise BatchError(ErrorCode.NODE_NOT_FOUND)
        return found

    def set_state(self, pool_id: str, node_id: str, state: NodeState, errors: tuple[NodeError, ...] = ()) -> None:
        """Put a node into a state, as failures, preemption and recovery do.

        A node that leaves the state `idle` dies: what runs on it runs again elsewhere, and its files are lost. Back in
        `idle` it takes tasks again, after its start task. A preempted one comes back by itself.

        BatchError PoolNotFound, NodeNotFound, OperationInvalidForCurrentState for one that leaves its pool, and for
        the preemption of a dedicated one.
        """
        pool, node = self._state.pool(pool_id), self.find(pool_id, node_id)
        if node.state is NodeState.LEAVING_POOL or (node.is_dedicated and state is NodeState.PREEMPTED):
            raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE)
        node = node.changed(errors=errors)
        if state is not NodeState.IDLE:
            self._lose(pool, node, state)
        elif node.state is not NodeState.IDLE:
            self._passages.boot(pool, node)

    def preempt(self, pool_id: str, count: int | None = None) -> None:
        """Take so many spot nodes from a pool, or all: those first that run the most tasks. BatchError PoolNotFound."""
        pool = self._state.pool(pool_id)
        spot = (node for node in pool.nodes if not node.is_dedicated and node.state not in _HAS_NO_MACHINE)
        busy_first = sorted(spot, key=lambda node: -self._state.running_tasks[node.id])
        for node in busy_first[:count]:
            self._lose(pool, node, NodeState.PREEMPTED)

    def _lose(self, pool: Pool, node: Node, state: NodeState) -> None:
        node = in_state(node, state, self._state).changed(settles_at=None)
        self._passages.lose(pool, node)
        if state is NodeState.PREEMPTED:
            self._passages.enter(pool, self.find(pool.id, node.id), state)
        self._runs.lose_all(pool.id, node.id)

    def _shown(self, node: Node) -> Node:
        if node.state is NodeState.IDLE and self._state.running_tasks[node.id]:
            return node.changed(state=NodeState.RUNNING)
        is_offline = node.state is NodeState.IDLE and node.scheduling_state is SchedulingState.DISABLED
        return node.changed(state=NodeState.OFFLINE) if is_offline else node


def new_node(pool: Pool, number: int, state: State, *, dedicated: bool) -> Node:
    """Return a node that is being created; its id looks like the service's, and no other node has it."""
    now = state.now()
    digest = hashlib.sha256(f"{pool.id}/{pool.creation_time.isoformat()}/{number}".encode()).hexdigest()
    return Node(
        id=f"tvmps_{digest}_{'d' if dedicated else 'p'}",
        number=number,
        state=NodeState.CREATING,
        state_transition_time=now,
        allocation_time=now,
        is_dedicated=dedicated,
    )
