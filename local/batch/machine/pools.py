"""What clients can ask of pools, and how they get and lose nodes."""

from __future__ import annotations

from collections.abc import Collection

from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.commands import RemoveNode
from local.batch.machine.job_nodes import JobNodes
from local.batch.machine.jobs import Jobs
from local.batch.machine.nodes import new_node
from local.batch.machine.start_tasks import StartTasks, in_state
from local.batch.machine.state import AlarmKind, State
from local.batch.models.auto_scale import DEFAULT_INTERVAL
from local.batch.models.common import key_of
from local.batch.models.node import NodeRemove, RunningTasksOption
from local.batch.models.pool import (
    AllocationState,
    Node,
    NodeState,
    Pool,
    PoolCreate,
    PoolIdentity,
    PoolReplace,
    PoolResize,
    PoolState,
    PoolUpdate,
    ResizeError,
    UserAssignedIdentity,
)

_BOOTS_AGAIN = frozenset({NodeState.IDLE, NodeState.WAITING_FOR_START_TASK, NodeState.START_TASK_FAILED})
"""The states from which a node comes back by itself; it stays in others that it was put into."""


class Pools:
    """The operations on pools."""

    def __init__(self, state: State, jobs: Jobs, job_nodes: JobNodes, start_tasks: StartTasks) -> None:
        self._state = state
        self._jobs = jobs
        self._job_nodes = job_nodes
        self._start_tasks = start_tasks

    def create(self, spec: PoolCreate) -> Pool:
        """Add a pool; its nodes are usable a moment later. BatchError PoolExists."""
        if key_of(spec.id) in self._state.pools:
            raise BatchError(ErrorCode.POOL_EXISTS)
        now = self._state.now()
        begins = {"auto_scale_evaluation_interval": spec.auto_scale_evaluation_interval or DEFAULT_INTERVAL}
        pool = Pool(
            **{**dict(spec), **(begins if spec.enable_auto_scale else {})},
            e_tag=self._state.new_etag(),
            last_modified=now,
            creation_time=now,
            state_transition_time=now,
            allocation_state=AllocationState.STEADY,
            allocation_state_transition_time=now,
            auto_scale_due=now if spec.enable_auto_scale else None,
        )
        if spec.enable_auto_scale:
            self._state.set_alarm(now, AlarmKind.POOL_SCALES, pool.id)
        if not (pool.target_dedicated_nodes or pool.target_low_priority_nodes):
            return self._state.put_pool(pool)  # steady at once: test_batch_update_pools of azure-batch
        return self._allocate(pool.changed(allocation_state=AllocationState.RESIZING))

    def all(self) -> list[Pool]:
        """Return all pools, by id."""
        return [pool for _, pool in sorted(self._state.pools.items())]

    def update(self, pool_id: str, update: PoolUpdate) -> None:
        """Change the properties that are given (PATCH)."""
        self.change(pool_id, {name: value for name, value in update if value is not None})

    def replace(self, pool_id: str, replacement: PoolReplace) -> None:
        """Replace all properties that `updateproperties` covers; what is not given is removed."""
        self.change(pool_id, dict(replacement))

    def assign_identities(self, pool_id: str, resource_ids: tuple[str, ...]) -> None:
        """Give the nodes of a pool these identities and no others, which only Azure's resource manager can."""
        identities = tuple(UserAssignedIdentity(resource_id=resource_id) for resource_id in resource_ids)
        identity = PoolIdentity(user_assigned_identities=identities) if identities else None
        if self.existing(pool_id).identity != identity:
            self.change(pool_id, {"identity": identity})

    def resize(self, pool_id: str, resize: PoolResize) -> None:
        """Change the number of nodes; tasks on nodes that leave end as asked for.

        BatchError PoolBeingResized, OperationInvalidForCurrentState for a pool that scales by a formula.
        """
        pool = self._resizable(pool_id)
        dedicated, low_priority = resize.target_dedicated_nodes, resize.target_low_priority_nodes
        self._set_targets(
            pool.changed(resize_timeout=resize.resize_timeout),
            pool.target_dedicated_nodes if dedicated is None else dedicated,
            pool.target_low_priority_nodes if low_priority is None else low_priority,
            resize.node_deallocation_option,
        )

    def remove_nodes(self, pool_id: str, request: NodeRemove) -> None:
        """Let these nodes leave, and lower the pool's targets by them; their tasks end as asked for.

        BatchError NodeNotFound if one of them is not in the pool, and as `resize`; that pools which scale keep their
        nodes is not documented, but reported: Azure/BatchExplorer#2082.
        """
        pool = self._resizable(pool_id)
        wanted = set(map(key_of, request.node_list))
        leaving = [node for node in pool.nodes if key_of(node.id) in wanted]
        if len(leaving) < len(wanted):
            raise BatchError(ErrorCode.NODE_NOT_FOUND)
        dedicated = sum(node.is_dedicated for node in leaving)
        nodes = _leaving(pool, {node.id for node in leaving}, self._state)
        self._set_targets(
            pool.changed(resize_timeout=request.resize_timeout, nodes=nodes),
            max(0, pool.target_dedicated_nodes - dedicated),
            max(0, pool.target_low_priority_nodes - (len(leaving) - dedicated)),
            request.node_deallocation_option,
        )

    def scale(self, pool: Pool, dedicated: int, low_priority: int, option: RunningTasksOption) -> None:
        """Change the number of nodes as a formula says, also while others come or go; it tries again what failed."""
        wanted = (dedicated, low_priority)
        is_there = wanted == (pool.count(dedicated=True), pool.count(dedicated=False))
        is_asked_for = wanted == (pool.target_dedicated_nodes, pool.target_low_priority_nodes)
        if not is_asked_for or (pool.allocation_state is AllocationState.STEADY and not is_there):
            self._set_targets(pool, dedicated, low_priority, option)

    def change(self, pool_id: str, properties: dict[str, object]) -> None:
        """Give a pool other properties. BatchError PoolNotFound, PoolBeingDeleted."""
        pool = self.existing(pool_id)
        self._state.put_pool(pool.changed(**properties, e_tag=self._state.new_etag(), last_modified=self._state.now()))

    def existing(self, pool_id: str) -> Pool:
        """Return a pool that stays. BatchError PoolNotFound, PoolBeingDeleted."""
        pool = self._state.pool(pool_id)
        if pool.state is PoolState.DELETING:
            raise BatchError(ErrorCode.POOL_BEING_DELETED)
        return pool

    def _resizable(self, pool_id: str) -> Pool:
        pool = self.existing(pool_id)
        if pool.enable_auto_scale:
            reason = "The pool is configured for automatic scaling."
            raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE, Reason=reason)
        if pool.allocation_state is not AllocationState.STEADY:
            raise BatchError(ErrorCode.POOL_BEING_RESIZED)
        return pool

    def _set_targets(self, pool: Pool, dedicated: int, low_priority: int, option: RunningTasksOption) -> None:
        now = self._state.now()
        resizing = pool.changed(
            target_dedicated_nodes=dedicated,
            target_low_priority_nodes=low_priority,
            allocation_state=AllocationState.RESIZING,
            allocation_state_transition_time=now,
            resize_errors=(),
            deallocation=option,
            e_tag=self._state.new_etag(),
            last_modified=now,
        )
        self._allocate(resizing)

    def stop_resize(self, pool_id: str) -> None:
        """Leave the pool with the nodes that it has; a pool that is not being resized has nothing to stop.

        BatchError OperationInvalidForCurrentState.
        """
        pool = self.existing(pool_id)
        if pool.allocation_state is not AllocationState.RESIZING:
            raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE)
        now = self._state.now()
        stopping = pool.changed(
            allocation_state=AllocationState.STOPPING,
            allocation_state_transition_time=now,
            nodes=tuple(node for node in pool.nodes if not node.is_new),
            e_tag=self._state.new_etag(),
            last_modified=now,
        )
        self._settle_later(stopping)

    def delete(self, pool_id: str) -> None:
        """Remove a pool and its nodes; what runs on them runs again if its job ever gets a pool of this id."""
        pool = self.existing(pool_id)
        now = self._state.now()
        leaving = pool.changed(
            state=PoolState.DELETING,
            state_transition_time=now,
            target_dedicated_nodes=0,
            target_low_priority_nodes=0,
            deallocation=RunningTasksOption.REQUEUE,
        )
        self._allocate(leaving)

    def settle(self, pool: Pool) -> None:
        """Let the nodes of a resize or a deletion come and go whose time has come; it ends with the last that leaves.

        A node that leaves goes when it is free, whatever the others do.
        """
        if pool.settles_at is None or self._state.now() < pool.settles_at:
            return
        leaving = [node for node in pool.nodes if node.state is NodeState.LEAVING_POOL]
        busy = {node.id for node in leaving if self._state.running_tasks[node.id]}
        free = {node.id for node in leaving} - busy
        for node_id in sorted(free):
            self._job_nodes.node_removed(node_id)
            self._state.command(RemoveNode(pool.id, node_id))
        if free or any(node.is_new for node in pool.nodes):
            pool = pool.changed(nodes=tuple(self._joined(pool, node) for node in pool.nodes if node.id not in free))
            self._state.put_pool(pool)
        if not busy:
            self._let_go(pool)
        for job in list(self._state.jobs.values()) if free else ():  # it may have waited for its release tasks there
            self._jobs.settle(job)

    def _let_go(self, pool: Pool) -> None:
        now = self._state.now()
        if pool.state is PoolState.DELETING:
            self._state.remove_pool(pool)
            return
        self._state.put_pool(
            pool.changed(
                resize_errors=self._resize_errors(pool),
                allocation_state=AllocationState.STEADY,
                allocation_state_transition_time=now,
                settles_at=None,
            )
        )

    def reboot_all(self, pool: Pool) -> None:
        """Let every node of a pool start anew, as when the machines that they run on were switched off and on."""
        for node in pool.nodes:
            self._job_nodes.node_rebooted(node.id, wiped=False)
        nodes = (self._start_tasks.join(pool, node) if node.state in _BOOTS_AGAIN else node for node in pool.nodes)
        self._state.put_pool(pool.changed(nodes=tuple(nodes)))

    def _joined(self, pool: Pool, node: Node) -> Node:
        return self._start_tasks.join(pool, node) if node.is_new else node

    def _allocate(self, pool: Pool) -> Pool:
        for dedicated in (True, False):
            pool = self._with_nodes(pool, dedicated=dedicated)
        pool = self._settle_later(pool)
        self._stop_tasks_on_leaving_nodes(pool)
        return pool

    def _settle_later(self, pool: Pool) -> Pool:
        settles_at = self._state.now() + self._state.moments.resizing
        self._state.set_alarm(settles_at, AlarmKind.POOL_SETTLES, pool.id)
        return self._state.put_pool(pool.changed(settles_at=settles_at))

    def _with_nodes(self, pool: Pool, *, dedicated: bool) -> Pool:
        staying = [node for node in pool.nodes if node.state is not NodeState.LEAVING_POOL]
        kind = [node for node in staying if node.is_dedicated is dedicated]
        surplus = len(kind) - pool.target(dedicated=dedicated)
        if surplus <= 0:
            new = tuple(
                new_node(pool, pool.nodes_allocated + number, self._state, dedicated=dedicated)
                for number in range(self._available(pool, -surplus, dedicated=dedicated))
            )
            return pool.changed(nodes=pool.nodes + new, nodes_allocated=pool.nodes_allocated + len(new))
        idle_first = sorted(kind, key=lambda node: self._state.running_tasks[node.id])
        leaving = {node.id for node in idle_first[:surplus]}
        return pool.changed(nodes=_leaving(pool, leaving, self._state))

    def _available(self, pool: Pool, wanted: int, *, dedicated: bool) -> int:
        limit = self._state.limits.of_pool(pool)
        return wanted if limit is None else min(wanted, max(0, limit.nodes - pool.count(dedicated=dedicated)))

    def _resize_errors(self, pool: Pool) -> tuple[ResizeError, ...]:
        """Return why the pool did not get all nodes that it should have, for each kind of node."""
        missing = [kind for kind in (True, False) if pool.count(dedicated=kind) < pool.target(dedicated=kind)]
        if pool.allocation_state is AllocationState.STOPPING:
            stopped = ResizeError(code="ResizeStopped", message="The user stopped the resize operation.")
            return (stopped,) if missing else ()
        limit = self._state.limits.of_pool(pool)
        return tuple(limit.error(dedicated=kind) for kind in missing) if limit else ()

    def _stop_tasks_on_leaving_nodes(self, pool: Pool) -> None:
        leaving = {node.id for node in pool.nodes if node.state is NodeState.LEAVING_POOL}
        self._jobs.stop_tasks_on(leaving, pool.deallocation)


def _leaving(pool: Pool, node_ids: Collection[str], state: State) -> tuple[Node, ...]:
    """Return the nodes of a pool, of which these are leaving."""
    return tuple(in_state(node, NodeState.LEAVING_POOL, state) if node.id in node_ids else node for node in pool.nodes)
