"""The states of jobs, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.errors import BatchError
from local.batch.models.job import DisableTasks, JobReplace, JobUpdate


def code_of(refusal: pytest.ExceptionInfo[BatchError]) -> str:
    return refusal.value.error.code


def terminate_when_done() -> JobUpdate:
    return JobUpdate(on_all_tasks_complete="terminatejob")


def test_a_job_ends_with_its_last_task(machine):
    """With terminatejob a job is terminating once no task is left, and completed a moment later."""
    machine.job()
    machine.task("1")
    machine.account.jobs.update("job", terminate_when_done())
    assert machine.job_state() == "active"
    machine.ends("1")
    assert machine.job_state() == "terminating"
    machine.passes(seconds=1)
    job = machine.account.state.job("job")
    assert (job.state, job.execution_info.terminate_reason) == ("completed", "AllTasksComplete")
    assert job.execution_info.end_time == machine.now


def test_an_empty_job_ends_at_once(machine):
    """Terminatejob on a job without tasks ends it: nothing is left to run."""
    machine.job()
    machine.account.jobs.update("job", terminate_when_done())
    machine.passes(seconds=1)
    assert machine.job_state() == "completed"


def test_terminatejob_cannot_be_taken_back(machine):
    """Neither PATCH nor PUT (whose default it is) can set noaction again."""
    machine.job()
    machine.task("1")
    machine.account.jobs.update("job", terminate_when_done())
    with pytest.raises(BatchError) as patch:
        machine.account.jobs.update("job", JobUpdate(on_all_tasks_complete="noaction"))
    with pytest.raises(BatchError) as put:
        machine.account.jobs.replace("job", JobReplace(pool_info={"poolId": "pool"}))
    assert (code_of(patch), code_of(put)) == ("InvalidPropertyValue", "InvalidPropertyValue")


def test_without_terminatejob_a_job_stays_active(machine):
    """A job whose tasks have all completed goes on counting against the quota."""
    machine.job()
    machine.task("1")
    machine.ends("1")
    machine.passes(seconds=3600)
    assert machine.job_state() == "active"


def test_a_terminated_job_waits_for_its_running_tasks(machine):
    """Running tasks are stopped and end with TaskEnded; those that had not started stay active."""
    machine.job(maxParallelTasks=1)
    machine.task("1")
    machine.task("2")
    machine.account.jobs.terminate("job", "because")
    machine.passes(seconds=10)
    assert machine.job_state() == "terminating"
    assert [run.task_id for run in machine.stopping] == ["1"]
    machine.ends("1", exit_code=137)
    machine.passes(seconds=1)
    task = machine.account.state.task("job", "1")
    assert machine.job_state() == "completed"
    assert (task.execution_info.exit_code, task.execution_info.failure_info.code) == (137, "TaskEnded")
    assert machine.task_state("2") == "active"
    assert machine.account.state.job("job").execution_info.terminate_reason == "because"


@pytest.mark.parametrize(
    ("reach", "code"),
    [
        (lambda machine: machine.account.jobs.delete("job"), "JobBeingDeleted"),
        (lambda machine: machine.account.jobs.terminate("job", "r"), "JobBeingTerminated"),
        (lambda machine: (machine.account.jobs.terminate("job", "r"), machine.passes(seconds=1)), "JobCompleted"),
        (lambda machine: machine.account.jobs.disable("job", DisableTasks.WAIT), "JobDisabled"),
    ],
)
def test_only_an_active_job_takes_tasks(machine, reach, code):
    """The code of the 409 says why not."""
    machine.job()
    reach(machine)
    with pytest.raises(BatchError) as refusal:
        machine.task("1")
    assert code_of(refusal) == code


def test_an_ended_job_refuses_changes(machine):
    """A completed job can only be deleted."""
    machine.job()
    machine.account.jobs.terminate("job", "r")
    machine.passes(seconds=1)
    for change in (
        lambda: machine.account.jobs.terminate("job", "r"),
        lambda: machine.account.jobs.update("job", JobUpdate(priority=1)),
        lambda: machine.account.jobs.disable("job", DisableTasks.WAIT),
        lambda: machine.account.jobs.enable("job"),
    ):
        with pytest.raises(BatchError) as refusal:
            change()
        assert code_of(refusal) == "JobCompleted"
    machine.account.jobs.delete("job")


def test_a_deleted_job_is_gone_once_nothing_of_it_runs(machine):
    """It can be seen deleting, not deleted twice, and its id is free afterwards."""
    machine.job()
    machine.task("1")
    machine.account.jobs.delete("job")
    machine.passes(seconds=10)
    assert machine.job_state() == "deleting"
    with pytest.raises(BatchError) as twice:
        machine.account.jobs.delete("job")
    assert code_of(twice) == "JobBeingDeleted"
    machine.ends("1", exit_code=137)
    machine.passes(seconds=1)
    with pytest.raises(BatchError) as gone:
        machine.job_state()
    assert code_of(gone) == "JobNotFound"
    machine.job()


def test_ids_are_unique_whatever_their_case(machine):
    """`Job` and `job` are the same job; it keeps the spelling that it was created with."""
    machine.job("Job")
    with pytest.raises(BatchError) as refusal:
        machine.job("JOB")
    assert code_of(refusal) == "JobExists"
    assert machine.account.state.job("jOB").id == "Job"


def test_the_quota_counts_jobs_that_have_not_completed(new_machine):
    """Completed jobs are free; an existing id is told before the quota."""
    machine = new_machine(quota=1)
    machine.job("one")
    with pytest.raises(BatchError) as second:
        machine.job("two")
    with pytest.raises(BatchError) as same:
        machine.job("one")
    assert (code_of(second), code_of(same)) == ("ActiveJobAndScheduleQuotaReached", "JobExists")
    machine.account.jobs.terminate("one", "r")
    machine.passes(seconds=1)
    machine.job("two")


def test_a_job_ends_at_its_time_limit(machine):
    """MaxWallClockTime counts from the job's creation."""
    machine.job(constraints={"maxWallClockTime": "PT1H"})
    machine.task("1")
    machine.passes(seconds=3599)
    assert machine.job_state() == "active"
    assert machine.account.next_alarm() == machine.now + timedelta(seconds=1)
    machine.passes(seconds=1)
    machine.ends("1", exit_code=137)
    machine.passes(seconds=1)
    job = machine.account.state.job("job")
    assert (job.state, job.execution_info.terminate_reason) == ("completed", "MaxWallClockTimeExpiry")


