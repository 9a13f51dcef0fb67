"""Job schedules, on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.batch.errors import BatchError
from local.batch.models.job_schedule import JobScheduleCreate, JobScheduleReplace, JobScheduleUpdate
from tests.local.batch.auto_pools import auto_pool, pools
from tests.local.batch.scaling import code_of

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def machine(new_machine):
    """An account without pools, at midnight."""
    return new_machine()


def schedule(machine, schedule_id: str = "nightly", pool_info: dict | None = None, **times: str) -> None:
    """Create a schedule."""
    job = {"poolInfo": pool_info or {"poolId": "none"}, "priority": 7}
    spec = {"id": schedule_id, "schedule": times, "jobSpecification": job}
    machine.account.job_schedules.create(JobScheduleCreate.model_validate(spec))
    machine.passes()


def jobs(machine) -> list[str]:
    """The jobs of the schedule `nightly`, with their states."""
    return [f"{job.id} {job.state.value}" for job in machine.account.job_schedules.jobs("nightly")]


def end_job(machine, number: int) -> None:
    """Let a job end, and with it what waits for it."""
    machine.account.jobs.terminate(f"nightly:job-{number}", "mine")
    machine.passes(seconds=1)


def of(machine):
    return machine.account.state.schedule("nightly")


def test_a_schedule_makes_a_job_at_once_and_one_in_every_interval(machine):
    """As its specification says; their ids count them."""
    schedule(machine, recurrenceInterval="PT1H")
    assert jobs(machine) == ["nightly:job-1 active"]
    assert machine.account.state.job("nightly:job-1").priority == 7
    assert of(machine).execution_info.next_run_time == BEGIN + timedelta(hours=1)
    end_job(machine, 1)
    assert jobs(machine) == ["nightly:job-1 completed"]
    machine.passes(seconds=3600)
    assert jobs(machine) == ["nightly:job-1 completed", "nightly:job-2 active"]
    assert of(machine).execution_info.recent_job.id == "nightly:job-2"
    assert of(machine).execution_info.next_run_time == BEGIN + timedelta(hours=2)


def test_a_schedule_that_does_not_recur_ends_with_its_job(machine):
    """It makes one."""
    schedule(machine)
    assert (jobs(machine), of(machine).state) == (["nightly:job-1 active"], "active")
    assert of(machine).execution_info.next_run_time is None
    end_job(machine, 1)
    assert of(machine).state == "completed"
    assert of(machine).execution_info.end_time == machine.now


def test_one_job_is_active_at_a_time(machine):
    """The next waits for its end, unless its own time has passed by then: it is not made up for."""
    schedule(machine, recurrenceInterval="PT1H")
    machine.passes(seconds=5400)
    assert jobs(machine) == ["nightly:job-1 active"]
    end_job(machine, 1)
    assert jobs(machine)[1:] == ["nightly:job-2 active"]
    machine.passes(seconds=3 * 3600)
    end_job(machine, 2)
    assert jobs(machine)[2:] == ["nightly:job-3 active"]
    assert of(machine).execution_info.next_run_time == BEGIN + timedelta(hours=5)


def test_a_job_that_is_late_is_left_out(machine):
    """`startWindow` says from when on."""
    schedule(machine, recurrenceInterval="PT1H", startWindow="PT10M")
    machine.passes(seconds=3600 + 11 * 60)
    end_job(machine, 1)
    assert jobs(machine) == ["nightly:job-1 completed"]
    machine.passes(seconds=49 * 60)
    assert jobs(machine)[1:] == ["nightly:job-2 active"]


def test_no_job_is_made_before_or_after_its_time(machine):
    """After `doNotRunAfter` the schedule ends, with the job that is active."""
    times = {"doNotRunUntil": "2026-11-22T01:00:00Z", "doNotRunAfter": "2026-11-22T02:30:00Z"}
    schedule(machine, recurrenceInterval="PT1H", **times)
    machine.passes(seconds=3599)
    assert jobs(machine) == []
    machine.passes(seconds=1)
    end_job(machine, 1)
    machine.passes(seconds=3600)
    assert jobs(machine)[1:] == ["nightly:job-2 active"]
    machine.passes(seconds=7200)
    assert of(machine).state == "active"
    end_job(machine, 2)
    assert (len(jobs(machine)), of(machine).state) == (2, "completed")


def test_a_schedule_without_a_job_ends_on_time(machine):
    """At `doNotRunAfter`, although no job is due before it any more."""
    schedule(machine, recurrenceInterval="PT1H", doNotRunAfter="2026-11-22T00:30:00Z")
    end_job(machine, 1)
    assert (of(machine).state, of(machine).execution_info.next_run_time) == ("active", None)
    machine.passes(seconds=1800)
    assert of(machine).state == "completed"


def test_a_disabled_schedule_makes_no_jobs(machine):
    """Its active job runs on; what was due meanwhile is made when it is enabled."""
    schedule(machine, recurrenceInterval="PT1H")
    end_job(machine, 1)
    machine.account.job_schedules.disable("nightly")
    machine.passes(seconds=5000)
    assert (len(jobs(machine)), of(machine).state) == (1, "disabled")
    machine.account.job_schedules.enable("nightly")
    machine.passes()
    assert jobs(machine)[1:] == ["nightly:job-2 active"]


def test_a_schedule_ends_with_its_job(machine):
    """The reason stands in the job; then the schedule takes nothing any more but its deletion."""
    schedule(machine, recurrenceInterval="PT1H")
    schedules = machine.account.job_schedules
    schedules.terminate("nightly")
    assert code_of(lambda: schedules.enable("nightly")) == "JobScheduleBeingTerminated"
    machine.passes(seconds=1)
    assert (jobs(machine), of(machine).state) == (["nightly:job-1 completed"], "completed")
    assert machine.account.state.job("nightly:job-1").execution_info.terminate_reason == "TerminateJobSchedule"
    for refused in (schedules.disable, schedules.terminate):
        assert code_of(lambda refused=refused: refused("nightly")) == "JobScheduleCompleted"
    machine.passes(seconds=7200)
    assert len(jobs(machine)) == 1
    schedules.delete("nightly")
    assert code_of(lambda: schedules.delete("nightly")) == "JobScheduleBeingDeleted"
    machine.passes(seconds=1)
    assert code_of(lambda: schedules.jobs("nightly")) == "JobScheduleNotFound"
    assert machine.account.jobs.all() == []


def test_changes_are_for_the_jobs_to_come(machine):
    """What PATCH leaves out stays; PUT without a schedule makes no more jobs."""
    schedule(machine, recurrenceInterval="PT1H")
    update = {"jobSpecification": {"poolInfo": {"poolId": "other"}}}
    machine.account.job_schedules.update("nightly", JobScheduleUpdate.model_validate(update))
    end_job(machine, 1)
    machine.passes(seconds=3600)
    assert [job.pool_id for job in machine.account.job_schedules.jobs("nightly")] == ["none", "other"]
    update = {"schedule": {"recurrenceInterval": "PT2H"}}
    machine.account.job_schedules.update("nightly", JobScheduleUpdate.model_validate(update))
    machine.passes()
    assert of(machine).execution_info.next_run_time == BEGIN + timedelta(hours=3)
    replacement = JobScheduleReplace.model_validate({"jobSpecification": {"poolInfo": {"poolId": "x"}}})
    machine.account.job_schedules.replace("nightly", replacement)
    end_job(machine, 2)
    assert of(machine).state == "completed"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"id": "nightly"}, "JobScheduleExists"),
        ({"id": "Job"}, "JobWithSameIdExists"),
        ({"jobSpecification": {"poolInfo": {}}}, "InvalidPropertyValue"),
        ({"jobSpecification": {"poolInfo": {"poolId": "p"}, "jobManagerTask": {}}}, "NotImplemented"),
        ({"schedule": {"doNotRunAfter": "2026-11-21T00:00:00Z"}}, "InvalidPropertyValue"),
    ],
)
def test_what_no_schedule_can_be_is_refused(machine, spec, code):
    """Nor is there a job of a schedule's id, in any spelling."""
    schedule(machine)
    machine.job()
    default = {"id": "new", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
    created = JobScheduleCreate.model_validate({**default, **spec})
    assert code_of(lambda: machine.account.job_schedules.create(created)) == code
    assert code_of(lambda: machine.job("NIGHTLY")) == "JobScheduleWithSameIdExists"


def test_schedules_count_for_the_quota_of_jobs(machine):
    """A job that it does not allow is left out; the schedule goes on."""
    machine.account.state.limits.active_job_quota = 1
    schedule(machine, recurrenceInterval="PT1H")
    assert jobs(machine) == []
    assert code_of(lambda: schedule(machine, "second")) == "ActiveJobAndScheduleQuotaReached"
    machine.account.state.limits.active_job_quota = 2
    machine.passes(seconds=3600)
    assert jobs(machine) == ["nightly:job-1 active"]


def test_jobs_of_a_schedule_share_its_auto_pool(machine):
    """It goes with the schedule."""
    schedule(machine, pool_info=auto_pool(poolLifetimeOption="jobschedule"), recurrenceInterval="PT1H")
    shared = pools(machine)
    end_job(machine, 1)
    machine.passes(seconds=3600)
    assert pools(machine) == shared
    assert [job.pool_id for job in machine.account.job_schedules.jobs("nightly")] == shared * 2
    machine.account.job_schedules.terminate("nightly")
    machine.passes(seconds=1)
    machine.passes(seconds=1)
    assert pools(machine) == []


def test_each_job_may_have_an_auto_pool_of_its_own(machine):
    """`job` is an option for schedules, too."""
    schedule(machine, pool_info=auto_pool(), recurrenceInterval="PT1H")
    first = pools(machine)
    end_job(machine, 1)
    machine.passes(seconds=3600)
    assert len(pools(machine)) == 1
    assert pools(machine) != first


def test_a_schedule_goes_on_after_a_restart(machine):
    """Jobs that were due meanwhile are not all made up for."""
    schedule(machine, recurrenceInterval="PT1H")
    end_job(machine, 1)
    machine.now += timedelta(hours=5)
    machine.restarts()
    assert jobs(machine) == ["nightly:job-1 completed", "nightly:job-2 active"]


def test_a_job_of_a_schedule_runs_tasks(machine):
    """As any other."""
    machine.pool()
    schedule(machine, pool_info={"poolId": "pool"})
    machine.task("1", job_id="nightly:job-1")
    machine.ends("1")
    assert machine.task_state("1", "nightly:job-1") == "completed"


def test_a_deletion_ends_what_runs(machine):
    """The schedule is there until its jobs are gone."""
    machine.pool()
    schedule(machine, pool_info={"poolId": "pool"})
    machine.task("1", job_id="nightly:job-1")
    machine.account.job_schedules.delete("nightly")
    machine.passes(seconds=60)
    assert of(machine).state == "deleting"
    machine.ends("1", exit_code=137)
    with pytest.raises(BatchError):
        of(machine)
