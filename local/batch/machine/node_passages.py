"""The states of nodes that pass by themselves: a reboot, being switched off or on, the return of a preempted spot node.

https://learn.microsoft.com/azure/batch/batch-spot-vms: a pool goes on trying to get back what it has lost; its nodes
keep their ids, and are `creating` and `starting` before they take tasks.
"""

from __future__ import annotations

from local.batch.machine.commands import LoseNode, RebootNode
from local.batch.machine.job_nodes import JobNodes
from local.batch.machine.jobs import Jobs
from local.batch.machine.start_tasks import StartTasks, in_state
from local.batch.machine.state import AlarmKind, State
from local.batch.models.pool import Node, NodeState, Pool


class NodePassages:
    """Lets nodes pass from state to state."""

    def __init__(self, state: State, jobs: Jobs, job_nodes: JobNodes, start_tasks: StartTasks) -> None:
        self._state = state
        self._jobs = jobs
        self._job_nodes = job_nodes
        self._start_tasks = start_tasks

    def enter(self, pool: Pool, node: Node, passing: NodeState) -> None:
        """Put a node into a state that passes when its time has come and nothing runs on it any more."""
        settles_at = self._state.now() + self._state.moments.settling
        self._state.put_node(pool.id, in_state(node, passing, self._state).changed(settles_at=settles_at))
        self._state.set_alarm(settles_at, AlarmKind.NODES_SETTLE, pool.id)

    def set_alarms_again(self, pool: Pool) -> None:
        """Have nodes looked at that were passing when the service was stopped."""
        for node in pool.nodes:
            if node.settles_at is not None:
                self._state.set_alarm(node.settles_at, AlarmKind.NODES_SETTLE, pool.id)

    def settle(self, pool: Pool) -> None:
        """Let every node pass that can."""
        now = self._state.now()
        due = [node for node in pool.nodes if node.settles_at is not None and node.settles_at <= now]
        for node in due:
            if not self._state.running_tasks[node.id]:
                self._pass(self._state.pool(pool.id), node)

    def boot(self, pool: Pool, node: Node) -> None:
        """Let a node join its pool, with its start task; jobs that waited for it go on."""
        self._state.put_node(pool.id, self._start_tasks.join(pool, node))
        self._jobs.settle_on(node.id)

    def lose(self, pool: Pool, node: Node) -> None:
        """Have a node lose everything that runs and lies on it."""
        self._state.command(LoseNode(pool.id, node.id))
        self._state.put_node(pool.id, node.changed(users=()))
        self._job_nodes.node_rebooted(node.id, wiped=True)
        self._jobs.settle_on(node.id)

    def _pass(self, pool: Pool, node: Node) -> None:
        match node.state:
            case NodeState.PREEMPTED:
                self.enter(pool, node, NodeState.CREATING if self._has_capacity(pool) else NodeState.PREEMPTED)
            case NodeState.CREATING:
                self.enter(pool, node, NodeState.STARTING)
            case NodeState.STARTING:
                self.boot(pool, node)
            case NodeState.REBOOTING:
                self._state.command(RebootNode(pool.id, node.id))
                self._job_nodes.node_rebooted(node.id, wiped=False)
                self.boot(pool, node)
            case NodeState.DEALLOCATING:
                self.lose(pool, in_state(node, NodeState.DEALLOCATED, self._state).changed(settles_at=None))

    def _has_capacity(self, pool: Pool) -> bool:
        limit = self._state.limits.of_pool(pool)
        there = sum(not node.is_dedicated and node.state is not NodeState.PREEMPTED for node in pool.nodes)
        return limit is None or there < limit.nodes
