"""`enableautoscale` and `disableautoscale`, on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.models.auto_scale import PoolEvaluateAutoScale
from local.batch.models.pool import PoolResize
from local.batch.server import PoolOption, ensure_pool
from tests.local.batch.scaling import code_of, enable, pass_minutes, pool_of


def test_what_is_left_out_stays(machine):
    """An interval alone begins anew; a formula alone waits for its time."""
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 2", autoScaleEvaluationInterval="PT10M")
    machine.passes(seconds=31)
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 3")
    assert (pool_of(machine).target_dedicated_nodes, pool_of(machine).auto_scale_formula[-1]) == (2, "3")
    machine.passes(seconds=31)
    enable(machine, autoScaleEvaluationInterval="PT5M")
    assert pool_of(machine).target_dedicated_nodes == 3


def test_a_pool_that_does_not_scale_has_its_nodes_and_no_formula(machine):
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
def test_a_pool_needs_a_formula_that_can_be_evaluated(machine, body, code):
    """Without one it stays as it is."""
    with pytest.raises(BatchError) as refusal:
        enable(machine, **body)
    assert refusal.value.error.code == code
    assert not pool_of(machine).enable_auto_scale


def test_not_while_it_is_resized_nor_twice_in_30_seconds(machine):
    """As documented."""
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 2")
    for code in ("PoolBeingResized", "TooManyEnableAutoScaleRequests"):
        with pytest.raises(BatchError) as refusal:
            enable(machine, autoScaleFormula="$TargetDedicatedNodes = 1")
        assert refusal.value.error.code == code
        machine.passes(seconds=1)


def test_a_pool_that_scales_is_not_resized_and_only_such_a_pool_evaluates(machine):
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


def test_a_pool_of_the_command_line_has_its_nodes_again(new_machine):
    """`--pool` says how many, although a client has let it scale."""
    machine, option = new_machine(), PoolOption("pool", nodes=2, slots=4)
    ensure_pool(machine.account, option)
    machine.passes(seconds=1)
    enable(machine, autoScaleFormula="$TargetDedicatedNodes = 0")
    machine.passes(seconds=1)
    assert pool_of(machine).count(dedicated=True) == 0
    ensure_pool(machine.account, option)
    machine.passes(seconds=1)
    assert (pool_of(machine).enable_auto_scale, pool_of(machine).count(dedicated=True)) == (False, 2)
