"""The operations on jobs and tasks, spoken to by the unchanged SDK or by bare requests where the SDK cannot show it."""

from __future__ import annotations

import re
import uuid

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.local.batch.blocking import send

REASON = {"terminateReason": "mine"}  # the SDK cannot do without, and does not export the class for it
TERMINATE_WHEN_DONE = models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob")


def task(task_id: str, command_line: str = "true", **more) -> models.BatchTaskCreateOptions:
    return models.BatchTaskCreateOptions(id=task_id, command_line=command_line, **more)


@pytest.fixture
def client(either_client):
    """What is said here holds for both clients of the SDK."""
    return either_client


class TestJobs:
    """Operations on jobs."""

    def test_a_job_has_the_service_s_defaults(self, client, new_job):
        """As real recordings show them; ETag and time of change do not move with the state."""
        job = client.get_job(new_job(metadata=[models.BatchMetadataItem(name="run", value="1")]))
        assert (job.state, job.priority, job.uses_task_dependencies) == ("active", 0, False)
        assert (job.all_tasks_complete_mode, job.task_failure_mode) == ("noaction", "noaction")
        assert job.as_dict()["constraints"]["maxWallClockTime"] == "P10675199DT2H48M5.4775807S"
        assert (job.metadata[0].name, job.metadata[0].value) == ("run", "1")
        assert job.execution_info.pool_id == "local"
        assert job.etag.startswith("0x")

    def test_an_existing_job_is_a_conflict(self, client, new_job):
        """Message and values are the service's."""
        job_id = new_job()
        again = models.BatchJobCreateOptions(id=job_id.upper(), pool_info=models.BatchPoolInfo(pool_id="local"))
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_job(again)
        assert refusal.value.error.code == "JobExists"
        message, request_id, time = refusal.value.error.message.split("\n")
        assert message == "The specified job already exists."
        assert request_id.startswith("RequestId:")
        assert re.fullmatch(r"Time:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time)

    def test_patch_changes_what_is_given_and_put_the_rest_too(self, client, new_job):
        """A property that is left out stays with PATCH, and gets its default with PUT."""
        job_id = new_job(priority=7, max_parallel_tasks=3)
        before = client.get_job(job_id)
        client.update_job(job_id, models.BatchJobUpdateOptions(priority=8))
        patched = client.get_job(job_id)
        assert (patched.priority, patched.max_parallel_tasks) == (8, 3)
        assert patched.etag != before.etag
        client.replace_job(job_id, models.BatchJob(pool_info=models.BatchPoolInfo(pool_id="local")))
        replaced = client.get_job(job_id)
        assert (replaced.priority, replaced.max_parallel_tasks) == (0, -1)

    def test_a_job_that_changed_meanwhile_is_left_alone(self, client, new_job):
        """If-Match with an old ETag is answered 412."""
        job_id = new_job()
        etag = client.get_job(job_id).etag
        client.update_job(job_id, models.BatchJobUpdateOptions(priority=1))
        with pytest.raises(ResourceModifiedError) as refusal:
            client.update_job(
                job_id,
                models.BatchJobUpdateOptions(priority=2),
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
        assert (refusal.value.status_code, refusal.value.error.code) == (412, "ConditionNotMet")
        assert client.get_job(job_id).priority == 1

    def test_a_job_runs_to_its_end(self, client, new_job, wait_until):
        """Tasks added, then terminatejob: the job completes by itself, and lists as completed."""
        job_id = new_job()
        client.create_tasks(job_id, [task(str(number)) for number in range(3)])
        client.update_job(job_id, TERMINATE_WHEN_DONE)
        wait_until(lambda: client.get_job(job_id).state == "completed")
        assert client.get_job(job_id).execution_info.termination_reason == "AllTasksComplete"
        counts = client.get_job_task_counts(job_id).task_counts
        assert (counts.completed, counts.succeeded, counts.failed) == (3, 3, 0)
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_task(job_id, task("late"))
        assert refusal.value.error.code == "JobCompleted"

    def test_pollers_of_the_sdk_end(self, client, new_job):
        """Disable, enable, terminate and delete, each waited for as the SDK does it."""
        job_id = new_job()
        client.begin_disable_job(job_id, models.BatchJobDisableOptions(disable_tasks="wait"), polling_interval=0).wait()
        assert client.get_job(job_id).state == "disabled"
        client.begin_enable_job(job_id, polling_interval=0).wait()
        assert client.get_job(job_id).state == "active"
        client.begin_terminate_job(job_id, REASON, polling_interval=0).wait()
        assert client.get_job(job_id).execution_info.termination_reason == "mine"
        client.begin_delete_job(job_id, polling_interval=0).wait()
        with pytest.raises(ResourceNotFoundError) as gone:
            client.get_job(job_id)
        assert gone.value.error.code == "JobNotFound"

    def test_terminating_can_be_seen(self, client, new_job):
        """Right after the request the job is terminating and takes no tasks."""
        job_id = new_job()
        assert send(client, "POST", f"/jobs/{job_id}/terminate").status_code == 202
        assert client.get_job(job_id).state == "terminating"
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_task(job_id, task("1"))
        assert refusal.value.error.code == "JobBeingTerminated"

    def test_listings_filter_select_and_page(self, client, new_job):
        """With $filter, $select and maxresults the SDK's iterator still finds every job."""
        pool_id = f"none-{uuid.uuid4().hex[:8]}"
        jobs = {new_job(pool_id=pool_id) for _ in range(5)}
        ended = new_job(pool_id=pool_id)
        client.begin_terminate_job(ended, REASON, polling_interval=0).wait()
        of_pool = f"state ne 'completed' and executionInfo/poolId eq '{pool_id}'"
        listed = list(client.list_jobs(filter=of_pool, select=["id"], max_results=2))
        assert {job.id for job in listed} == jobs
        assert all(job.as_dict().keys() == {"id"} for job in listed)

    @pytest.mark.parametrize(
        "query", [{"filter": "status eq 'x'"}, {"select": ["nothing"]}, {"expand": ["all"]}, {"max_results": 1001}]
    )
    def test_wrong_query_options_are_refused(self, client, query):
        """Rather than ignored."""
        with pytest.raises(HttpResponseError) as refusal:
            list(client.list_jobs(**query))
        assert refusal.value.status_code == 400

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"poolInfo": {"poolId": "local"}}, "MissingRequiredProperty"),
            ({"id": "a b", "poolInfo": {"poolId": "local"}}, "InvalidPropertyValue"),
            ({"id": "x" * 65, "poolInfo": {"poolId": "local"}}, "InvalidPropertyValue"),
            ({"id": "x", "poolInfo": {"poolId": "local"}, "colour": "red"}, "InvalidRequestBody"),
            ({"id": "x", "poolInfo": {"poolId": "local"}, "priority": 1001}, "InvalidPropertyValue"),
            ({"id": "x", "poolInfo": {"poolId": "local"}, "maxParallelTasks": 0}, "InvalidPropertyValue"),
            ({"id": "x", "poolInfo": {}}, "InvalidPropertyValue"),
            ({"id": "x", "pool_info": {"poolId": "local"}}, "MissingRequiredProperty"),
        ],
    )
    def test_wrong_bodies_are_refused(self, client, body, code):
        """The answer says which property is wrong."""
        with pytest.raises(HttpResponseError) as refusal:
            send(client, "POST", "/jobs", json=body)
        assert (refusal.value.status_code, refusal.value.error.code) == (400, code)

    def test_the_quota_of_active_jobs_is_a_conflict_of_its_own(self, start_service):
        """Told apart from an existing job by its code alone."""
        client = start_service("--active-job-quota", "1").client()
        pool_info = models.BatchPoolInfo(pool_id="local")
        client.create_job(models.BatchJobCreateOptions(id="one", pool_info=pool_info))
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_job(models.BatchJobCreateOptions(id="two", pool_info=pool_info))
        assert refusal.value.error.code == "ActiveJobAndScheduleQuotaReached"