def test_a_time_limit_can_be_extended(machine):
    """The limit that holds is the one of the moment, not the one of the job's creation."""
    machine.job(constraints={"maxWallClockTime": "PT1H"})
    machine.account.jobs.update("job", JobUpdate.model_validate({"constraints": {"maxWallClockTime": "PT2H"}}))
    machine.passes(seconds=3600)
    assert machine.job_state() == "active"
    machine.passes(seconds=3601)
    assert machine.job_state() == "terminating"


@pytest.mark.parametrize(
    ("running", "state", "requeues"),
    [(DisableTasks.REQUEUE, "active", 1), (DisableTasks.TERMINATE, "completed", 0)],
)
def test_disabling_a_job_deals_with_its_running_tasks(machine, running, state, requeues):
    """They run again once the job is enabled, which counts as a requeue and not as a retry; or they end."""
    machine.job()
    machine.task("1")
    machine.account.jobs.disable("job", running)
    machine.passes()
    assert machine.job_state() == "disabling"
    machine.ends("1", exit_code=137)
    machine.passes(seconds=1)
    task = machine.account.state.task("job", "1")
    assert (machine.job_state(), task.state) == ("disabled", state)
    assert (task.execution_info.requeue_count, task.execution_info.retry_count) == (requeues, 0)
    machine.account.jobs.enable("job")
    machine.passes(seconds=1)
    assert machine.job_state() == "active"
    assert ("1" in machine.running) == (running is DisableTasks.REQUEUE)


def test_a_job_may_be_disabled_without_stopping_what_runs(machine):
    """With wait it is disabled once its running tasks have ended by themselves."""
    machine.job()
    machine.task("1")
    machine.account.jobs.disable("job", DisableTasks.WAIT)
    machine.passes(seconds=10)
    assert (machine.job_state(), machine.stopping) == ("disabling", [])
    machine.ends("1")
    machine.passes(seconds=1)
    assert machine.job_state() == "disabled"
    assert machine.account.state.task("job", "1").succeeded


def test_a_job_waits_for_a_pool_that_does_not_exist(new_machine):
    """It is accepted, and runs as soon as there is such a pool."""
    machine = new_machine()
    machine.job()
    machine.task("1")
    machine.passes(seconds=3600)
    assert machine.task_state("1") == "active"
    machine.pool()
    assert machine.task_state("1") == "running"
