"""Pools and nodes on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.models.pool import PoolCreate, PoolResize


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
    assert [node.state for node in machine.account.pools.nodes("pool")] == ["creating"] * 2
    machine.passes(seconds=1)
    assert pool_of(machine).allocation_state == "steady"
    assert sorted(node.state for node in machine.account.pools.nodes("pool")) == ["idle", "running"]


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
