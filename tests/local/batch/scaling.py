"""A machine with a pool that scales by a formula, and what its tests do to it."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.models.auto_scale import PoolEnableAutoScale
from local.batch.models.pool import PoolCreate

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
    """The pool as it is now."""
    return machine.account.state.pool("pool")


def enable(machine, **body) -> None:
    """Ask for automatic scaling with this body."""
    machine.account.auto_scale.enable("pool", PoolEnableAutoScale.model_validate(body))
    machine.passes()


def add_tasks(machine, count: int, **more) -> None:
    """Create the job `job` with so many tasks, whose ids are their numbers."""
    machine.job()
    for number in range(count):
        machine.task(str(number), **more)


def code_of(refused) -> str:
    """The code with which something is refused."""
    with pytest.raises(BatchError) as refusal:
        refused()
    return refusal.value.error.code
