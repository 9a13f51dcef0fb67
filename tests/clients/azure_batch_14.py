"""The last azure-batch of the older kind, with REST API version 2024-02-01.19.0: runs a task against the service."""

from __future__ import annotations

import os
import time

from azure.batch import BatchServiceClient, batch_auth, models


def main() -> None:
    """Run a task, read what it printed, and clean up; an AssertionError or an error of the SDK if something differs."""
    credentials = batch_auth.SharedKeyCredentials(
        os.environ["AZURE_BATCH_ACCOUNT"], os.environ["AZURE_BATCH_ACCESS_KEY"]
    )
    client = BatchServiceClient(credentials, os.environ["AZURE_BATCH_ENDPOINT"])
    client.job.add(models.JobAddParameter(id="job", pool_info=models.PoolInformation(pool_id="local")))
    client.task.add_collection("job", [models.TaskAddParameter(id="task", command_line="/bin/sh -c 'echo hello'")])
    client.job.patch("job", models.JobPatchParameter(on_all_tasks_complete="terminatejob"))
    while client.job.get("job").state != models.JobState.completed:
        time.sleep(0.1)
    [task] = client.task.list("job", models.TaskListOptions(filter="state eq 'completed'"))
    assert (task.execution_info.exit_code, task.execution_info.result) == (0, models.TaskExecutionResult.success)
    assert b"".join(client.file.get_from_task("job", "task", "stdout.txt")) == b"hello\n"
    assert client.job.get_task_counts("job").task_counts.succeeded == 1
    refused(client, "JobExists", models.JobAddParameter(id="job", pool_info=models.PoolInformation(pool_id="local")))
    client.job.delete("job")
    drive_pools(client)


def drive_pools(client: BatchServiceClient) -> None:
    """Create a pool of an image that the service lists, resize it and delete it."""
    image = next(iter(client.account.list_supported_images()))
    machine = models.VirtualMachineConfiguration(
        image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
    )
    client.pool.add(models.PoolAddParameter(id="old", vm_size="standard_d2s_v3", virtual_machine_configuration=machine))
    while client.pool.get("old").allocation_state != models.AllocationState.steady:
        time.sleep(0.1)
    client.pool.resize("old", models.PoolResizeParameter(target_dedicated_nodes=1))
    while [node.state for node in client.compute_node.list("old")] != [models.ComputeNodeState.idle]:
        time.sleep(0.1)
    client.pool.delete("old")


def refused(client: BatchServiceClient, code: str, job: models.JobAddParameter) -> None:
    """Check that a job is refused with a code."""
    found = None
    try:
        client.job.add(job)
    except models.BatchErrorException as error:
        found = error.error.code
    assert found == code, found


if __name__ == "__main__":
    main()
