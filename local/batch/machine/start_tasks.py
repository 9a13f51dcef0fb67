"""The start task of a pool, which runs on every node before the node takes tasks, and again after every reboot.

https://learn.microsoft.com/azure/batch/nodes-and-pools#start-task
"""

from __future__ import annotations

from local.batch.machine.attempts import begun, begun_again, ended, has_retries_left, shall_retry
from local.batch.machine.commands import BootNode, RunTask, StartTaskRun, TaskEnd
from local.batch.machine.state import State
from local.batch.models.common import key_of
from local.batch.models.node_task import NodeTaskExecutionInfo, StartTask
from local.batch.models.pool import Node, NodeState, Pool


class StartTasks:
    """Runs start tasks, and lets nodes take tasks when they have."""

    def __init__(self, state: State) -> None:
        self._state = state

    def join(self, pool: Pool, node: Node) -> Node:
        """Return a node that has just booted as it is from now on: idle, or waiting for its start task."""
        self._state.command(BootNode(pool.id, node.id))
        node = node.changed(last_boot_time=self._state.now(), settles_at=None)
        if pool.start_task is None:
            return in_state(node, NodeState.IDLE, self._state)
        return self._start(pool, pool.start_task, node, begun(self._state.now()))

    def end(self, run: StartTaskRun, end: TaskEnd) -> None:
        """Take a node's report; one of an earlier run, or of a node that is gone, changes nothing."""
        pool = self._state.pools.get(key_of(run.pool_id))
        nodes = pool.nodes if pool else ()
        node = next((node for node in nodes if (node.id, node.run) == (run.node_id, run.run)), None)
        if pool is None or pool.start_task is None or node is None or node.start_task_info is None:
            return
        task, info = pool.start_task, node.start_task_info
        if shall_retry(end, task.max_task_retry_count, info.retry_count):
            node = self._start(pool, task, node, begun_again(info, self._state.now()))
        else:
            node = self._ended(node.changed(start_task_info=ended(info, end, self._state.now())))
        self._state.put_node(pool.id, node)

    def _start(self, pool: Pool, task: StartTask, node: Node, info: NodeTaskExecutionInfo) -> Node:
        node = node.changed(start_task_info=info, run=node.run + 1)
        left = has_retries_left(task.max_task_retry_count, info.retry_count)
        run = StartTaskRun(pool.id, node.id, node.run)
        self._state.command(RunTask(run, task, "startup", pool, node.id, retries_left=left))
        waiting = NodeState.WAITING_FOR_START_TASK if task.wait_for_success else NodeState.IDLE
        return in_state(node, waiting, self._state)

    def _ended(self, node: Node) -> Node:
        if node.state is not NodeState.WAITING_FOR_START_TASK or node.start_task_info is None:
            return node
        ready = node.start_task_info.succeeded
        return in_state(node, NodeState.IDLE if ready else NodeState.START_TASK_FAILED, self._state)


def in_state(node: Node, node_state: NodeState, state: State) -> Node:
    """Return a node in a state that it has from now on, if it had another."""
    if node.state is node_state:
        return node
    return node.changed(state=node_state, state_transition_time=state.now())
