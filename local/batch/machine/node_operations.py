"""What clients can ask of single nodes: https://learn.microsoft.com/rest/api/batchservice/nodes."""

from __future__ import annotations

from typing import NoReturn

from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.jobs import Jobs
from local.batch.machine.node_passages import NodePassages
from local.batch.machine.nodes import Nodes
from local.batch.machine.state import State
from local.batch.models.node import RunningTasksOption, SchedulingState
from local.batch.models.pool import Node, NodeState, Pool

_REFUSALS = {
    NodeState.CREATING: ErrorCode.NODE_BEING_CREATED,
    NodeState.REBOOTING: ErrorCode.NODE_BEING_REBOOTED,
    NodeState.REIMAGING: ErrorCode.NODE_BEING_REIMAGED,
    NodeState.STARTING: ErrorCode.NODE_BEING_STARTED,
    NodeState.UNUSABLE: ErrorCode.NODE_STATE_UNUSABLE,
}
_REACHABLE = frozenset(
    {NodeState.IDLE, NodeState.LEAVING_POOL, NodeState.START_TASK_FAILED, NodeState.WAITING_FOR_START_TASK}
)
"""The states in which a node answers."""


class NodeOperations:
    """Reboots nodes, switches them off and on, and keeps tasks away from them."""

    def __init__(self, state: State, nodes: Nodes, jobs: Jobs, passages: NodePassages) -> None:
        self._state = state
        self._nodes = nodes
        self._jobs = jobs
        self._passages = passages

    def reboot(self, pool_id: str, node_id: str, running: RunningTasksOption) -> None:
        """Restart an idle or running node; its files stay. BatchError as `require_usable`."""
        self._leave(pool_id, node_id, NodeState.REBOOTING, running)

    def reimage(self, pool_id: str, node_id: str) -> NoReturn:
        """Refuse: "This API can be invoked only on Pools created with the cloud service configuration property"."""
        self._nodes.find(pool_id, node_id)
        raise BatchError(ErrorCode.OPERATION_NOT_VALID_ON_NODE)

    def deallocate(self, pool_id: str, node_id: str, running: RunningTasksOption) -> None:
        """Switch an idle or running node off; it loses its files, but not its place. BatchError as `require_usable`."""
        self._leave(pool_id, node_id, NodeState.DEALLOCATING, running)

    def start(self, pool_id: str, node_id: str) -> None:
        """Switch a deallocated node on. BatchError NodeNotFound, OperationInvalidForCurrentState for other nodes."""
        pool, node = self._state.pool(pool_id), self._nodes.find(pool_id, node_id)
        if node.state is not NodeState.DEALLOCATED:
            raise _refusal(node)
        self._passages.enter(pool, node, NodeState.STARTING)

    def disable_scheduling(self, pool_id: str, node_id: str, running: RunningTasksOption) -> None:
        """Give a node no more tasks. BatchError NodeNotFound, NodeAlreadyInTargetSchedulingState."""
        pool, node = self._scheduled(pool_id, node_id, SchedulingState.DISABLED)
        self._state.put_node(pool.id, node)
        self._jobs.stop_tasks_on({node.id}, running)

    def enable_scheduling(self, pool_id: str, node_id: str) -> None:
        """Give a node tasks again. BatchError NodeNotFound, NodeAlreadyInTargetSchedulingState."""
        pool, node = self._scheduled(pool_id, node_id, SchedulingState.ENABLED)
        self._state.put_node(pool.id, node)

    def _leave(self, pool_id: str, node_id: str, passing: NodeState, running: RunningTasksOption) -> None:
        pool, node = self._state.pool(pool_id), self._nodes.find(pool_id, node_id)
        require_usable(node)
        self._passages.enter(pool, node, passing)
        self._jobs.stop_tasks_on({node.id}, running)

    def _scheduled(self, pool_id: str, node_id: str, wanted: SchedulingState) -> tuple[Pool, Node]:
        node = self._nodes.find(pool_id, node_id)
        if node.scheduling_state is wanted:
            raise BatchError(ErrorCode.NODE_ALREADY_IN_TARGET_SCHEDULING_STATE)
        return self._state.pool(pool_id), node.changed(scheduling_state=wanted)


def require_reachable(node: Node) -> None:
    """Refuse what needs a node that answers: its files. BatchError as `require_usable`."""
    if node.state not in _REACHABLE:
        raise _refusal(node)


def require_usable(node: Node) -> None:
    """Refuse what only an idle or running node takes; one without scheduling is offline to clients.

    BatchError: NodeBeingCreated, NodeBeingStarted, NodeBeingRebooted, NodeBeingReimaged, NodeStateUnusable,
    OperationInvalidForCurrentState.
    """
    if not node.takes_tasks:
        raise _refusal(node)


def _refusal(node: Node) -> BatchError:
    return BatchError(_REFUSALS.get(node.state, ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE))
