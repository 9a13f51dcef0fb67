"""Pools that scale by a formula, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.machine.commands import RemoveNode
from local.batch.machine.limits import NodeLimit
from local.batch.models.auto_scale import PoolEvaluateAutoScale
from local.batch.models.node import NodeRemove, RunningTasksOption
from local.batch.models.pool import PoolCreate
from tests.local.batch.scaling import BY_TASKS, add_tasks, code_of, enable, pass_minutes, pool_of, scaling


def test_a_new_pool_is_evaluated_at_once_and_then_at_every_interval(new_machine):
    """Its nodes come as those of any pool."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = time().minute < 5 ? 2 : 3;")
    assert pool_of(machine).auto_scale_run.results.startswith("$TargetDedicatedNodes=2;")
    machine.passes(seconds=1)
    assert (pool_of(machine).count(dedicated=True), pool_of(machine).allocation_state) == (2, "steady")
    machine.passes(seconds=5 * 60 - 2)
    assert pool_of(machine).target_dedicated_nodes == 2
    machine.passes(seconds=1)
    assert pool_of(machine).target_dedicated_nodes == 3


def test_a_pool_without_an_interval_is_evaluated_every_15_minutes(new_machine):
    """The service's default."""
    machine = scaling(new_machine, autoScaleEvaluationInterval=None)
    assert pool_of(machine).auto_scale_evaluation_interval == timedelta(minutes=15)


def test_nodes_follow_the_tasks(new_machine):
    """A formula sees tasks a minute after they were counted; a node whose task runs does not leave."""
    machine = scaling(new_machine)
    add_tasks(machine, 2)
    pass_minutes(machine, 5)
    assert (pool_of(machine).target_dedicated_nodes, len(machine.running)) == (2, 2)
    machine.ends("0")
    pass_minutes(machine, 5)
    assert pool_of(machine).count(dedicated=True) == 1
    assert (machine.stopping, machine.task_state("1")) == ([], "running")
    machine.ends("1")
    pass_minutes(machine, 5)
    assert (pool_of(machine).count(dedicated=True), pool_of(machine).allocation_state) == (0, "steady")


def test_taskcompletion_never_stops_a_task(new_machine):
    """Even of a formula that wants no nodes: they leave when their tasks have ended."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2; $NodeDeallocationOption = taskcompletion;")
    machine.passes(seconds=1)
    add_tasks(machine, 1)
    pass_minutes(machine, 1)
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 0; $NodeDeallocationOption = taskcompletion;")
    pass_minutes(machine, 30)
    assert (machine.stopping, machine.task_state("0")) == ([], "running")
    assert (pool_of(machine).count(dedicated=True), pool_of(machine).allocation_state) == (1, "resizing")
    machine.ends("0")
    assert pool_of(machine).count(dedicated=True) == 0


def test_by_default_a_node_that_leaves_gives_its_tasks_back(new_machine):
    """`requeue`, which the results say too."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = time().minute < 5 ? 1 : 0;")
    add_tasks(machine, 1)
    machine.passes(seconds=1)
    assert machine.task_state("0") == "running"
    pass_minutes(machine, 5)
    machine.ends("0", exit_code=137)
    assert machine.task_state("0") == "active"


def test_a_pool_grows_while_a_node_that_leaves_is_busy(new_machine):
    """The node does not come back, and the new ones do not wait for it."""
    machine = scaling(new_machine, BY_TASKS)
    add_tasks(machine, 1)
    machine.account.auto_scale.evaluate_now("pool")
    machine.passes(seconds=1)
    assert machine.task_state("0") == "running"
    pool = pool_of(machine)
    machine.account.pools.scale(pool, 0, 0, pool.deallocation)
    machine.passes(seconds=1)
    machine.task("1")
    machine.account.auto_scale.evaluate_now("pool")
    machine.passes(seconds=1)
    assert sorted(node.state for node in pool_of(machine).nodes) == ["idle", "idle", "leavingpool"]
    assert machine.task_state("1") == "running"


