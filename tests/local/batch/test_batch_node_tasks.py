"""Preparation, release and start tasks, run for real."""

from __future__ import annotations

import pytest
from azure.batch import models

from tests.support.waiting import wait_for

END = {"terminateReason": "over"}  # the SDK does not export the class for it


@pytest.fixture
def stdout_of(client):
    """Read what a task of a job printed."""
    return lambda job_id, task_id: b"".join(client.download_task_file(job_id, task_id, "stdout.txt")).decode()


@pytest.fixture
def new_pool(client, virtual_machine):
    """Create a pool with a start task; it goes after the test."""
    pools = []

    def create(pool_id: str, **start_task) -> str:
        spec = models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="Standard_D2s_v5",
            virtual_machine_configuration=virtual_machine,
            target_dedicated_nodes=1,
            start_task=models.BatchStartTask(**start_task),
        )
        client.create_pool(spec)
        pools.append(pool_id)
        return pool_id

    yield create
    for pool_id in pools:
        client.begin_delete_pool(pool_id, polling_interval=0).wait()


class TestJob:
    """What runs before a job's first task on a node, and after its last."""

    def test_tasks_find_what_was_prepared(self, client, new_job, wait_completed, stdout_of):
        """In the preparation task's own directory; the release task finds it too, and the status tells of both."""
        preparation = models.BatchJobPreparationTask(command_line="/bin/sh -c 'echo data > prepared'")
        release = models.BatchJobReleaseTask(
            command_line="/bin/sh -c 'cp $AZ_BATCH_JOB_PREP_WORKING_DIR/prepared $AZ_BATCH_NODE_SHARED_DIR/released'"
        )
        job_id = new_job(job_preparation_task=preparation, job_release_task=release)
        command = "/bin/sh -c 'cat $AZ_BATCH_JOB_PREP_WORKING_DIR/prepared; cp $AZ_BATCH_JOB_PREP_DIR/wd/prepared .'"
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line=command))
        wait_completed(job_id, "1")
        assert stdout_of(job_id, "1") == "data\n"
        (status,) = client.list_job_preparation_and_release_task_status(job_id)
        ran = status.job_preparation_task_execution_info
        assert (status.pool_id, ran.state, ran.exit_code, ran.result) == ("local", "completed", 0, "success")
        assert ran.task_root_directory == f"workitems/{job_id}/job-1/jobpreparation"
        assert status.job_release_task_execution_info is None
        client.begin_terminate_job(job_id, END, polling_interval=0).wait()
        wait_for(lambda: client.get_job(job_id).state == "completed")
        (status,) = client.list_job_preparation_and_release_task_status(
            job_id, filter="jobReleaseTaskExecutionInfo/result eq 'success'"
        )
        assert status.job_release_task_execution_info.exit_code == 0

    def test_the_preparation_task_is_not_told_of_itself(self, client, new_job, wait_completed, service):
        """It has the variables of a task, without those of the preparation."""
        preparation = models.BatchJobPreparationTask(id="ready", command_line="env")
        job_id = new_job(job_preparation_task=preparation)
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="true"))
        wait_completed(job_id, "1")
        (printed,) = service.data_dir.glob(f"nodes/local/*/workitems/{job_id}/job-1/ready/stdout.txt")
        variables = dict(line.split("=", 1) for line in printed.read_text().splitlines())
        assert (variables["AZ_BATCH_TASK_ID"], variables["AZ_BATCH_JOB_ID"]) == ("ready", job_id)
        assert not [name for name in variables if name.startswith("AZ_BATCH_JOB_PREP")]

    def test_a_job_that_ends_stops_its_preparation(self, client, new_job, service, is_alive):
        """Its processes too."""
        preparation = models.BatchJobPreparationTask(command_line="/bin/sh -c 'sleep 1000 & echo $!; wait'")
        job_id = new_job(job_preparation_task=preparation)
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="true"))
        pattern = f"nodes/local/*/workitems/{job_id}/job-1/jobpreparation/stdout.txt"
        wait_for(lambda: any(file.read_text().endswith("\n") for file in service.data_dir.glob(pattern)))
        process_id = int(next(service.data_dir.glob(pattern)).read_text())
        assert client.get_task(job_id, "1").state == "preparing"
        assert client.get_job_task_counts(job_id).task_counts.running == 1
        client.begin_terminate_job(job_id, END, polling_interval=0).wait()
        assert (is_alive(process_id), client.get_task(job_id, "1").state) == (False, "active")


class TestStartTask:
    """What runs on a node before it takes tasks."""

    def test_tasks_find_what_it_left(self, client, new_pool, new_job, wait_completed, stdout_of):
        """In the startup directory; it knows of no job."""
        pool_id = new_pool("started", command_line="/bin/sh -c 'env > variables'")
        job_id = new_job(pool_id=pool_id)
        command = "/bin/sh -c 'cat $AZ_BATCH_NODE_STARTUP_DIR/wd/variables'"
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line=command))
        wait_completed(job_id, "1")
        names = {line.split("=")[0] for line in stdout_of(job_id, "1").splitlines()}
        assert "AZ_BATCH_NODE_STARTUP_DIR" in names
        assert not names & {"AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID"}
        (node,) = client.list_nodes(pool_id)
        assert (node.state, node.start_task_info.state, node.start_task_info.exit_code) == ("idle", "completed", 0)
        assert node.start_task.command_line == "/bin/sh -c 'env > variables'"

    def test_a_failure_shows_in_the_node(self, client, new_pool):
        """And in the counts of nodes."""
        pool_id = new_pool("failing", command_line="/bin/sh -c 'exit 9'")
        wait_for(lambda: [node.state for node in client.list_nodes(pool_id)] == ["starttaskfailed"])
        (node,) = client.list_nodes(pool_id, filter="startTaskInfo/result eq 'failure'")
        assert (node.start_task_info.exit_code, node.start_task_info.failure_info.code) == (9, "FailureExitCode")
        (counts,) = client.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")
        assert counts.dedicated.start_task_failed == 1
