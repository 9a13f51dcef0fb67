"""Spot nodes on a clock that the test moves: https://learn.microsoft.com/azure/batch/batch-spot-vms."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.machine.commands import LoseNode, TaskEnd
from local.batch.machine.limits import NodeLimit
from local.batch.models.pool import NodeState, PoolResize


@pytest.fixture
def machine(new_machine):
    """A machine whose pool has two spot nodes of one slot each, of which one runs the task `1`."""
    machine = new_machine()
    machine.pool(nodes=0, targetLowPriorityNodes=2, slots=1)
    machine.job()
    machine.task("1")
    return machine


def preempt(machine, count: int | None = None) -> None:
    machine.account.nodes.preempt("pool", count)
    machine.passes()


def states(machine) -> list[str]:
    return sorted(node.state for node in machine.account.nodes.all("pool"))


def task_of(machine):
    return machine.account.state.task("job", "1")


def test_the_nodes_of_the_target_are_spot_nodes(machine):
    """They say so, and so does the end of their ids."""
    nodes = machine.account.nodes.all("pool")
    assert [(node.is_dedicated, node.id[-2:]) for node in nodes] == [(False, "_p")] * 2


def test_what_ran_on_a_preempted_node_runs_on_another(machine):
    """It loses the busiest; the task is counted neither as a retry nor as a requeue, which are those of users."""
    lost = machine.running.pop("1")
    preempt(machine, count=1)
    assert states(machine) == ["preempted", "running"]
    execution = task_of(machine).execution_info
    assert (execution.retry_count, execution.requeue_count) == (0, 0)
    machine.account.end_task(lost.run, TaskEnd(exit_code=0))
    assert machine.task_state("1") == "running"
    machine.ends("1")
    assert task_of(machine).succeeded


def test_a_preempted_node_is_told_to_die(machine):
    """At once, with its files: nothing is uploaded of what it had."""
    node_id = machine.running["1"].node_id
    machine.account.nodes.preempt("pool", 1)
    assert LoseNode("pool", node_id) in machine.account.take_commands()


def test_the_pool_gets_its_target_again(machine):
    """Its nodes keep their ids and the time of their allocation, and are creating and starting before they are idle."""
    before = machine.account.nodes.all("pool")
    preempt(machine)
    seen = [states(machine)[0]]
    assert machine.task_state("1") == "active"
    for _ in range(3):
        machine.passes(seconds=0.2)
        seen.append(states(machine)[0])
    assert seen == ["preempted", "creating", "starting", "idle"]
    assert machine.task_state("1") == "running"
    after = machine.account.nodes.all("pool")
    assert [(node.id, node.allocation_time) for node in after] == [(node.id, node.allocation_time) for node in before]
    assert all(new.last_boot_time > old.last_boot_time for new, old in zip(after, before, strict=True))


def test_without_capacity_preempted_nodes_stay_so(machine):
    """They are listed and counted in the pool's size; once there is capacity, they come back."""
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=1),)
    preempt(machine)
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert states(machine) == ["preempted", "running"]
    assert machine.account.state.pool("pool").count(dedicated=False) == 2
    machine.account.state.limits.node_limits = ()
    for _ in range(4):
        machine.passes(seconds=1)
    assert states(machine) == ["idle", "running"]


def test_a_start_task_runs_again_on_a_node_that_comes_back(new_machine):
    """The node is new; before its start task has succeeded, it takes no tasks."""
    machine = new_machine()
    machine.pool(nodes=0, targetLowPriorityNodes=1, startTask={"commandLine": "x"})
    machine.ends("startup")
    preempt(machine)
    for _ in range(3):
        machine.passes(seconds=1)
    assert (states(machine), list(machine.running)) == (["waitingforstarttask"], ["startup"])


def test_a_pool_that_shrinks_loses_preempted_nodes_too(machine):
    """Without waiting for anything: nothing runs there."""
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=0),)
    preempt(machine)
    machine.account.pools.resize("pool", PoolResize.model_validate({"targetLowPriorityNodes": 0}))
    machine.passes(seconds=1)
    assert states(machine) == []


def test_nodes_that_were_coming_back_do_so_after_a_restart(machine):
    """Of the service, which had told nobody else."""
    preempt(machine)
    machine.restarts()
    for _ in range(4):
        machine.passes(seconds=1)
    assert states(machine) == ["idle", "running"]


def test_stopping_a_resize_keeps_nodes_that_come_back(machine):
    """It is the new ones that do not come."""
    preempt(machine)
    machine.passes(seconds=0.2)
    machine.account.pools.resize("pool", PoolResize.model_validate({"targetLowPriorityNodes": 5}))
    machine.account.pools.stop_resize("pool")
    machine.passes(seconds=1)
    assert len(states(machine)) == 2


def test_a_resize_does_not_bring_back_what_was_preempted(machine):
    """Its end is that of the new nodes' creation; one that comes back is still creating then, and starts."""
    preempt(machine)
    machine.account.pools.resize("pool", PoolResize.model_validate({"targetLowPriorityNodes": 3}))
    machine.passes(seconds=0.2)
    assert states(machine) == ["creating", "creating", "running"]


def test_dedicated_nodes_are_not_preempted(new_machine):
    """Neither with the others nor on demand."""
    machine = new_machine()
    machine.pool(nodes=1)
    preempt(machine)
    assert states(machine) == ["idle"]
    with pytest.raises(BatchError) as refusal:
        machine.account.nodes.set_state("pool", machine.account.nodes.all("pool")[0].id, NodeState.PREEMPTED)
    assert refusal.value.error.code == "OperationInvalidForCurrentState"
