"""Tasks on a clock that the test moves: dependencies, exit conditions, retries, operations, retention."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.errors import BatchError
from local.batch.failures import FailureCode
from local.batch.machine.commands import RemoveTaskDirectory
from local.batch.machine.state import Kind
from local.batch.models.job import DisableTasks, JobCreate, JobUpdate
from local.batch.models.task import TaskReplace

PERFORM = {"onTaskFailure": "performexitoptionsjobaction", "usesTaskDependencies": True}


def after(*task_ids: str) -> dict[str, object]:
    return {"dependsOn": {"taskIds": task_ids}}


class TestDependencies:
    """What depends on a task starts once that one has ended well, or was told to satisfy."""

    def test_a_task_starts_after_all_that_it_depends_on(self, machine):
        """The last of them is what it waits for, in whichever order they end."""
        machine.job(usesTaskDependencies=True)
        machine.task("1")
        machine.task("2")
        machine.task("3", **after("1", "2"))
        machine.ends("2")
        assert machine.task_state("3") == "active"
        machine.ends("1")
        assert machine.task_state("3") == "running"

    def test_ranges_are_ids_from_start_to_end(self, machine):
        """Both ends belong to the range."""
        machine.job(usesTaskDependencies=True)
        for number in (9, 10):
            machine.task(str(number))
        machine.task("sum", dependsOn={"taskIdRanges": [{"start": 9, "end": 10}]})
        machine.ends("9")
        assert machine.task_state("sum") == "active"
        machine.ends("10")
        assert machine.task_state("sum") == "running"

    def test_a_dependency_may_be_added_later(self, machine):
        """What is not there yet is waited for."""
        machine.job(usesTaskDependencies=True)
        machine.task("2", **after("1"))
        machine.task("1")
        machine.ends("1")
        assert machine.task_state("2") == "running"

    def test_a_failed_task_blocks_for_ever(self, machine):
        """The dependants stay active, so that the job does not complete either."""
        machine.job(usesTaskDependencies=True)
        machine.task("1")
        machine.task("2", **after("1"))
        machine.ends("1", exit_code=1)
        machine.passes(seconds=10**6)
        assert (machine.task_state("2"), machine.job_state()) == ("active", "active")

    def test_a_failed_task_may_satisfy(self, machine):
        """With dependencyAction satisfy for its exit code."""
        machine.job(usesTaskDependencies=True)
        satisfy = {"exitCodes": [{"code": 7, "exitOptions": {"dependencyAction": "satisfy"}}]}
        machine.task("1", exitConditions=satisfy)
        machine.task("2", **after("1"))
        machine.ends("1", exit_code=7)
        assert machine.task_state("2") == "running"

    def test_a_deleted_task_is_waited_for(self, machine):
        """What depends on it does not start."""
        machine.job(usesTaskDependencies=True, maxParallelTasks=1)
        machine.task("busy")
        machine.task("1")
        machine.task("2", **after("1"))
        machine.account.tasks.delete("job", "1")
        machine.ends("busy")
        assert machine.task_state("2") == "active"

    @pytest.mark.parametrize("undo", ["delete", "reactivate"])
    def test_what_is_taken_back_does_not_count(self, machine, undo):
        """A task that ended well enough counts no more once it is deleted or runs again."""
        machine.job(usesTaskDependencies=True)
        machine.task("1", exitConditions={"default": {"dependencyAction": "satisfy"}})
        machine.ends("1", exit_code=1)
        getattr(machine.account.tasks, undo)("job", "1")
        machine.task("2", **after("1"))
        assert machine.task_state("2") == "active"

    def test_the_job_must_use_dependencies(self, machine):
        """Otherwise the task is refused, as is a dependencyAction."""
        machine.job()
        with pytest.raises(BatchError) as refusal:
            machine.task("2", **after("1"))
        assert refusal.value.error.code == "TaskDependenciesNotSpecifiedOnJob"
        with pytest.raises(BatchError) as action:
            machine.task("3", exitConditions={"default": {"dependencyAction": "satisfy"}})
        assert action.value.error.code == "InvalidPropertyValue"


class TestExitConditions:
    """What a task's end does to its job, if the job performs exit options."""

    RAN_BADLY = {"exit_code": 3}  # noqa: RUF012 - read only
    NOT_STARTED = {"exit_code": None, "failure": FailureCode.BLOB_NOT_FOUND.info()}  # noqa: RUF012
    NOT_UPLOADED = {"exit_code": 0, "failure": FailureCode.FILE_UPLOAD_MISC_ERROR.info()}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("conditions", "end", "state"),
        [
            (None, {"exit_code": 0}, "active"),
            (None, RAN_BADLY, "terminating"),
            ({"default": {"jobAction": "none"}}, RAN_BADLY, "active"),
            ({"default": {"jobAction": "disable"}}, RAN_BADLY, "disabling"),
            ({"exitCodes": [{"code": 3, "exitOptions": {"jobAction": "none"}}]}, RAN_BADLY, "active"),
            ({"exitCodes": [{"code": 4, "exitOptions": {"jobAction": "none"}}]}, RAN_BADLY, "terminating"),
            ({"exitCodeRanges": [{"start": 2, "end": 3, "exitOptions": {"jobAction": "none"}}]}, RAN_BADLY, "active"),
            ({"exitCodes": [{"code": 0, "exitOptions": {"jobAction": "terminate"}}]}, {"exit_code": 0}, "terminating"),
            ({"preProcessingError": {"jobAction": "none"}}, NOT_STARTED, "active"),
            ({"preProcessingError": {"jobAction": "none"}}, RAN_BADLY, "terminating"),
            ({"default": {"jobAction": "none"}}, NOT_STARTED, "active"),
            ({"fileUploadError": {"jobAction": "none"}}, NOT_UPLOADED, "active"),
            ({"fileUploadError": {"jobAction": "none"}}, NOT_STARTED, "terminating"),
            (
                {
                    "exitCodes": [{"code": 0, "exitOptions": {"jobAction": "terminate"}}],
                    "fileUploadError": {"jobAction": "none"},
                },
                NOT_UPLOADED,
                "terminating",
            ),
        ],
    )
    def test_the_most_specific_condition_decides(self, machine, conditions, end, state):
        """An exit code that is named goes before an upload error, and either before the default."""
        machine.job(**PERFORM)
        machine.task("1", exitConditions=conditions)
        machine.ends("1", **end)
        assert machine.job_state() == state

    def test_a_terminated_job_says_that_a_task_failed(self, machine):
        """The reason is TaskFailed."""
        machine.job(**PERFORM)
        machine.task("1")
        machine.ends("1", exit_code=1)
        assert machine.account.state.job("job").execution_info.terminate_reason == "TaskFailed"

    def test_job_actions_need_a_job_that_performs_them(self, machine):
        """On a job with onTaskFailure noaction they are refused."""
        machine.job()
        with pytest.raises(BatchError) as refusal:
            machine.task("1", exitConditions={"default": {"jobAction": "none"}})
        assert refusal.value.error.code == "InvalidPropertyValue"


