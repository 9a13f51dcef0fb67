"""Every operation that is served, driven by both unchanged clients of the SDK; the service counts which were."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.batch import models
from azure.batch._operations import _operations as sdk_operations
from azure.core.exceptions import HttpResponseError

from local.batch.api.app import OPERATIONS

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest

REASON = {"terminateReason": "mine"}  # the SDK does not export the class for it
NO_OPTION = {"nodeDisableSchedulingOption": "requeue"}
HOUR = timedelta(hours=1)
TERMINATE_WHEN_DONE = models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob")


@pytest.fixture(scope="module")
def service(start_service):
    """A service of its own, to count its requests."""
    return start_service("--pool", "local:1:8")


@pytest.fixture
def client(either_client):
    """Both clients in turn."""
    return either_client


def test_every_operation_is_driven(service, client, wait_until, virtual_machine):
    """What is in the list of operations is called here at least once."""
    service.send("DELETE", "/_local/requests")
    drive_pools(client, wait_until, virtual_machine)
    drive_jobs(client)
    drive_job_schedules(client)
    drive_tasks(client, wait_until)
    drive_files(client)
    client.begin_delete_job("tasks", polling_interval=0).wait()
    _, counted = service.send("GET", "/_local/requests")
    assert set(counted) == {operation.name for operation in OPERATIONS}


def test_every_request_of_the_sdk_is_known():
    """By method and path."""
    builders = inspect.getmembers(sdk_operations, inspect.isfunction)
    requests = [request_of(build) for name, build in builders if name.startswith("build_batch_")]
    assert len(requests) == len(OPERATIONS)
    known = {(operation.method, re.sub(r"{.*?}", "x", operation.path)) for operation in OPERATIONS}
    assert {(request.method, request.url.partition("?")[0]) for request in requests} == known


def request_of(build) -> HttpRequest:
    """Make a request whose every id is `x`."""
    parameters = inspect.signature(build).parameters.values()
    needed = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    positional = ["x" for each in needed if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name: "x" for each in needed if each.kind is each.KEYWORD_ONLY}
    if "content_type" in build.__code__.co_consts:
        named["content_type"] = "application/json"
    return build(*positional, **named)


def drive_pools(client, wait_until, virtual_machine):
    """Pools and nodes from creation to deletion."""
    spec = models.BatchPoolCreateOptions(
        id="pool",
        vm_size="Standard_D2s_v5",
        target_dedicated_nodes=1,
        virtual_machine_configuration=virtual_machine,
    )
    client.create_pool(spec)
    assert client.pool_exists("pool")
    client.begin_stop_pool_resize("pool", polling_interval=0).wait()
    assert [error.code for error in client.get_pool("pool").resize_errors] == ["ResizeStopped"]
    client.begin_resize_pool("pool", models.BatchPoolResizeOptions(target_dedicated_nodes=2), polling_interval=0).wait()
    assert client.get_pool("pool").resize_errors is None
    nodes = list(client.list_nodes("pool"))
    assert [client.get_node("pool", node.id).state for node in nodes] == ["idle", "idle"]
    counts = next(counts for counts in client.list_pool_node_counts(filter="poolId eq 'pool'"))
    assert (counts.pool_id, counts.dedicated.idle) == ("pool", 2)
    client.update_pool("pool", models.BatchPoolUpdateOptions(start_task=models.BatchStartTask(command_line="true")))
    replacement = models.BatchPoolReplaceOptions(
        application_package_references=[], metadata=[models.BatchMetadataItem(name="a", value="b")]
    )
    client.replace_pool_properties("pool", replacement)
    listed = {pool.id: pool for pool in client.list_pools()}
    assert (listed["pool"].start_task, listed["pool"].metadata[0].value) == (None, "b")
    drive_auto_scale(client)
    assert list(client.list_pool_usage_metrics()) == []
    drive_nodes(client, *(node.id for node in nodes))
    images = list(client.list_supported_images(filter="verificationType eq 'verified'"))
    assert any(image.image_reference.offer == "ubuntu-24_04-lts" for image in images)
    client.begin_delete_pool("pool", polling_interval=0).wait()
    wait_until(lambda: "pool" not in {pool.id for pool in client.list_pools()})


def drive_auto_scale(client):
    """The formula of a pool of two nodes."""
    formula = models.BatchPoolEnableAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes = 2")
    client.enable_pool_auto_scale("pool", formula)
    other = models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="x = $TargetDedicatedNodes")
    assert client.evaluate_pool_auto_scale("pool", other).results.endswith(";x=2")
    client.disable_pool_auto_scale("pool")


def drive_nodes(client, one: str, other: str):
    """What is asked of nodes, and of what they do not have."""
    client.disable_node_scheduling("pool", one, models.BatchNodeDisableSchedulingOptions(NO_OPTION))
    client.enable_node_scheduling("pool", one)
    client.create_node_user("pool", one, models.BatchNodeUserCreateOptions(name="ada", password="p"))
    client.replace_node_user("pool", one, "ada", models.BatchNodeUserReplaceOptions(password="q"))
    client.delete_node_user("pool", one, "ada")
    assert client.get_node_remote_login_settings("pool", one).remote_login_port == 22
    logs = models.UploadBatchServiceLogsOptions(
        container_url="http://127.0.0.1:1/a/c", start_time=datetime.now(UTC) - HOUR
    )
    assert client.upload_node_logs("pool", one, logs).number_of_files_uploaded == 1
    client.begin_reboot_node("pool", one, {"nodeRebootOption": "requeue"}, polling_interval=0).wait()
    client.begin_deallocate_node("pool", one, {"nodeDeallocateOption": "requeue"}, polling_interval=0).wait()
    client.begin_start_node("pool", one, polling_interval=0).wait()
    refused(client.begin_reimage_node, 409, "OperationNotValidOnNode", "pool", one, {"nodeReimageOption": "requeue"})
    assert list(client.list_node_extensions("pool", one)) == list(client.list_applications()) == []
    refused(client.get_node_extension, 404, "ResourceNotFound", "pool", one, "none")
    refused(client.get_application, 404, "ApplicationNotFound", "none")
    removal = models.BatchNodeRemoveOptions(node_ids=[other])
    client.begin_remove_nodes("pool", removal, polling_interval=0).wait()
    assert [node.id for node in client.list_nodes("pool")] == [one]


def refused(operation, status: int, code: str, *arguments: object) -> None:
    """Check that something is refused, and how."""
    with pytest.raises(HttpResponseError) as refusal:
        operation(*arguments)
    assert (refusal.value.status_code, refusal.value.error.code) == (status, code)


def drive_jobs(client):
    """Jobs through all their states."""
    pool_info = models.BatchPoolInfo(pool_id="local")
    client.create_job(models.BatchJobCreateOptions(id="job", pool_info=pool_info))
    client.update_job("job", models.BatchJobUpdateOptions(priority=5))
    client.replace_job("job", models.BatchJob(pool_info=pool_info, max_parallel_tasks=2))
    job = client.get_job("job")
    assert (job.priority, job.max_parallel_tasks) == (0, 2)
    client.begin_disable_job("job", models.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=0).wait()
    client.begin_enable_job("job", polling_interval=0).wait()
    statuses = client.list_job_preparation_and_release_task_status
    refused(lambda: list(statuses("job")), 409, "JobPreparationTaskNotSpecified")
    client.begin_terminate_job("job", REASON, polling_interval=0).wait()
    assert {job.id: job.state for job in client.list_jobs()}["job"] == "completed"
    client.begin_delete_job("job", polling_interval=0).wait()


def drive_job_schedules(client):
    """A schedule from its creation to its deletion, with the job that it makes."""
    job = models.BatchJobSpecification(pool_info=models.BatchPoolInfo(pool_id="local"), display_name="made")
    hourly = models.BatchJobScheduleConfiguration(recurrence_interval=timedelta(hours=1))
    client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(id="hourly", schedule=hourly, job_specification=job)
    )
    assert client.job_schedule_exists("hourly")
    assert [(made.id, made.display_name) for made in client.list_jobs_from_schedule("hourly")] == [
        ("hourly:job-1", "made")
    ]
    client.update_job_schedule("hourly", models.BatchJobScheduleUpdateOptions(metadata=[]))
    client.replace_job_schedule("hourly", models.BatchJobSchedule(schedule=hourly, job_specification=job))
    client.disable_job_schedule("hourly")
    assert client.get_job_schedule("hourly").state == "disabled"
    client.enable_job_schedule("hourly")
    shown = next(iter(client.list_job_schedules(filter="state eq 'active'", expand=["stats"])))
    recent = shown.execution_info.recent_job
    assert (recent.id, recent.url.rpartition("/")[2]) == ("hourly:job-1", "hourly:job-1")
    client.begin_terminate_job_schedule("hourly", polling_interval=0).wait()
    made = next(iter(client.list_jobs_from_schedule("hourly")))
    assert made.execution_info.termination_reason == "TerminateJobSchedule"
    client.begin_delete_job_schedule("hourly", polling_interval=0).wait()


def drive_tasks(client, wait_until):
    """Tasks from creation to deletion, in a job that stays."""
    client.create_job(models.BatchJobCreateOptions(id="tasks", pool_info=models.BatchPoolInfo(pool_id="local")))
    client.create_task("tasks", models.BatchTaskCreateOptions(id="fails", command_line="false"))
    client.create_tasks("tasks", [models.BatchTaskCreateOptions(id="sleeps", command_line="sleep 1000")])
    command = "/bin/sh -c 'echo hello; mkdir folder; touch folder/file'"
    client.create_task("tasks", models.BatchTaskCreateOptions(id="prints", command_line=command))
    for task_id in ("fails", "prints"):
        wait_until(lambda task_id=task_id: client.get_task("tasks", task_id).state == "completed")
    client.reactivate_task("tasks", "fails")
    assert list(client.list_subtasks("tasks", "prints")) == []
    constraints = models.BatchTaskConstraints(max_task_retry_count=1)
    client.replace_task("tasks", "sleeps", models.BatchTask(constraints=constraints))
    client.terminate_task("tasks", "sleeps")
    wait_until(lambda: all(task.state == "completed" for task in client.list_tasks("tasks")))
    counts = client.get_job_task_counts("tasks").task_counts
    assert (counts.completed, counts.succeeded, counts.failed) == (3, 1, 2)
    assert list(client.list_subtasks("tasks", "fails")) == []
    client.delete_task("tasks", "fails")
    assert {task.id for task in client.list_tasks("tasks", select=["id"])} == {"prints", "sleeps"}


def drive_files(client):
    """The files that a task left, as its own and as its node's."""
    node, on_node = client.get_task("tasks", "prints").node_info.node_id, "workitems/tasks/job-1/prints/stderr.txt"
    assert on_node in {file.name for file in client.list_node_files("local", node, recursive=True)}
    assert client.get_node_file_properties("local", node, on_node).content_length == 0
    assert b"".join(client.download_node_file("local", node, on_node)) == b""
    client.delete_node_file("local", node, on_node)
    names = {file.name for file in client.list_task_files("tasks", "prints", recursive=True)}
    assert {"stdout.txt", "wd/folder/file"} <= names
    assert int(client.get_task_file_properties("tasks", "prints", "stdout.txt").content_length) == len("hello\n")
    assert b"".join(client.download_task_file("tasks", "prints", "stdout.txt")) == b"hello\n"
    client.delete_task_file("tasks", "prints", "stdout.txt")
    assert "stdout.txt" not in {file.name for file in client.list_task_files("tasks", "prints")}
