"""What only the local service has: requests counted, and misbehaviour on demand."""

from __future__ import annotations

import time

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.local.batch.one_job import add_task, create_job, stdout_of
from tests.support.waiting import wait_for


def fails(call) -> bool:
    try:
        call()
    except HttpResponseError:
        return True
    return False


class TestLocalEndpoints:
    """What only the local service has."""

    @pytest.fixture
    def faulty(self, service):
        """Set faults, and end them after the test."""

        def misbehave(*faults: dict[str, object]) -> None:
            assert service.send("PUT", "/_local/faults", {"faults": faults})[0] == 204

        yield misbehave
        misbehave()

    def test_requests_are_counted_by_operation(self, service, client):
        """By the names of the specification, until they are forgotten."""
        service.send("DELETE", "/_local/requests")
        list(client.list_jobs())
        for _ in range(2):
            with pytest.raises(ResourceNotFoundError):
                client.get_job("nothing")
        assert service.send("GET", "/_local/requests") == (200, {"Jobs_GetJob": 2, "Jobs_ListJobs": 1})

    def test_the_next_calls_may_fail(self, client, faulty):
        """With status, code and Retry-After; others are left alone."""
        faulty(
            {"operation": "Jobs_ListJobs", "next": 1, "status": 429, "code": "TooManyRequests", "retryAfterSeconds": 7}
        )
        list(client.list_pools())
        with pytest.raises(HttpResponseError) as failure:
            list(client.list_jobs())
        assert (failure.value.status_code, failure.value.error.code) == (429, "TooManyRequests")
        assert failure.value.response.headers["Retry-After"] == "7"
        list(client.list_jobs())

    def test_every_nth_call_may_fail(self, client, faulty):
        """Counted from when it was set."""
        faulty({"operation": "Jobs_ListJobs", "every": 2, "status": 503})
        list(client.list_jobs())
        with pytest.raises(HttpResponseError):
            list(client.list_jobs())
        list(client.list_jobs())

    def test_a_share_of_the_calls_may_fail(self, client, faulty):
        """The same ones each time, by the seed."""

        def failed() -> list[bool]:
            faulty({"operation": "Jobs_ListJobs", "share": 0.3, "seed": 1, "status": 500})
            return [fails(lambda: list(client.list_jobs())) for _ in range(50)]

        first = failed()
        assert 5 < sum(first) < 25
        assert failed() == first

    def test_answers_may_come_late(self, client, faulty):
        """Without failing."""
        faulty({"operation": "Jobs_ListJobs", "latencySeconds": 0.2, "next": 1})
        begin = time.monotonic()
        list(client.list_jobs())
        assert time.monotonic() - begin >= 0.2

    def test_an_answer_may_be_lost(self, client, faulty):
        """The operation is carried out, and its caller does not know."""
        faulty({"operation": "Jobs_CreateJob", "next": 1, "status": 500, "code": "InternalError", "afterwards": True})
        spec = models.BatchJobCreateOptions(id="lost", pool_info=models.BatchPoolInfo(pool_id="local"))
        with pytest.raises(HttpResponseError) as failure:
            client.create_job(spec)
        assert failure.value.status_code == 500
        assert client.get_job("lost").state == "active"

    def test_the_quota_of_active_jobs_can_change(self, service, new_job):
        """At any time, for jobs that are created from then on."""
        before = service.send("GET", "/_local/settings")[1]["activeJobQuota"]
        try:
            assert service.send("PATCH", "/_local/settings", {"activeJobQuota": 0})[0] == 204
            with pytest.raises(ResourceExistsError) as refusal:
                new_job()
            assert refusal.value.error.code == "ActiveJobAndScheduleQuotaReached"
        finally:
            service.send("PATCH", "/_local/settings", {"activeJobQuota": before})
        new_job()

    def test_a_pool_may_not_get_its_nodes(self, start_service):
        """As `--node-limit` or the settings say."""
        service = start_service("--pool", "local:2", "--node-limit", '{"poolId": "local", "nodes": 1}')
        client = service.client()
        wait_for(lambda: client.get_pool("local").allocation_state == "steady")
        pool = client.get_pool("local")
        assert (pool.current_dedicated_nodes, pool.resize_errors[0].code) == (1, "AllocationTimedout")
        service.send("PATCH", "/_local/settings", {"nodeLimits": []})
        options = models.BatchPoolResizeOptions(target_dedicated_nodes=2)
        client.begin_resize_pool("local", options, polling_interval=0).wait()
        assert (client.get_pool("local").current_dedicated_nodes, client.get_pool("local").resize_errors) == (2, None)

    def test_an_image_may_not_be_pulled(self, service, client, new_job, wait_completed):
        """So many times; the task says so as with the service, and is not tried again."""
        service.send("PUT", "/_local/node-faults", {"imagePulls": [{"image": "busybox*", "next": 1}]})
        job_id = new_job(pool_id="containers")
        settings = models.BatchTaskContainerSettings(image_name="busybox:1")
        constraints = models.BatchTaskConstraints(max_task_retry_count=3)
        for task_id in ("first", "second"):
            client.create_task(
                job_id,
                models.BatchTaskCreateOptions(
                    id=task_id, command_line="true", container_settings=settings, constraints=constraints
                ),
            )
            wait_completed(job_id, task_id)
        failed, ran = (client.get_task(job_id, task_id).execution_info for task_id in ("first", "second"))
        assert (failed.exit_code, failed.failure_info.code) == (None, "ContainerInvalidImage")
        assert (ran.exit_code, ran.failure_info) == (0, None)

    def test_an_upload_may_fail(self, service, run_task):
        """Although the task ran well."""
        service.send("PUT", "/_local/node-faults", {"uploads": [{"filePattern": "../stdout.txt"}]})
        destination = models.OutputFileBlobContainerDestination(container_url="http://127.0.0.1:1/a/c")
        output = models.OutputFile(
            file_pattern="../stdout.txt",
            destination=models.OutputFileDestination(container=destination),
            upload_options=models.OutputFileUploadConfiguration(upload_condition="taskcompletion"),
        )
        execution = run_task("true", output_files=[output]).execution_info
        assert (execution.exit_code, execution.failure_info.code) == (0, "FileUploadMiscError")
        assert "This failure was asked for." in {detail.value for detail in execution.failure_info.details}

    def test_a_node_may_die(self, start_service, is_alive):
        """Its processes end, its task runs again once there is a node, and its files are gone."""
        service = start_service("--pool", "local:1:1")
        client = service.client()
        create_job(client)
        add_task(client, "1", "/bin/sh -c 'echo $$; sleep 1000'")
        wait_for(lambda: stdout_of(client, "1").endswith("\n"))
        process_id = int(stdout_of(client, "1"))
        node_path = f"/_local/pools/local/nodes/{next(iter(client.list_nodes('local'))).id}"

        assert service.send("PUT", node_path, {"state": "unusable"})[0] == 204
        wait_for(lambda: not is_alive(process_id))
        counts = next(iter(client.list_pool_node_counts())).dedicated
        assert (counts.unusable, client.get_task("job", "1").state) == (1, "active")
        service.send("PUT", node_path, {"state": "idle"})
        wait_for(lambda: stdout_of(client, "1") not in ("", f"{process_id}\n"))
        execution = client.get_task("job", "1").execution_info
        assert (execution.requeue_count, execution.retry_count) == (0, 0)

    def test_a_node_may_come_back_at_once(self, start_service, is_alive, temporary_link):
        """However often it dies: one process of the task is left, and its files."""
        service = start_service("--pool", "local:1:1")
        client = service.client()
        create_job(client)
        add_task(client, "1", f"/bin/sh -c 'echo $$ >> {temporary_link}; echo $$; sleep 1000'")
        wait_for(lambda: stdout_of(client, "1").endswith("\n"))
        node_path = f"/_local/pools/local/nodes/{next(iter(client.list_nodes('local'))).id}"
        for number in range(20):
            for state in ("unusable", "idle"):
                assert service.send("PUT", node_path, {"state": state})[0] == 204
            if number % 3 == 0:
                wait_for(lambda: stdout_of(client, "1"))

        def one_process_is_left() -> bool:
            alive = [each for each in temporary_link.read_text().split() if is_alive(int(each))]
            return alive == stdout_of(client, "1").split() != []

        wait_for(one_process_is_left)

    def test_blobs_can_be_named_either_way(self, service):
        """The rule can change while the service runs."""
        service.send("PATCH", "/_local/settings", {"blobNaming": "literal-folder"})
        assert service.send("GET", "/_local/settings")[1]["blobNaming"] == "literal-folder"
        service.send("PATCH", "/_local/settings", {"blobNaming": "working-directory"})

    @pytest.mark.parametrize(
        ("request_line", "body", "answer"),
        [
            ("PUT faults", {"faults": [{"statsu": 500}]}, (400, ["faults", 0, "statsu"])),
            ("PUT faults", {"faults": [{"every": 2, "share": 0.5}]}, (400, ["faults", 0])),
            ("PUT node-faults", {"uploads": [{"next": 0}]}, (400, ["uploads", 0, "next"])),
            ("PATCH settings", {"activeJobQuota": -1}, (400, ["activeJobQuota"])),
            ("PUT pools/local/nodes/none", {"state": "sad"}, (400, ["state"])),
            ("PUT pools/local/nodes/none", {"state": "idle"}, (404, None)),
            ("POST pools/local/preempt", {"nodes": 0}, (400, ["nodes"])),
            ("POST pools/none/preempt", {}, (404, None)),
        ],
    )
    def test_what_cannot_be_is_refused(self, service, request_line, body, answer):
        """With what is wrong."""
        method, path = request_line.split()
        status, errors = service.send(method, f"/_local/{path}", body)
        assert (status, errors["errors"][0].get("loc")) == answer