def test_what_was_not_to_be_had_is_tried_again(new_machine):
    """At the next evaluation, although the target is the same."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2;")
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=0),)
    scaled = scaling_again(machine)
    assert [error.code for error in scaled.resize_errors] == ["AllocationTimedout"]
    machine.account.state.limits.node_limits = ()
    assert scaling_again(machine).count(dedicated=True) == 2


def scaling_again(machine):
    """The pool after all its nodes have gone and its formula was evaluated again."""
    pool = pool_of(machine)
    machine.account.pools.scale(pool, 0, 0, pool.deallocation)
    machine.passes(seconds=1)
    machine.account.auto_scale.evaluate_now("pool")
    machine.passes(seconds=1)
    return pool_of(machine)


@pytest.mark.parametrize(
    ("change", "counted"),
    [({}, 2), ({"requiredSlots": 4}, 2), ({"dependsOn": {"taskIds": ["other"]}}, 0)],
)
def test_tasks_are_counted_not_slots_nor_what_waits_for_others(new_machine, change, counted):
    """As documented of $ActiveTasks; that no variable knows slots is Azure/Batch#151."""
    machine = scaling(new_machine, slots=4)
    machine.job(usesTaskDependencies=True)
    for number in range(2):
        machine.task(str(number), **change)
    machine.account.auto_scale.evaluate_now("pool")
    assert pool_of(machine).target_dedicated_nodes == counted


def test_a_formula_that_fails_leaves_the_pool_as_it_is(new_machine):
    """Its run says why."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = $PendingTasks.GetSample(TimeInterval_Minute, 70);")
    run = pool_of(machine).auto_scale_run
    assert (run.error.code, run.error.values[0].name) == ("InsufficientSampleData", "Message")
    assert pool_of(machine).allocation_state == "steady"


def test_a_formula_that_fails_does_not_try_again(new_machine):
    """Nodes that were not to be had do not come by it."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = time().minute < 5 ? 0 : time().minute < 10 ? 2 : 1 / 0;")
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=0),)
    pass_minutes(machine, 5)
    machine.account.state.limits.node_limits = ()
    pass_minutes(machine, 5)
    pool = pool_of(machine)
    assert (pool.target_dedicated_nodes, pool.count(dedicated=True)) == (2, 0)
    assert pool.auto_scale_run.error.code == "AutoScalingFormulaEvaluationError"


@pytest.mark.parametrize(("state", "counted"), [("disabled", 1), ("completed", 0)])
def test_tasks_of_a_disabled_job_are_active_those_of_one_that_ended_will_not_run(new_machine, state, counted):
    """Both are active tasks for their clients."""
    machine = scaling(new_machine)
    add_tasks(machine, 1)
    if state == "disabled":
        machine.account.jobs.disable("job", "requeue")
    else:
        machine.account.jobs.terminate("job", "mine")
        machine.account.auto_scale.evaluate_now("pool")
        assert (machine.job_state(), pool_of(machine).target_dedicated_nodes) == ("terminating", 0)
    machine.passes(seconds=1)
    machine.account.auto_scale.evaluate_now("pool")
    assert (machine.job_state(), pool_of(machine).target_dedicated_nodes) == (state, counted)


def test_an_evaluation_changes_nothing(new_machine):
    """Also one of a formula that is wrong: its error is in the answer, as in Microsoft's tests of @azure/batch."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2;")
    run = machine.account.auto_scale.evaluate("pool", PoolEvaluateAutoScale(auto_scale_formula="$something_useless"))
    assert run.error.code == "AutoScalingFormulaEvaluationError"
    assert run.results == "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    machine.account.auto_scale.evaluate("pool", PoolEvaluateAutoScale(auto_scale_formula="$TargetDedicatedNodes = 9"))
    assert pool_of(machine).target_dedicated_nodes == 2


def test_a_pool_scales_on_after_a_restart(new_machine):
    """In an interval: its samples are gone, and without any it would lose its nodes."""
    machine = scaling(new_machine)
    add_tasks(machine, 3)
    pass_minutes(machine, 5)
    machine.now += timedelta(minutes=10)
    machine.restarts()
    machine.passes(seconds=1)
    assert (pool_of(machine).target_dedicated_nodes, len(machine.running)) == (3, 3)
    machine.task("4")
    pass_minutes(machine, 5)
    assert pool_of(machine).target_dedicated_nodes == 4


def test_a_pool_that_is_made_again_has_no_samples_of_the_one_before(new_machine):
    """Although it has its id."""
    machine = scaling(new_machine, "x = $PendingTasks.Count();")
    pass_minutes(machine, 5)
    machine.account.pools.delete("pool")
    machine.passes(seconds=1)
    assert "pool" not in machine.account.state.pools
    spec = {"id": "pool", "vmSize": "m", "enableAutoScale": True, "autoScaleFormula": "x = $PendingTasks.Count();"}
    machine.account.pools.create(PoolCreate.model_validate(spec))
    machine.passes()
    assert pool_of(machine).auto_scale_run.results.endswith("x=0")


def test_nodes_that_leave_go_one_by_one(new_machine):
    """A free one does not wait for the task of another."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2; $NodeDeallocationOption = taskcompletion;")
    machine.passes(seconds=1)
    add_tasks(machine, 1)
    pool = pool_of(machine)
    machine.account.pools.scale(pool, 0, 0, pool.deallocation)
    machine.now += timedelta(seconds=1)
    machine.account.advance()
    assert [type(command) for command in machine.account.take_commands()] == [RemoveNode]
    assert pool_of(machine).count(dedicated=True) == 1


