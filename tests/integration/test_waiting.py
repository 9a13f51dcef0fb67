"""What `status.json` tells of a run that waits, and what finding it out costs."""

from __future__ import annotations

import pytest
from azure.batch import models

from shared import poll_runs

pytestmark = pytest.mark.sampled


def status(world, run: str, name: str = "m.yaml") -> dict:
    return world.result(run, "status.json", name)


@pytest.fixture
def no_quota(world):
    """Batch takes no jobs."""
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    return world


def test_runs_that_wait_for_the_quota_know_their_place(no_quota) -> None:
    for number in range(3):
        no_quota.accept(f"{number}.yaml")
    runs = [run.id for run in no_quota.app.runs.list()]
    assert [status(no_quota, run, f"{run[0]}.yaml")["waiting"] for run in runs] == ["quota"] * 3
    poll_runs.poll(no_quota.later(seconds=61))
    assert [status(no_quota, run, f"{run[0]}.yaml")["position"] for run in runs[1:]] == [2, 3]


def test_only_the_first_in_the_queue_is_tried_and_its_files_are_staged_once(no_quota) -> None:
    no_quota.accept()
    no_quota.accept("second.yaml")
    staged = no_quota.names("staging")
    no_quota.batch_requests()
    client = no_quota.app.staging._blobs.get_container_client(no_quota.settings.containers.staging)
    written = {blob.name: blob.etag for blob in client.list_blobs()}
    poll_runs.poll(no_quota.app)
    assert no_quota.batch_requests() == {"Jobs_CreateJob": 1}
    assert {blob.name: blob.etag for blob in client.list_blobs()} == written
    assert no_quota.names("staging") == staged


def test_a_busy_batch_is_left_alone_for_as_long_as_it_asks(world) -> None:
    world.batch_fails(
        {"operation": "Jobs_CreateJob", "status": 429, "code": "TooManyRequests", "retryAfterSeconds": 60}
    )
    run = world.accept()
    assert status(world, run)["waiting"] == "busy"
    world.batch_requests()
    poll_runs.poll(world.later(seconds=50))
    assert world.batch_requests() == {}
    poll_runs.poll(world.later(seconds=61))
    assert world.batch_requests() == {"Jobs_CreateJob": 1}


@pytest.fixture
def empty_pool(world):
    """A pool without nodes."""
    client = world.app.batch._client
    client.create_pool(
        models.BatchPoolCreateOptions(
            id="empty",
            vm_size="Standard_D2s_v5",
            target_dedicated_nodes=0,
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=models.BatchVmImageReference(
                    publisher="canonical", offer="ubuntu-24_04-lts", sku="server"
                ),
                node_agent_sku_id="batch.node.ubuntu 24.04",
            ),
        )
    )
    yield "empty"
    client.begin_delete_pool("empty", polling_interval=0.1).result()


def test_a_run_whose_pool_has_no_nodes_says_so_at_the_cost_of_one_listing_a_tick(world, empty_pool: str) -> None:
    run = world.accept(text=f"commands: [x]\ntaskRunner: {{poolId: {empty_pool}}}")
    world.batch_requests()
    poll_runs.poll(world.later(seconds=100))
    assert world.batch_requests() == {"Jobs_ListJobs": 1}
    poll_runs.poll(world.later(seconds=130))
    assert world.batch_requests() == {"Jobs_ListJobs": 1, "Pools_ListPoolNodeCounts": 1}
    told = status(world, run)
    assert (told["state"], told["waiting"]) == ("RUNNING", "pool")
    assert told["message"] == "the pool empty has no nodes: its target is 0; resize it"
    world.put("inbox", f"{run}.cancel")
    world.finish()
    assert world.record(run)["state"] == "KILLED"


def test_a_run_whose_pool_works_is_told_nothing(world) -> None:
    run = world.accept(text="commands: [sleep 30]")
    before = status(world, run)
    poll_runs.poll(world.later(seconds=130))
    assert status(world, run) == before
    assert before["waiting"] is None
