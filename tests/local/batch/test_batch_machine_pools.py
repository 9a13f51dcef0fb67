"""Pools and nodes on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.machine.commands import LoseNode, TaskEnd
from local.batch.machine.limits import NodeLimit
from local.batch.machine.state import NodeWork
from local.batch.models.pool import NodeError, NodeState, PoolCreate, PoolResize


def resize(machine, nodes: int, option: str = "requeue") -> None:
    body = {"targetDedicatedNodes": nodes, "nodeDeallocationOption": option}
    machine.account.pools.resize("pool", PoolResize.model_validate(body))
    machine.passes()


def pool_of(machine):
    return machine.account.state.pool("pool")


def test_nodes_come_a_moment_after_the_pool(new_machine):
    """Until then the pool is resizing, its nodes are being created, and nothing runs."""
    machine = new_machine()
    machine.job()
    machine.task("1")
    spec = {"id": "pool", "vmSize": "m", "targetDedicatedNodes": 2}
    machine.account.pools.create(PoolCreate.model_validate(spec))
    machine.passes()
    assert machine.task_state("1") == "active"
    assert pool_of(machine).allocation_state == "resizing"
    assert [node.state for node in machine.account.nodes.all("pool")] == ["creating"] * 2
    machine.passes(seconds=1)
    assert pool_of(machine).allocation_state == "steady"
    assert sorted(node.state for node in machine.account.nodes.all("pool")) == ["idle", "running"]


def test_tasks_spread_over_nodes(new_machine):
    """By default the node with the most free slots is taken."""
    machine = new_machine()
    machine.pool(nodes=2)
    machine.job()
    machine.task("1")
    machine.task("2")
    assert len({start.node_id for start in machine.running.values()}) == 2


def test_tasks_may_be_packed(new_machine):
    """With nodeFillType pack a node is filled before the next."""
    machine = new_machine()
    machine.pool(nodes=2, taskSchedulingPolicy={"nodeFillType": "pack"})
    machine.job()
    for number in range(4):
        machine.task(str(number))
    assert len({start.node_id for start in machine.running.values()}) == 1


def test_a_pool_grows(machine):
    """New nodes take waiting tasks."""
    machine.job()
    machine.task("1", requiredSlots=4)
    machine.task("2", requiredSlots=4)
    resize(machine, nodes=2)
    assert machine.task_state("2") == "active"
    machine.passes(seconds=1)
    assert machine.task_state("2") == "running"


@pytest.mark.parametrize(("option", "state", "requeues"), [("requeue", "active", 1), ("terminate", "completed", 0)])
def test_a_pool_shrinks(machine, option, state, requeues):
    """What runs on a node that leaves is requeued or ends; the node goes once nothing runs on it."""
    machine.job()
    machine.task("1")
    resize(machine, nodes=0, option=option)
    machine.passes(seconds=10)
    assert pool_of(machine).count(dedicated=True) == 1
    machine.ends("1", exit_code=137)
    assert pool_of(machine).count(dedicated=True) == 0
    task = machine.account.state.task("job", "1")
    assert (task.state, task.execution_info.requeue_count) == (state, requeues)


def test_a_pool_may_shrink_when_its_tasks_are_done(machine):
    """With taskcompletion nothing is stopped, and nothing new starts on the node."""
    machine.job()
    machine.task("1")
    resize(machine, nodes=0, option="taskcompletion")
    machine.task("2")
    assert (machine.stopping, machine.task_state("2")) == ([], "active")
    machine.passes(seconds=1)
    machine.ends("1")
    assert machine.account.state.task("job", "1").succeeded
    assert pool_of(machine).count(dedicated=True) == 0


def test_a_pool_is_resized_once_at_a_time(machine):
    """Meanwhile PoolBeingResized is the answer."""
    resize(machine, nodes=2)
    with pytest.raises(BatchError) as refusal:
        resize(machine, nodes=3)
    assert refusal.value.error.code == "PoolBeingResized"


def test_a_deleted_pool_is_gone_once_nothing_runs_on_it(machine):
    """Its tasks go back to wait; meanwhile PoolBeingDeleted is the answer."""
    machine.job()
    machine.task("1")
    machine.account.pools.delete("pool")
    machine.passes(seconds=10)
    with pytest.raises(BatchError) as refusal:
        machine.account.pools.delete("pool")
    assert refusal.value.error.code == "PoolBeingDeleted"
    machine.ends("1", exit_code=137)
    assert machine.account.pools.all() == []
    assert machine.task_state("1") == "active"


class TestResizeErrors:
    """A pool does not always get what it asks for."""

    def test_a_pool_gets_what_there_is(self, new_machine):
        """It becomes steady, and says why nodes are missing; what it has runs tasks."""
        machine = new_machine()
        machine.account.state.limits.node_limits = (NodeLimit(pool_id="POOL", nodes=1),)
        machine.pool(nodes=3)
        machine.job()
        machine.task("1")
        pool = pool_of(machine)
        assert (pool.allocation_state, pool.count(dedicated=True), pool.target_dedicated_nodes) == ("steady", 1, 3)
        assert [(error.code, error.message) for error in pool.resize_errors] == [
            (
                "AllocationTimedout",
                "Desired number of dedicated nodes could not be allocated as the resize timeout was reached",
            )
        ]
        assert machine.task_state("1") == "running"

    def test_each_kind_of_node_has_its_error(self, new_machine):
        """With the code that was asked for."""
        machine = new_machine()
        machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=0, code="AllocationFailed"),)
        machine.pool(nodes=1, targetLowPriorityNodes=1)
        assert [error.message for error in pool_of(machine).resize_errors] == [
            "Desired number of dedicated nodes could not be allocated",
            "Desired number of low priority nodes could not be allocated",
        ]

    def test_the_next_resize_forgets_the_errors(self, new_machine):
        """They are about the last resize alone."""
        machine = new_machine()
        machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=0),)
        machine.pool(nodes=1)
        machine.account.state.limits.node_limits = ()
        resize(machine, nodes=2)
        assert pool_of(machine).resize_errors == ()
        machine.passes(seconds=1)
        assert (pool_of(machine).count(dedicated=True), pool_of(machine).resize_errors) == (2, ())

    def test_a_resize_can_be_stopped(self, machine):
        """The pool is stopping, then steady with the nodes that it had, and says that it was stopped."""
        resize(machine, nodes=3)
        machine.account.pools.stop_resize("pool")
        assert pool_of(machine).allocation_state == "stopping"
        with pytest.raises(BatchError) as refusal:
            resize(machine, nodes=2)
        assert refusal.value.error.code == "PoolBeingResized"
        machine.passes(seconds=1)
        pool = pool_of(machine)
        assert (pool.allocation_state, pool.count(dedicated=True)) == ("steady", 1)
        assert [error.code for error in pool.resize_errors] == ["ResizeStopped"]

    def test_a_steady_pool_has_nothing_to_stop(self, machine):
        """A conflict."""
        with pytest.raises(BatchError) as refusal:
            machine.account.pools.stop_resize("pool")
        assert refusal.value.error.code == "OperationInvalidForCurrentState"


class TestNodeStates:
    """Nodes fall out and come back."""

    @pytest.fixture
    def node_id(self, machine):
        """The one node of the machine."""
        return machine.account.nodes.all("pool")[0].id

    @pytest.mark.parametrize("state", [NodeState.UNUSABLE, NodeState.UNKNOWN, NodeState.START_TASK_FAILED])
    def test_what_ran_on_a_node_that_died_runs_again(self, machine, node_id, state):
        """Once there is a node; neither count has it, and nothing that the dead node reports counts."""
        machine.job()
        machine.task("1")
        lost = machine.running.pop("1").run
        machine.account.nodes.set_state("pool", node_id, state)
        machine.passes()
        task = machine.account.state.task("job", "1")
        assert (task.state, task.execution_info.requeue_count, task.execution_info.retry_count) == ("active", 0, 0)
        machine.account.end_task(lost, TaskEnd(exit_code=1))
        assert machine.task_state("1") == "active"
        machine.account.nodes.set_state("pool", node_id, NodeState.IDLE)
        machine.passes()
        machine.ends("1")
        assert machine.account.state.task("job", "1").succeeded

    def test_the_node_is_told_that_it_died(self, machine, node_id):
        """So that it ends its processes without reporting them."""
        machine.account.nodes.set_state("pool", node_id, NodeState.UNUSABLE)
        assert machine.account.take_commands() == [LoseNode("pool", node_id)]

    def test_another_node_takes_over(self, new_machine):
        """Without waiting for the first one to come back."""
        machine = new_machine()
        machine.pool(nodes=2, slots=1)
        machine.job()
        machine.task("1")
        first = machine.running["1"].node_id
        machine.account.nodes.set_state("pool", first, NodeState.UNUSABLE)
        machine.passes()
        assert machine.running["1"].node_id != first

    def test_a_task_that_was_being_ended_has_ended(self, machine, node_id):
        """With TaskEnded, and its job need not wait for the node."""
        machine.job()
        machine.task("1")
        machine.account.jobs.terminate("job", "r")
        machine.account.nodes.set_state("pool", node_id, NodeState.UNUSABLE)
        machine.passes(seconds=1)
        assert machine.job_state() == "completed"
        assert machine.account.state.task("job", "1").execution_info.failure_info.code == "TaskEnded"

    def test_a_resize_does_not_heal_nodes(self, machine, node_id):
        """An unusable node stays in the pool, and unusable."""
        machine.account.nodes.set_state("pool", node_id, NodeState.UNUSABLE, (NodeError(code="c", message="m"),))
        resize(machine, nodes=2)
        machine.passes(seconds=1)
        node = machine.account.nodes.get("pool", node_id)
        assert (node.state, [error.code for error in node.errors]) == ("unusable", ["c"])

    def test_a_node_that_leaves_cannot_be_kept(self, machine, node_id):
        """It is on its way out, whatever is wanted of it."""
        machine.job()
        machine.task("1")
        resize(machine, nodes=0, option="taskcompletion")
        with pytest.raises(BatchError) as refusal:
            machine.account.nodes.set_state("pool", node_id, NodeState.IDLE)
        assert refusal.value.error.code == "OperationInvalidForCurrentState"

    def test_a_node_tells_of_its_work(self, machine, node_id):
        """What runs on it, what ran, and how much of that well."""
        machine.job()
        for name in ("good", "bad", "runs"):
            machine.task(name, requiredSlots=1)
        machine.ends("good")
        machine.ends("bad", exit_code=1)
        assert machine.account.state.work_of(node_id) == NodeWork(running=1, used_slots=1, completed=2, succeeded=1)