class TestTasks:
    """Operations on tasks."""

    def test_a_task_has_the_service_s_defaults(self, client, new_job):
        """As real recordings show them."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, task("1"))
        shown = client.get_task(job_id, "1").as_dict()
        assert (shown["state"], shown["requiredSlots"]) == ("active", 1)
        assert shown["constraints"] == {
            "maxWallClockTime": "P10675199DT2H48M5.4775807S",
            "retentionTime": "P7D",
            "maxTaskRetryCount": 0,
        }
        assert shown["executionInfo"] == {"retryCount": 0, "requeueCount": 0}
        assert shown["url"].endswith(f"/jobs/{job_id}/tasks/1")

    def test_a_collection_tells_of_each_task(self, client, new_job):
        """What is refused does not keep the others from being added."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, task("1"))
        group = models.BatchTaskGroup(task_values=[task("1"), task("2")])
        results = client.create_task_collection(job_id, group).result_values
        assert [(result.task_id, result.status) for result in results] == [("1", "ClientError"), ("2", "Success")]
        assert results[0].error.code == "TaskExists"

    def test_a_collection_for_an_ended_job_is_refused_as_a_whole(self, client, new_job):
        """With the code of the job's state."""
        job_id = new_job()
        client.begin_terminate_job(job_id, REASON, polling_interval=0).wait()
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_task_collection(job_id, models.BatchTaskGroup(task_values=[task("1")]))
        assert refusal.value.error.code == "JobCompleted"

    def test_a_large_collection_is_halved_by_the_sdk(self, client, new_job):
        """Because the service answers 413 RequestBodyTooLarge from 1 MB on."""
        job_id = new_job(pool_id="none")
        long = "x" * 15_000
        group = models.BatchTaskGroup(task_values=[task(str(number), long) for number in range(100)])
        with pytest.raises(HttpResponseError) as refusal:
            client.create_task_collection(job_id, group)
        assert (refusal.value.status_code, refusal.value.error.code) == (413, "RequestBodyTooLarge")
        client.create_tasks(job_id, [task(str(number), long) for number in range(100)])
        assert len(list(client.list_tasks(job_id, select=["id"], max_results=30))) == 100

    def test_a_collection_has_at_most_100_tasks(self, client, new_job):
        """More are refused."""
        job_id = new_job(pool_id="none")
        group = models.BatchTaskGroup(task_values=[task(str(number)) for number in range(101)])
        with pytest.raises(HttpResponseError) as refusal:
            client.create_task_collection(job_id, group)
        assert refusal.value.status_code == 400

    def test_constraints_can_be_replaced(self, client, new_job):
        """PUT on a task."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, task("1"))
        constraints = models.BatchTaskConstraints(max_task_retry_count=3)
        client.replace_task(job_id, "1", models.BatchTask(constraints=constraints))
        assert client.get_task(job_id, "1").constraints.max_task_retry_count == 3

    def test_a_task_can_be_terminated_reactivated_and_deleted(self, client, new_job):
        """Statuses are what the SDK accepts."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, task("1"))
        client.terminate_task(job_id, "1")
        assert client.get_task(job_id, "1").execution_info.failure_info.code == "TaskEnded"
        client.reactivate_task(job_id, "1")
        assert client.get_task(job_id, "1").state == "active"
        client.delete_task(job_id, "1")
        with pytest.raises(ResourceNotFoundError) as gone:
            client.get_task(job_id, "1")
        assert gone.value.error.code == "TaskNotFound"

    def test_the_password_of_a_registry_is_not_shown(self, client, new_job):
        """As the service keeps it to itself."""
        job_id = new_job(pool_id="none")
        registry = models.ContainerRegistryReference(username="u", password="secret", registry_server="r")
        settings = models.BatchTaskContainerSettings(image_name="i", registry=registry)
        client.create_task(job_id, task("1", container_settings=settings))
        shown = client.get_task(job_id, "1").container_settings.registry
        assert (shown.username, shown.password) == ("u", None)
