"""What the service stores of an account comes back as it was."""

from __future__ import annotations

from local.batch.models.job import JobCreate
from local.batch.models.job_schedule import JobScheduleCreate
from local.batch.models.pool import PoolCreate
from local.batch.store import Store
from tests.local.batch.auto_pools import POOL, auto_pool


def test_resources_are_read_as_they_were_written(new_machine, tmp_path):
    """With what clients do not see: the run of a formula and when the next is due, what a pool goes with."""
    account = new_machine().account
    needs_samples = "x = $PendingTasks.GetSample(TimeInterval_Minute, 70);"
    scaling = {name: value for name, value in POOL.items() if name != "targetDedicatedNodes"}
    scaling |= {"id": "scaling", "enableAutoScale": True, "autoScaleFormula": needs_samples}
    account.pools.create(PoolCreate.model_validate(scaling))
    account.jobs.create(JobCreate.model_validate({"id": "job", "poolInfo": auto_pool(autoPoolIdPrefix="mine")}))
    job = {"poolInfo": auto_pool(poolLifetimeOption="jobschedule")}
    hourly = {"recurrenceInterval": "PT1H", "doNotRunAfter": "2027-01-01T00:00:00Z"}
    schedule = {"id": "hourly", "schedule": hourly, "jobSpecification": job}
    account.job_schedules.create(JobScheduleCreate.model_validate(schedule))
    account.advance()
    store = Store(tmp_path / "store")
    store.write(account.take_changes())
    stored, state = store.load(), account.state
    assert {pool.id.lower(): pool for pool in stored.pools} == state.pools
    assert {job.id: job for job in stored.jobs} == state.jobs
    assert {schedule.id: schedule for schedule in stored.schedules} == state.schedules
    assert (len(state.pools), list(state.jobs)) == (3, ["job", "hourly:job-1"])
    store.close()
