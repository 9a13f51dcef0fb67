"""Pools that are made for jobs, on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.models.job import JobReplace, JobUpdate
from tests.local.batch.auto_pools import POOL, auto_pool, pools
from tests.local.batch.scaling import code_of


def test_a_pool_comes_and_goes_with_its_job(new_machine):
    """The job names it in `executionInfo` alone; its tasks run there."""
    machine = new_machine()
    machine.job(poolInfo=auto_pool(autoPoolIdPrefix="mine"))
    job = machine.account.state.job("job")
    assert pools(machine) == [job.execution_info.pool_id]
    assert job.execution_info.pool_id.startswith("mine_")
    assert (job.pool_info.pool_id, len(job.execution_info.pool_id)) == (None, len("mine_") + 36)
    machine.task("1")
    machine.passes(seconds=1)
    machine.ends("1")
    machine.account.jobs.terminate("job", "mine")
    machine.passes(seconds=1)
    assert machine.job_state() == "completed"
    machine.passes(seconds=1)
    assert pools(machine) == []


def test_a_pool_goes_with_a_job_that_is_deleted(new_machine):
    """While it is active."""
    machine = new_machine()
    machine.job(poolInfo=auto_pool())
    machine.account.jobs.delete("job")
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert pools(machine) == []


def test_a_pool_may_stay(new_machine):
    """`keepAlive`, which can be changed while the job is disabled; then the user deletes the pool."""
    machine = new_machine()
    machine.job("kept", poolInfo=auto_pool(keepAlive=True))
    machine.job("changed", poolInfo=auto_pool())
    machine.account.jobs.disable("changed", "requeue")
    machine.passes(seconds=1)
    update = {"poolInfo": auto_pool(keepAlive=True)}
    machine.account.jobs.update("changed", JobUpdate.model_validate(update))
    for job_id in ("kept", "changed"):
        machine.account.jobs.delete(job_id)
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert len(pools(machine)) == 2


def test_the_next_job_of_an_id_has_another_pool(new_machine):
    """The pool of the one before may still be going."""
    machine = new_machine()
    machine.job(poolInfo=auto_pool())
    first = pools(machine)
    machine.account.jobs.delete("job")
    machine.passes(seconds=1)
    machine.job(poolInfo=auto_pool())
    machine.passes(seconds=1)
    assert len(pools(machine)) == 1
    assert pools(machine) != first


def test_a_job_without_tasks_that_ends_at_once_leaves_no_pool(new_machine):
    """As with any job that shall end with its last task."""
    machine = new_machine()
    machine.job(poolInfo=auto_pool(), onAllTasksComplete="terminatejob")
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert (machine.job_state(), pools(machine)) == ("completed", [])


def test_an_auto_pool_can_scale_by_a_formula(new_machine):
    """As any pool: from its creation on."""
    machine = new_machine()
    scales = {name: value for name, value in POOL.items() if name != "targetDedicatedNodes"}
    scales |= {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes = 2"}
    machine.job(poolInfo=auto_pool(scales))
    machine.passes(seconds=1)
    assert machine.account.state.pool(pools(machine)[0]).count(dedicated=True) == 2


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({}, "InvalidPropertyValue"),
        ({"poolId": "pool", **auto_pool()}, "InvalidPropertyValue"),
        (auto_pool(poolLifetimeOption="jobschedule"), "InvalidPropertyValue"),
        (auto_pool({**POOL, "vmSize": "none"}), "InvalidPropertyValue"),
        (auto_pool({**POOL, "virtualMachineConfiguration": None}), "MissingRequiredProperty"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_with_its_job(new_machine, info, code):
    """The job is not there either."""
    machine = new_machine()
    assert code_of(lambda: machine.job(poolInfo=info)) == code
    assert machine.account.jobs.all() == []


def test_a_job_keeps_its_auto_pool(new_machine):
    """What it was given may be given again; another pool may not, nor instead of one that the job names."""
    machine = new_machine()
    machine.pool()
    machine.job(poolInfo=auto_pool())
    machine.job("other")
    machine.account.jobs.replace("job", JobReplace.model_validate({"poolInfo": auto_pool(), "priority": 5}))
    assert machine.account.state.job("job").priority == 5
    replaced = {"poolInfo": auto_pool(autoPoolIdPrefix="x")}
    replacement = JobReplace.model_validate(replaced)
    assert code_of(lambda: machine.account.jobs.replace("job", replacement)) == "OperationInvalidForCurrentState"
    for job_id in ("job", "other"):
        machine.account.jobs.disable(job_id, "requeue")
    machine.passes(seconds=1)
    for job_id in ("job", "other"):
        assert (
            code_of(lambda job_id=job_id: machine.account.jobs.replace(job_id, replacement)) == "InvalidPropertyValue"
        )


def test_a_pool_goes_after_a_restart_too(new_machine):
    """What it goes with is stored with it."""
    machine = new_machine()
    machine.job(poolInfo=auto_pool())
    machine.passes(seconds=1)
    machine.restarts()
    machine.account.jobs.delete("job")
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert pools(machine) == []
