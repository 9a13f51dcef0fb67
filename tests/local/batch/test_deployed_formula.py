"""The formula of the pool that `infra/batch.bicep` deploys, evaluated as Azure documents it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.batch.machine.limits import NodeLimit
from local.batch.models.pool import PoolCreate

BICEP = (Path(__file__).parents[3] / "infra" / "batch.bicep").read_text(encoding="utf-8")
MOST_NODES = 5
SLOTS = 4
STEPS_PER_MINUTE = 2


KINDS = re.search(r"var kinds = spotNodes \? \['(\w+)', '(\w+)'\] : \['(\w+)', '(\w+)'\]", BICEP).groups()
SPOT, DEDICATED = KINDS[:2], KINDS[2:]


@pytest.fixture
def pool(new_machine):
    """A machine with the deployed pool, after an hour without work."""
    return deployed(new_machine, DEDICATED)


def deployed(new_machine, kinds: tuple[str, str]):
    """A machine with a pool that scales the first of these kinds of nodes, after an hour without work."""
    formula = re.search(r"var formula = '''\n(.*?)'''", BICEP, re.DOTALL)[1].format(MOST_NODES, SLOTS, *kinds)
    interval = re.search(r"evaluationInterval: '(\w+)'", BICEP)[1]
    scale = {"enableAutoScale": True, "autoScaleFormula": formula, "autoScaleEvaluationInterval": interval}
    policy = {"nodeFillType": re.search(r"nodeFillType: '(\w+)'", BICEP)[1]}
    spec = {"id": "pool", "vmSize": "m", "taskSlotsPerNode": SLOTS, "taskSchedulingPolicy": policy, **scale}
    machine = new_machine()
    machine.account.pools.create(PoolCreate.model_validate(spec))
    machine.passes()
    pass_minutes(machine, 60)
    machine.job()
    return machine


def pass_minutes(machine, minutes: int, *, each_task: int | None = None) -> int:
    """Let time pass; tasks end after so many minutes, if at all. Returns the most nodes that there were."""
    ages: dict[str, int] = {}
    most = 0
    for _ in range(minutes * STEPS_PER_MINUTE):
        machine.passes(seconds=60 / STEPS_PER_MINUTE)
        for task_id in list(machine.running):
            ages[task_id] = ages.get(task_id, 0) + 1
            if each_task and ages[task_id] > each_task * STEPS_PER_MINUTE:
                machine.ends(task_id)
        most = max(most, nodes(machine))
    return most


def nodes(machine) -> int:
    """How many nodes the pool has."""
    return len(machine.account.state.pool("pool").nodes)


def completed(machine) -> int:
    """How many tasks have ended well, of which none was ever stopped or put back."""
    tasks = machine.account.tasks.all("job")
    assert machine.stopping == []
    assert all(task.execution_info.requeue_count == 0 for task in tasks)
    return sum(task.succeeded for task in tasks)


def test_without_work_there_are_no_nodes(pool):
    """Neither when the pool is new, where there are no samples yet, nor later."""
    assert nodes(pool) == 0
    assert pool.account.state.pool("pool").auto_scale_run.error is None
    pass_minutes(pool, 60)
    assert nodes(pool) == 0


@pytest.mark.parametrize(("tasks", "wanted"), [(1, 1), (4, 1), (5, 2), (17, 5), (200, MOST_NODES)])
def test_there_are_nodes_for_all_tasks_up_to_the_most(pool, tasks, wanted):
    """All have run within minutes, and then the nodes go."""
    for number in range(tasks):
        pool.task(str(number))
    pass_minutes(pool, 12)
    assert nodes(pool) == wanted
    assert len(pool.running) == min(tasks, MOST_NODES * SLOTS)
    pass_minutes(pool, 60, each_task=2)
    assert (completed(pool), nodes(pool)) == (tasks, 0)


@pytest.mark.parametrize(
    ("tasks", "slots", "given"), [(1, 4, 1), (4, 4, 1), (8, 4, 2), (6, 2, 2), (6, 3, 2), (20, 4, 5)]
)
def test_tasks_of_several_slots_all_run_on_fewer_nodes_than_they_could_use(pool, tasks, slots, given):
    """No variable of Azure counts slots (Azure/Batch#151): they wait for each other, and none for ever."""
    for number in range(tasks):
        pool.task(str(number), requiredSlots=slots)
    assert pass_minutes(pool, 120, each_task=3) == given
    assert (completed(pool), nodes(pool)) == (tasks, 0)


def test_a_node_never_goes_while_it_has_a_task(pool):
    """Of nodes with one long task each, all stay, although one node would have slots for all."""
    for number in range(17):
        pool.task(str(number))
    pass_minutes(pool, 12)
    one_of_each_node = {task.node_id: task_id for task_id, task in pool.running.items()}
    for task_id in set(pool.running) - set(one_of_each_node.values()):
        pool.ends(task_id)
    pass_minutes(pool, 120)
    assert (set(pool.running), nodes(pool)) == (set(one_of_each_node.values()), 5)
    for task_id in list(pool.running):
        pool.ends(task_id)
    pass_minutes(pool, 20)
    assert (completed(pool), nodes(pool)) == (17, 0)


def test_new_work_gets_nodes_while_old_ones_leave(pool):
    """A node that waits for its task to leave takes no other."""
    for number in range(5):
        pool.task(str(number))
    pass_minutes(pool, 12)
    for task_id in sorted(pool.running)[:-1]:
        pool.ends(task_id)
    pass_minutes(pool, 15)
    for number in range(10, 18):
        pool.task(str(number))
    pass_minutes(pool, 15)
    assert len(pool.running) == 9
    pass_minutes(pool, 30, each_task=1)
    assert (completed(pool), nodes(pool)) == (13, 0)


def test_spot_nodes_are_had_in_place_of_dedicated_ones(new_machine):
    """Those that are preempted come back, without more nodes than tasks need; in the end all go."""
    machine = deployed(new_machine, SPOT)
    for number in range(5):
        machine.task(str(number))
    pass_minutes(machine, 12)
    assert [node.is_dedicated for node in machine.account.state.pool("pool").nodes] == [False, False]
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=1),)
    machine.account.nodes.preempt("pool", 1)
    assert pass_minutes(machine, 20) == 2
    assert sorted(node.state for node in machine.account.nodes.all("pool")) == ["preempted", "running"]
    machine.account.state.limits.node_limits = ()
    pass_minutes(machine, 60, each_task=2)
    assert (completed(machine), nodes(machine)) == (5, 0)
