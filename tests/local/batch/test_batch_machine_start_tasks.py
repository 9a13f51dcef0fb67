"""The start task of a pool on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.failures import FailureCode
from local.batch.models.pool import NodeState, PoolResize


@pytest.fixture
def pool_with(new_machine):
    """Make a machine whose pool has a start task, and a job with a task that waits for a node."""

    def make(nodes: int = 1, **start_task):
        machine = new_machine()
        machine.pool(nodes=nodes, startTask={"commandLine": "start", **start_task})
        machine.job()
        machine.task("1")
        return machine

    return make


def node_of(machine):
    return machine.account.nodes.all("pool")[0]


def test_a_node_takes_tasks_after_its_start_task(pool_with):
    """Until then it is waiting."""
    machine = pool_with()
    assert (node_of(machine).state, machine.task_state("1")) == ("waitingforstarttask", "active")
    machine.ends("startup")
    assert (node_of(machine).state, machine.task_state("1")) == ("running", "running")
    assert (node_of(machine).start_task_info.state, node_of(machine).start_task_info.result) == ("completed", "success")


def test_a_node_whose_start_task_failed_takes_none(pool_with):
    """starttaskfailed, and its info says why."""
    machine = pool_with()
    machine.ends("startup", exit_code=3)
    assert (node_of(machine).state, machine.task_state("1")) == ("starttaskfailed", "active")
    info = node_of(machine).start_task_info
    assert (info.exit_code, info.result, info.failure_info.code) == (3, "failure", "FailureExitCode")


def test_a_start_task_is_retried(pool_with):
    """As often as maxTaskRetryCount says; the node waits meanwhile."""
    machine = pool_with(maxTaskRetryCount=1)
    machine.ends("startup", exit_code=1)
    assert (node_of(machine).state, node_of(machine).start_task_info.retry_count) == ("waitingforstarttask", 1)
    machine.ends("startup")
    assert machine.task_state("1") == "running"


def test_what_keeps_it_from_starting_is_not_retried(pool_with):
    """As with any task."""
    machine = pool_with(maxTaskRetryCount=3)
    machine.ends("startup", exit_code=None, failure=FailureCode.BLOB_NOT_FOUND.info())
    assert node_of(machine).state == "starttaskfailed"


def test_a_node_may_take_tasks_beside_it(pool_with):
    """Without waitForSuccess, whatever becomes of it."""
    machine = pool_with(waitForSuccess=False)
    assert machine.task_state("1") == "running"
    machine.ends("startup", exit_code=1)
    assert (node_of(machine).state, node_of(machine).start_task_info.result) == ("running", "failure")


def test_every_node_has_its_own(pool_with):
    """One that is ready does not wait for the others."""
    machine = pool_with(nodes=2)
    first, second = machine.started
    assert first.node_id != second.node_id
    machine.ends("startup")
    assert sorted(node.state for node in machine.account.nodes.all("pool")) == ["running", "waitingforstarttask"]


def test_it_runs_again_after_a_reboot(pool_with):
    """Tasks wait for it again; a late report of the earlier run changes nothing."""
    machine = pool_with()
    late = machine.running["startup"].run
    machine.ends("startup")
    machine.restarts()
    assert (node_of(machine).state, machine.task_state("1")) == ("waitingforstarttask", "active")
    assert machine.running["startup"].run != late
    machine.ends("startup")
    assert machine.task_state("1") == "running"


def test_a_resize_leaves_the_other_nodes_as_they_are(pool_with):
    """Only new nodes run the start task."""
    machine = pool_with()
    machine.ends("startup", exit_code=1)
    machine.account.pools.resize("pool", resize_to(2))
    machine.passes(seconds=1)
    assert len(machine.started) == 2
    states = sorted(node.state for node in machine.account.nodes.all("pool"))
    assert states == ["starttaskfailed", "waitingforstarttask"]


def resize_to(nodes: int):
    return PoolResize.model_validate({"targetDedicatedNodes": nodes})


def test_a_node_that_died_comes_back_with_it(pool_with):
    """Its task, which runs again and is not counted as a retry, waits for it too."""
    machine = pool_with()
    machine.ends("startup")
    machine.account.nodes.set_state("pool", node_of(machine).id, NodeState.UNUSABLE)
    machine.passes()
    assert machine.task_state("1") == "active"
    machine.account.nodes.set_state("pool", node_of(machine).id, NodeState.IDLE)
    machine.passes()
    assert (node_of(machine).state, machine.task_state("1")) == ("waitingforstarttask", "active")
    machine.ends("startup")
    task = machine.account.state.task("job", "1")
    assert (task.state, task.execution_info.retry_count) == ("running", 0)