class TestRetries:
    """Exit codes are retried; what kept a command from starting or its files from being uploaded is not."""

    def test_a_failing_task_is_tried_again(self, machine):
        """As often as maxTaskRetryCount says; then it has failed."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": 2})
        for retries in range(2):
            assert machine.running["1"].retries_left
            machine.ends("1", exit_code=1)
            execution = machine.account.state.task("job", "1").execution_info
            assert (execution.retry_count, execution.last_retry_time) == (retries + 1, machine.now)
        assert not machine.running["1"].retries_left
        machine.ends("1", exit_code=1)
        task = machine.account.state.task("job", "1")
        assert (task.state, task.execution_info.retry_count) == ("completed", 2)
        assert task.execution_info.failure_info.code == "FailureExitCode"

    def test_a_task_that_succeeds_is_not_tried_again(self, machine):
        """However many retries are left."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": -1})
        machine.ends("1", exit_code=0)
        assert machine.account.state.task("job", "1").succeeded

    def test_the_job_gives_the_number_for_tasks_without_one(self, machine):
        """The job's maxTaskRetryCount is a default."""
        machine.job(constraints={"maxTaskRetryCount": 1})
        machine.task("1")
        machine.task("2", constraints={"maxTaskRetryCount": 0})
        machine.ends("1", exit_code=1)
        machine.ends("2", exit_code=1)
        assert (machine.task_state("1"), machine.task_state("2")) == ("running", "completed")

    @pytest.mark.parametrize("failure", [FailureCode.BLOB_ACCESS_DENIED, FailureCode.FILE_UPLOAD_MISC_ERROR])
    def test_other_failures_are_not_retried(self, machine, failure):
        """Neither before the command starts nor after it."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": 5})
        machine.ends("1", exit_code=None, failure=failure.info())
        assert machine.task_state("1") == "completed"

    def test_a_task_that_is_terminated_is_not_retried(self, machine):
        """It completes with TaskEnded, once the node has reported its end."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": 5})
        machine.account.tasks.terminate("job", "1")
        machine.passes()
        assert machine.task_state("1") == "running"
        machine.ends("1", exit_code=137)
        assert machine.account.state.task("job", "1").execution_info.failure_info.code == "TaskEnded"

    def test_a_task_is_stopped_at_its_time_limit(self, machine):
        """MaxWallClockTime counts from the start of the task, not from when it was added."""
        machine.job(maxParallelTasks=1)
        machine.task("1")
        machine.task("2", constraints={"maxWallClockTime": "PT1M"})
        machine.passes(seconds=3600)
        machine.ends("1")
        machine.passes(seconds=59)
        assert machine.stopping == []
        machine.passes(seconds=1)
        assert [run.task_id for run in machine.stopping] == ["2"]


