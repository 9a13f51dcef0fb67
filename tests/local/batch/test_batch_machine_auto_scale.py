"""Pools that scale by a formula, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.errors import BatchError
from local.batch.machine.commands import RemoveNode
from local.batch.machine.limits import NodeLimit
from local.batch.models.auto_scale import PoolEnableAutoScale, PoolEvaluateAutoScale
from local.batch.models.pool import PoolCreate, PoolResize

BY_TASKS = "$TargetDedicatedNodes = max(0, $PendingTasks.GetSample(1)); $NodeDeallocationOption = taskcompletion;"


def scaling(new_machine, formula: str = BY_TASKS, slots: int = 1, **more):
    """A machine with a pool `pool` that scales by a formula, evaluated every five minutes."""
    machine = new_machine()
    spec = {"id": "pool", "vmSize": "m", "taskSlotsPerNode": slots, "enableAutoScale": True, **more}
    machine.account.pools.create(
        PoolCreate.model_validate({"autoScaleEvaluationInterval": "PT5M", "autoScaleFormula": formula, **spec})
    )
    machine.passes()
    return machine


def pass_minutes(machine, minutes: float) -> None:
    """Let time pass, in the steps in which samples are taken, and a second for nodes to come."""
    for _ in range(int(minutes * 2)):
        machine.passes(seconds=30)
    machine.passes(seconds=1)


def pool_of(machine):
    return machine.account.state.pool("pool")


def enable(machine, **body) -> None:
    machine.account.auto_scale.enable("pool", PoolEnableAutoScale.model_validate(body))
    machine.passes()


def add_tasks(machine, count: int, **more) -> None:
    machine.job()
    for number in range(count):
        machine.task(str(number), **more)


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


def test_an_evaluation_changes_nothing(new_machine):
    """Also one of a formula that is wrong: its error is in the answer, as in Microsoft's tests of @azure/batch."""
    machine = scaling(new_machine, "$TargetDedicatedNodes = 2;")
    run = machine.account.auto_scale.evaluate("pool", PoolEvaluateAutoScale(auto_scale_formula="$something_useless"))
    assert run.error.code == "AutoScalingFormulaEvaluationError"
    assert run.results == "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    machine.account.auto_scale.evaluate("pool", PoolEvaluateAutoScale(auto_scale_formula="$TargetDedicatedNodes = 9"))
    assert pool_of(machine).target_dedicated_nodes == 2


class TestEnabling:
    """`enableautoscale` and `disableautoscale`."""

    def test_what_is_left_out_stays(self, machine):
        """An interval alone begins anew; a formula alone waits for its time."""
        enable(machine, autoScaleFormula="$TargetDedicatedNodes = 2", autoScaleEvaluationInterval="PT10M")
        machine.passes(seconds=31)
        enable(machine, autoScaleFormula="$TargetDedicatedNodes = 3")
        assert (pool_of(machine).target_dedicated_nodes, pool_of(machine).auto_scale_formula[-1]) == (2, "3")
        machine.passes(seconds=31)
        enable(machine, autoScaleEvaluationInterval="PT5M")
        assert pool_of(machine).target_dedicated_nodes == 3

    def test_a_pool_that_does_not_scale_has_its_nodes_and_no_formula(self, machine):
        """It can be resized again."""
        enable(machine, autoScaleFormula="$TargetDedicatedNodes = 2")
        machine.passes(seconds=1)
        machine.account.auto_scale.disable("pool")
        pass_minutes(machine, 30)
        pool = pool_of(machine)
        assert (pool.target_dedicated_nodes, pool.count(dedicated=True)) == (2, 2)
        assert (pool.enable_auto_scale, pool.auto_scale_formula, pool.auto_scale_run) == (False, None, None)
        machine.account.pools.resize("pool", PoolResize(target_dedicated_nodes=1))

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "MissingRequiredProperty"),
            ({"autoScaleEvaluationInterval": "PT5M"}, "MissingRequiredProperty"),
            ({"autoScaleFormula": "$x"}, "AutoScalingFormulaSyntaxError"),
            ({"autoScaleFormula": "$x = 1 + time()"}, "AutoScalingFormulaSyntaxError"),
            ({"autoScaleFormula": "//" + "x" * 8191}, "AutoScalingFormulaTooLong"),
            ({"autoScaleFormula": "$x = $CPUPercent.GetSample(1)"}, "NotImplemented"),
        ],
    )
    def test_a_pool_needs_a_formula_that_can_be_evaluated(self, machine, body, code):
        """Without one it stays as it is."""
        with pytest.raises(BatchError) as refusal:
            enable(machine, **body)
        assert refusal.value.error.code == code
        assert not pool_of(machine).enable_auto_scale

    def test_not_while_it_is_resized_nor_twice_in_30_seconds(self, machine):
        """As documented."""
        enable(machine, autoScaleFormula="$TargetDedicatedNodes = 2")
        for code in ("PoolBeingResized", "TooManyEnableAutoScaleRequests"):
            with pytest.raises(BatchError) as refusal:
                enable(machine, autoScaleFormula="$TargetDedicatedNodes = 1")
            assert refusal.value.error.code == code
            machine.passes(seconds=1)

    def test_a_pool_that_scales_is_not_resized_and_only_such_a_pool_evaluates(self, machine):
        """409 in either case."""
        asked = PoolEvaluateAutoScale(auto_scale_formula="$TargetDedicatedNodes = 1")
        for refused in (
            lambda: machine.account.auto_scale.evaluate("pool", asked),
            lambda: machine.account.auto_scale.disable("pool"),
            lambda: machine.account.auto_scale.evaluate_now("pool"),
        ):
            assert code_of(refused) == "OperationInvalidForCurrentState"
        enable(machine, autoScaleFormula="$TargetDedicatedNodes = 1")
        resize = PoolResize(target_dedicated_nodes=2)
        assert code_of(lambda: machine.account.pools.resize("pool", resize)) == "OperationInvalidForCurrentState"


def code_of(refused) -> str:
    """The code with which something is refused."""
    with pytest.raises(BatchError) as refusal:
        refused()
    return refusal.value.error.code


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