def test_preempted_nodes_belong_to_the_pool_and_can_be_made_up_for(new_machine):
    """As in the documentation's own example, which has a dedicated node for each: none is added of their own kind."""
    machine = scaling(
        new_machine,
        "$TargetLowPriorityNodes = max(0, $PendingTasks.GetSample(1)); $NodeDeallocationOption = taskcompletion;"
        "$TargetDedicatedNodes = max(0, $PreemptedNodeCount.GetSample(1)); spot = $CurrentLowPriorityNodes;",
    )
    add_tasks(machine, 2)
    pass_minutes(machine, 6)
    machine.account.state.limits.node_limits = (NodeLimit(pool_id="pool", nodes=1),)
    machine.account.nodes.preempt("pool", 1)
    pass_minutes(machine, 10)
    assert pool_of(machine).auto_scale_run.results == (
        "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=2;$NodeDeallocationOption=taskcompletion;spot=2"
    )
    assert sorted((node.is_dedicated, node.state) for node in machine.account.nodes.all("pool")) == [
        (False, "preempted"),
        (False, "running"),
        (True, "running"),
    ]
    machine.account.state.limits.node_limits = ()
    pass_minutes(machine, 10)
    assert (pool_of(machine).count(dedicated=False), pool_of(machine).count(dedicated=True)) == (2, 1)
    machine.ends(next(task_id for task_id, run in machine.running.items() if run.node_id.endswith("_d")))
    pass_minutes(machine, 10)
    assert (pool_of(machine).count(dedicated=False), pool_of(machine).count(dedicated=True)) == (1, 0)


def test_nodes_that_take_no_tasks_belong_to_the_pool_and_are_not_usable(new_machine):
    """Those that are switched off or without scheduling; they are not made up for, and leave like others."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2; usable = max(0, $UsableNodeCount.GetSample(1));")
    pass_minutes(machine, 6)
    off, offline = (node.id for node in pool_of(machine).nodes)
    machine.account.node_operations.deallocate("pool", off, RunningTasksOption.REQUEUE)
    machine.account.node_operations.disable_scheduling("pool", offline, RunningTasksOption.REQUEUE)
    pass_minutes(machine, 10)
    assert pool_of(machine).auto_scale_run.results.endswith(";usable=0")
    assert [node.state for node in machine.account.nodes.all("pool") if node.id == off] == ["deallocated"]
    assert (pool_of(machine).count(dedicated=True), pool_of(machine).allocation_state) == (2, "steady")
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 0;")
    pass_minutes(machine, 6)
    assert pool_of(machine).nodes == ()


def test_a_node_that_is_rebooted_stays_until_a_formula_wants_it_no_more(new_machine):
    """Also while its task is being waited for."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 1; $NodeDeallocationOption = taskcompletion;")
    machine.passes(seconds=1)
    add_tasks(machine, 1)
    node_id = machine.running["0"].node_id
    machine.account.node_operations.reboot("pool", node_id, RunningTasksOption.TASK_COMPLETION)
    pass_minutes(machine, 6)
    assert [node.state for node in pool_of(machine).nodes] == ["rebooting"]
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 0; $NodeDeallocationOption = taskcompletion;")
    pass_minutes(machine, 6)
    assert [node.state for node in pool_of(machine).nodes] == ["leavingpool"]
    machine.ends("0")
    machine.passes(seconds=1)
    assert (pool_of(machine).nodes, machine.task_state("0")) == ((), "completed")


def test_no_node_is_removed_from_a_pool_that_scales(new_machine):
    """Its formula would want it again: Azure/BatchExplorer#2082."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 1;")
    machine.passes(seconds=1)
    removal = NodeRemove(node_list=(pool_of(machine).nodes[0].id,))
    refused = code_of(lambda: machine.account.pools.remove_nodes("pool", removal))
    assert refused == "OperationInvalidForCurrentState"
