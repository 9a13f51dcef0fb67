"""Job preparation and release tasks on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.failures import FailureCode
from local.batch.machine.commands import TaskEnd
from local.batch.models.job import JobCreate
from local.batch.models.pool import NodeState

PREPARATION = {"jobPreparationTask": {"commandLine": "prepare"}}
BOTH = {**PREPARATION, "jobReleaseTask": {"commandLine": "release"}}


def preparation(**more) -> dict[str, object]:
    return {"jobPreparationTask": {"commandLine": "prepare", **more}}


def status(machine, index: int = 0):
    return machine.account.job_nodes.statuses("job")[index]


class TestPreparation:
    """A job's preparation task runs on a node before the first task of the job there."""

    def test_tasks_wait_for_it(self, machine):
        """They are preparing, take up slots, and run as soon as it has ended well."""
        machine.job(**PREPARATION)
        machine.task("1", requiredSlots=4)
        machine.task("2")
        assert (machine.task_state("1"), machine.task_state("2")) == ("preparing", "active")
        assert (status(machine).preparation.state, status(machine).release) == ("running", None)
        machine.ends("jobpreparation")
        assert (machine.task_state("1"), status(machine).preparation.result) == ("running", "success")

    def test_it_runs_once_on_a_node(self, machine):
        """Later tasks start at once."""
        machine.job(**PREPARATION)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.task("2")
        assert (machine.task_state("2"), list(machine.running)) == ("running", ["2"])

    def test_it_runs_on_every_node_that_gets_tasks(self, new_machine):
        """And on no other."""
        machine = new_machine()
        machine.pool(nodes=3, slots=1)
        machine.job(**PREPARATION)
        machine.task("1")
        machine.task("2")
        nodes = [command.node_id for command in machine.started]
        assert len(nodes) == len(set(nodes)) == 2
        assert [here.node_id for here in machine.account.job_nodes.statuses("job")] == sorted(nodes)

    def test_it_may_have_an_id_of_its_own(self, machine):
        """Which no task of the job can have; 409."""
        machine.job(**preparation(id="Ready"))
        with pytest.raises(BatchError) as refusal:
            machine.task("ready")
        assert refusal.value.error.code == "TaskIdSameAsJobPreparationTask"

    def test_it_is_retried(self, machine):
        """As often as its constraints say."""
        machine.job(**preparation(constraints={"maxTaskRetryCount": 1}))
        machine.task("1")
        machine.ends("jobpreparation", exit_code=1)
        assert (machine.task_state("1"), status(machine).preparation.retry_count) == ("preparing", 1)
        machine.ends("jobpreparation")
        assert machine.task_state("1") == "running"

    def test_a_node_where_it_failed_runs_no_task_of_the_job(self, new_machine):
        """The task returns to active and gets another node; other jobs do not mind."""
        machine = new_machine()
        machine.pool(nodes=2)
        machine.job(**PREPARATION)
        machine.task("1")
        failed = machine.started[0].node_id
        machine.ends("jobpreparation", exit_code=3)
        assert machine.task_state("1") == "preparing"
        assert machine.running["jobpreparation"].node_id != failed
        codes = {here.node_id: here.preparation.exit_code for here in machine.account.job_nodes.statuses("job")}
        assert codes == {failed: 3, machine.running["jobpreparation"].node_id: None}
        machine.ends("jobpreparation", exit_code=3)
        assert machine.task_state("1") == "active"
        machine.job("other")
        machine.task("2", "other")
        assert machine.task_state("2", "other") == "running"

    def test_what_keeps_it_from_starting_is_not_retried(self, machine):
        """As with any task."""
        machine.job(**preparation(constraints={"maxTaskRetryCount": 5}))
        machine.task("1")
        machine.ends("jobpreparation", exit_code=None, failure=FailureCode.BLOB_NOT_FOUND.info())
        info = status(machine).preparation
        assert (info.state, info.retry_count, info.failure_info.code) == ("completed", 0, "BlobNotFound")

    def test_tasks_may_run_beside_it(self, machine):
        """Without waitForSuccess, whatever becomes of it."""
        machine.job(**preparation(waitForSuccess=False))
        machine.task("1")
        assert machine.task_state("1") == "running"
        machine.ends("jobpreparation", exit_code=1)
        machine.task("2")
        assert machine.task_state("2") == "running"

    def test_it_is_stopped_at_its_time_limit(self, machine):
        """As any task."""
        machine.job(**preparation(constraints={"maxWallClockTime": "PT60S"}))
        machine.task("1")
        machine.passes(seconds=59)
        assert machine.stopping == []
        machine.passes(seconds=1)
        assert machine.stopping == [machine.running["jobpreparation"].run]

    def test_it_ends_with_its_job(self, machine):
        """The job completes once it has ended; what waited for it stays active."""
        machine.job(**PREPARATION)
        machine.task("1")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=10)
        assert machine.stopping == [machine.running["jobpreparation"].run]
        assert (machine.job_state(), machine.task_state("1")) == ("terminating", "active")
        machine.ends("jobpreparation", exit_code=137)
        assert machine.job_state() == "completed"

    @pytest.mark.parametrize(("rerun", "waits"), [(True, "preparing"), (False, "running")])
    def test_a_reboot_has_it_run_again_or_not(self, machine, rerun, waits):
        """What decides is rerunOnNodeRebootAfterSuccess, which is true by default."""
        machine.job(**preparation(rerunOnNodeRebootAfterSuccess=rerun))
        machine.task("1")
        machine.ends("jobpreparation")
        machine.restarts()
        assert machine.task_state("1") == waits

    def test_a_reboot_in_its_midst_has_it_run_again(self, machine):
        """Whatever rerunOnNodeRebootAfterSuccess says; a late report of the earlier run changes nothing."""
        machine.job(**preparation(rerunOnNodeRebootAfterSuccess=False))
        machine.task("1")
        late = machine.running["jobpreparation"].run
        machine.restarts()
        assert machine.running["jobpreparation"].run != late
        machine.account.end_task(late, TaskEnd(0))
        machine.passes()
        assert machine.task_state("1") == "preparing"