class TestOperations:
    """What clients ask of tasks."""

    def test_a_task_can_be_terminated_before_it_runs(self, machine):
        """It completes at once, without an exit code; the job may end with it."""
        machine.job()
        machine.task("1", requiredSlots=9)
        machine.account.tasks.terminate("job", "1")
        task = machine.account.state.task("job", "1")
        assert (task.state, task.execution_info.exit_code) == ("completed", None)
        assert task.execution_info.failure_info.code == "TaskEnded"

    def test_a_task_that_never_ran_ends_no_job(self, machine):
        """It can be reactivated, although failures end the job."""
        machine.job(**PERFORM)
        machine.task("1", requiredSlots=9)
        machine.account.tasks.terminate("job", "1")
        machine.account.tasks.reactivate("job", "1")
        assert (machine.job_state(), machine.task_state("1")) == ("active", "active")

    def test_a_failed_task_can_run_again(self, machine):
        """With all its retries and without a trace of its failure."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": 1})
        machine.ends("1", exit_code=1)
        machine.ends("1", exit_code=1)
        machine.account.tasks.reactivate("job", "1")
        machine.passes()
        task = machine.account.state.task("job", "1")
        assert (task.state, task.execution_info.retry_count) == ("running", 0)
        assert (task.execution_info.exit_code, task.execution_info.failure_info) == (None, None)

    def test_only_failed_tasks_run_again(self, machine):
        """Not those that run or succeeded."""
        machine.job()
        machine.task("1")
        with pytest.raises(BatchError) as running:
            machine.account.tasks.reactivate("job", "1")
        machine.ends("1")
        with pytest.raises(BatchError) as succeeded:
            machine.account.tasks.reactivate("job", "1")
        assert running.value.error.code == "TaskNotCompleted"
        assert succeeded.value.error.code == "TaskSucceeded"

    def test_a_task_of_a_disabled_job_may_be_reactivated(self, machine):
        """It runs once the job is enabled; only an ended job refuses."""
        machine.job()
        machine.task("1")
        machine.ends("1", exit_code=1)
        machine.account.jobs.disable("job", DisableTasks.WAIT)
        machine.passes(seconds=1)
        machine.account.tasks.reactivate("job", "1")
        machine.passes()
        assert machine.task_state("1") == "active"
        machine.account.jobs.enable("job")
        machine.passes(seconds=1)
        assert machine.task_state("1") == "running"

    def test_a_task_of_an_ended_job_stays_ended(self, machine):
        """Reactivation is refused with the state of the job."""
        machine.job()
        machine.task("1")
        machine.ends("1", exit_code=1)
        machine.account.jobs.terminate("job", "r")
        with pytest.raises(BatchError) as refusal:
            machine.account.tasks.reactivate("job", "1")
        assert refusal.value.error.code == "JobBeingTerminated"

    def test_a_completed_task_takes_no_changes(self, machine):
        """Neither other constraints nor a second end."""
        machine.job()
        machine.task("1")
        machine.ends("1")
        with pytest.raises(BatchError) as ended:
            machine.account.tasks.terminate("job", "1")
        with pytest.raises(BatchError) as changed:
            machine.account.tasks.replace("job", "1", TaskReplace())
        assert (ended.value.error.code, changed.value.error.code) == ("TaskCompleted", "TaskCompleted")

    def test_a_late_report_changes_nothing(self, machine):
        """The end of an earlier run, or of a task that was deleted, is ignored."""
        machine.job()
        machine.task("1", constraints={"maxTaskRetryCount": 1})
        first_run = machine.running["1"].run
        machine.ends("1", exit_code=1)
        machine.account.end_task(first_run, end=None)
        assert machine.task_state("1") == "running"
        second_run = machine.running["1"].run
        machine.account.tasks.delete("job", "1")
        machine.account.end_task(second_run, end=None)

    def test_deleting_the_last_open_task_may_end_the_job(self, machine):
        """What is gone need not complete."""
        machine.job()
        machine.task("1", requiredSlots=9)
        machine.account.jobs.update("job", JobUpdate(on_all_tasks_complete="terminatejob"))
        assert machine.job_state() == "active"
        machine.account.tasks.delete("job", "1")
        assert machine.job_state() == "terminating"


class TestRetention:
    """How long a task's files stay on its node."""

    def test_files_go_at_the_end_of_their_time(self, machine):
        """RetentionTime counts from the task's end; the task itself stays."""
        machine.job()
        machine.task("1", constraints={"retentionTime": "PT1H"})
        machine.passes(seconds=7200)
        machine.ends("1")
        assert machine.account.next_alarm() == machine.now + timedelta(hours=1)
        machine.now += timedelta(hours=1)
        machine.account.advance()
        node_id = machine.account.nodes.all("pool")[0].id
        assert machine.account.take_commands() == [RemoveTaskDirectory("pool", node_id, "job", "1")]
        assert machine.task_state("1") == "completed"

    def test_a_task_that_runs_again_keeps_its_files(self, machine):
        """The time of its first end does not count any more."""
        machine.job()
        machine.task("1", constraints={"retentionTime": "PT1H"})
        machine.ends("1", exit_code=1)
        machine.account.tasks.reactivate("job", "1")
        machine.passes()
        machine.now += timedelta(hours=1)
        machine.account.advance()
        assert machine.account.take_commands() == []


def test_what_ran_when_the_service_went_away_runs_again(machine, new_machine):
    """As after a node's reboot: counted neither as a retry nor as a requeue."""
    machine.job()
    machine.task("1")
    state = machine.account.state
    restored = new_machine(now=machine.now)
    restored.account.restore(state.pools.values(), state.jobs.values(), [("job", state.task("job", "1"))])
    restored.passes()
    execution = restored.account.state.task("job", "1").execution_info
    assert list(restored.running) == ["1"]
    assert (execution.retry_count, execution.requeue_count) == (0, 0)
    assert restored.running["1"].run != machine.running["1"].run


def test_changes_are_told_once_each(machine):
    """However often a resource changed, it is stored once, with its last value; what is gone is None."""
    machine.account.jobs.create(JobCreate.model_validate({"id": "job", "poolInfo": {"poolId": "pool"}}))
    machine.account.jobs.delete("job")
    machine.now = machine.now.replace(year=2027)
    machine.account.advance()
    changes = machine.account.take_changes()
    assert [(key.kind, value) for key, value in changes] == [(Kind.JOB, None)]
    assert machine.account.take_changes() == []