class TestRelease:
    """A job's release task runs when the job ends, on the nodes that its tasks ran on."""

    def test_the_job_completes_after_it(self, machine):
        """However the job ends."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=10)
        assert (machine.job_state(), status(machine).release.state) == ("terminating", "running")
        machine.ends("jobrelease", exit_code=1)
        assert (machine.job_state(), status(machine).release.result) == ("completed", "failure")

    def test_it_runs_after_the_last_task(self, machine):
        """Which is stopped first."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=10)
        assert "jobrelease" not in machine.running
        machine.ends("1", exit_code=137)
        assert "jobrelease" in machine.running

    def test_deleting_an_active_job_runs_it_too(self, machine):
        """The job is gone after it, and so are the directories of both tasks."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.account.jobs.delete("job")
        machine.passes(seconds=10)
        machine.ends("jobrelease")
        assert machine.account.jobs.all() == []

    def test_nodes_without_tasks_are_left_alone(self, machine):
        """A node where only the preparation ran has nothing to be released of."""
        machine.job(**BOTH)
        machine.task("1")
        machine.account.tasks.terminate("job", "1")
        machine.ends("jobpreparation")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=10)
        assert (machine.job_state(), "jobrelease" in machine.running) == ("completed", False)

    def test_it_takes_fifteen_minutes_at_most(self, machine):
        """Then it is stopped; no longer limit is taken."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=1)
        machine.passes(seconds=899)
        assert machine.stopping == []
        machine.passes(seconds=1)
        assert machine.stopping == [machine.running["jobrelease"].run]
        too_long = {"commandLine": "x", "maxWallClockTime": "PT15M1S"}
        with pytest.raises(ValueError, match="less than or equal to 15 minutes"):
            JobCreate.model_validate(
                {"id": "x", "poolInfo": {"poolId": "p"}, **PREPARATION, "jobReleaseTask": too_long}
            )

    def test_it_needs_a_preparation_task(self, machine):
        """400 without one."""
        with pytest.raises(BatchError) as refusal:
            machine.job(jobReleaseTask={"commandLine": "release"})
        assert refusal.value.details["PropertyName"] == "jobReleaseTask"

    def test_a_reboot_has_it_run_again(self, machine):
        """If it was running."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=1)
        before = machine.running["jobrelease"].run
        machine.restarts()
        machine.passes(seconds=1)
        assert machine.running["jobrelease"].run != before
        machine.ends("jobrelease")
        assert machine.job_state() == "completed"

    def test_a_node_that_has_left_is_not_waited_for(self, machine):
        """What runs there ends with it."""
        machine.job(**BOTH)
        machine.task("1")
        machine.ends("jobpreparation")
        machine.ends("1")
        machine.account.jobs.terminate("job", "reason")
        machine.passes(seconds=1)
        machine.account.pools.delete("pool")
        machine.passes(seconds=1)
        machine.passes(seconds=1)
        assert (machine.job_state(), status(machine).release.failure_info.code) == ("completed", "TaskEnded")


def test_jobs_without_preparation_have_no_status(machine):
    """JobPreparationTaskNotSpecified."""
    machine.job()
    with pytest.raises(BatchError) as refusal:
        machine.account.job_nodes.statuses("job")
    assert refusal.value.error.code == "JobPreparationTaskNotSpecified"


def test_a_node_that_died_is_prepared_again(machine):
    """Its disk is new: neither its preparation nor that tasks ran there is remembered."""
    machine.job(**preparation(rerunOnNodeRebootAfterSuccess=False))
    machine.task("1")
    machine.ends("jobpreparation")
    (node,) = machine.account.nodes.all("pool")
    machine.account.nodes.set_state("pool", node.id, NodeState.UNUSABLE)
    machine.passes()
    assert machine.task_state("1") == "active"
    machine.account.nodes.set_state("pool", node.id, NodeState.IDLE)
    machine.passes()
    assert machine.task_state("1") == "preparing"
    machine.ends("jobpreparation")
    assert machine.task_state("1") == "running"


def test_a_job_does_not_wait_for_a_node_that_died(machine):
    """What its release task should have removed is gone with the node's disk."""
    machine.job(**preparation(), jobReleaseTask={"id": "release", "commandLine": "x"})
    machine.task("1")
    machine.ends("jobpreparation")
    machine.ends("1")
    machine.account.jobs.terminate("job", "r")
    machine.passes(seconds=1)
    assert ("release" in machine.running, machine.job_state()) == (True, "terminating")
    (node,) = machine.account.nodes.all("pool")
    machine.account.nodes.set_state("pool", node.id, NodeState.UNUSABLE)
    machine.passes()
    assert machine.job_state() == "completed"
