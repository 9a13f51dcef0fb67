"""What the nodes of a pool can be made of, and that the service refuses the rest as Azure does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from local.batch.machine.pool_rules import check_pool
from local.batch.models.vm_sizes import cores_of, smallest_size_for
from local.batch.server import PoolOption, pool_of
from tests.local.batch.blocking import send

IMAGE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "Server", "version": "latest"}
HPC_IMAGE = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2404"}
MACHINE = {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 24.04"}
CONTAINERS = {"containerConfiguration": {"type": "dockerCompatible"}}
GALLERY_IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/nodes"


def body(**changes: Any) -> dict[str, Any]:
    """A pool without nodes that is right but for these properties."""
    return {
        "id": f"rules-{uuid.uuid4().hex[:8]}",
        "vmSize": "Standard_D2s_v5",
        "virtualMachineConfiguration": MACHINE,
        **changes,
    }


def machine(**changes: Any) -> dict[str, Any]:
    """The same of its nodes."""
    return {"virtualMachineConfiguration": {**MACHINE, **changes}}


def refusal(client, method: str, path: str, json: dict[str, Any]) -> dict[str, str]:
    """The code of a refusal, and what it says of the property."""
    with pytest.raises(HttpResponseError) as refused:
        send(client, method, path, json=json)
    assert refused.value.status_code == 400
    return {"code": refused.value.error.code, **{each["key"]: each["value"] for each in refused.value.model["values"]}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        machine(imageReference={**IMAGE, "version": "24.04.202601010"}),
        machine(imageReference={**IMAGE, "sku": "server-gen1"}),
        machine(imageReference=HPC_IMAGE, **CONTAINERS),
        machine(imageReference={**HPC_IMAGE, "sku": "2204"}, nodeAgentSKUId="batch.node.ubuntu 22.04", **CONTAINERS),
        machine(imageReference={"virtualMachineImageId": GALLERY_IMAGE}, **CONTAINERS),
        {"vmSize": "standard_e8-4s_v5", "taskSlotsPerNode": 16},
        {"vmSize": "Standard_D96s_v5", "taskSlotsPerNode": 256},
        {"networkConfiguration": {"subnetId": SUBNET}},
        {"networkConfiguration": {"publicIPAddressConfiguration": {"provision": "noPublicIPAddresses"}}},
    ],
)
def test_a_pool_that_can_be_is_taken(client, changes):
    """Names are compared without regard to case."""
    assert send(client, "POST", "/pools", json=body(**changes)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"vmSize": ""}, "vmSize", "no such size"),
        ({"vmSize": "small"}, "vmSize", "no such size"),
        ({"vmSize": "STANDARD_DS64_v3"}, "vmSize", "no such size"),
        ({"taskSlotsPerNode": 9}, "taskSlotsPerNode", "at most 4 slots for each: 8"),
        ({"vmSize": "Standard_E8-4s_v5", "taskSlotsPerNode": 17}, "taskSlotsPerNode", "16"),
        (
            machine(imageReference={**HPC_IMAGE, "sku": "2004"}, nodeAgentSKUId="batch.node.ubuntu 20.04"),
            "imageReference",
            "The specified imageReference with publisher microsoft-dsvm offer ubuntu-hpc sku 2004 is not supported.",
        ),
        (
            machine(**CONTAINERS),
            "imageReference",
            "offer ubuntu-24_04-lts sku Server does not support container feature.",
        ),
        (machine(imageReference={**IMAGE, "version": "newest"}), "version", "neither latest"),
        (machine(nodeAgentSKUId="batch.node.ubuntu 22.04"), "nodeAgentSKUId", "batch.node.ubuntu 24.04"),
        (machine(nodeAgentSKUId=""), "nodeAgentSKUId", "does not run on"),
        (
            machine(imageReference={"virtualMachineImageId": GALLERY_IMAGE}, nodeAgentSKUId="batch.node.ubuntu 20.04"),
            "nodeAgentSKUId",
            "batch.node.ubuntu 22.04, batch.node.ubuntu 24.04",
        ),
        ({"networkConfiguration": {"subnetId": "nodes"}}, "subnetId", "not the resource id of a subnet"),
        ({"networkConfiguration": {"subnetId": SUBNET.rpartition("/subnets")[0]}}, "subnetId", "not the resource id"),
        (
            {"networkConfiguration": {"subnetId": SUBNET.replace("Network/", "ClassicNetwork/")}},
            "subnetId",
            "not the resource id",
        ),
        (
            {"networkConfiguration": {"subnetId": SUBNET.replace("/s/", "/00000000-0000-0000-0000-000000000000/")}},
            "subnetId",
            "Either the specified VNet does not exist, or the Batch service does not have access to it",
        ),
        (
            machine(imageReference={"virtualMachineImageId": GALLERY_IMAGE.replace("galleries", "gallery")}),
            "virtualMachineImageId",
            "not the resource id of an image in a gallery",
        ),
    ],
)
def test_a_pool_whose_nodes_cannot_be_is_refused(client, changes, name, reason):
    """Before anything is there; the property is named."""
    refused = refusal(client, "POST", "/pools", body(**changes))
    assert (refused["code"], refused["PropertyName"]) == ("InvalidPropertyValue", name)
    assert reason in refused["Reason"]


@pytest.mark.parametrize("name", ["publisher", "offer", "sku"])
def test_an_image_of_the_marketplace_has_three_names(client, name):
    """The version may be left out."""
    image = {key: value for key, value in IMAGE.items() if key != name}
    refused = refusal(client, "POST", "/pools", body(**machine(imageReference=image)))
    assert (refused["code"], refused["PropertyName"]) == ("MissingRequiredProperty", f"imageReference.{name}")


@pytest.mark.parametrize(
    "change",
    [{"vmSize": "Standard_F1s"}, {"taskSlotsPerNode": 9}, {"networkConfiguration": {"subnetId": "x"}}],
)
def test_a_change_must_go_with_what_stays(client, change):
    """Smaller nodes for the same slots, or more slots for the same nodes."""
    pool = body(taskSlotsPerNode=8)
    send(client, "POST", "/pools", json=pool)
    assert refusal(client, "PATCH", f"/pools/{pool['id']}", change)["code"] == "InvalidPropertyValue"
    send(client, "PATCH", f"/pools/{pool['id']}", json={"vmSize": "Standard_F4s", "taskSlotsPerNode": 16})


def test_a_pool_of_windows_is_taken_and_gets_no_nodes(client, wait_until):
    """This machine is none; the pool says so where Azure says why nodes did not come."""
    image = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
    pool = body(**machine(imageReference=image, nodeAgentSKUId="batch.node.windows amd64"), targetDedicatedNodes=1)
    assert send(client, "POST", "/pools", json=pool).status_code == 201
    wait_until(lambda: client.get_pool(pool["id"]).allocation_state == "steady")
    error = client.get_pool(pool["id"]).resize_errors[0]
    assert (error.code, client.get_pool(pool["id"]).current_dedicated_nodes) == ("AllocationFailed", 0)
    assert "Windows" in error.message


def test_a_job_s_subnet_is_one_too(client):
    """Where nodes join it for the job's tasks."""
    job = {"id": "subnet", "poolInfo": {"poolId": "local"}, "networkConfiguration": {"subnetId": "nodes"}}
    assert refusal(client, "POST", "/jobs", job)["PropertyName"] == "subnetId"


def test_every_image_that_is_listed_is_taken_with_its_agent(client):
    """With containers where it says so; the image that is deployed is among them."""
    listed = list(client.list_supported_images())
    for image in listed:
        reference = image.image_reference.as_dict()
        containers = CONTAINERS if "DockerCompatible" in (image.capabilities or []) else {}
        spec = body(**machine(imageReference=reference, nodeAgentSKUId=image.node_agent_sku_id, **containers))
        assert send(client, "POST", "/pools", json=spec).status_code == 201
    assert ("ubuntu-hpc", "2404") in {(image.image_reference.offer, image.image_reference.sku) for image in listed}


@pytest.mark.parametrize("kind", ["command", "preparation", "start"])
def test_a_container_task_fails_in_a_pool_that_was_not_made_for_it(client, new_job, wait_until, kind):
    """Azure takes the task, and its node says so: refused it is not."""
    in_container = {"commandLine": "true", "containerSettings": {"imageName": "busybox"}}
    if kind == "start":
        pool = body(targetDedicatedNodes=1, startTask=in_container)
        send(client, "POST", "/pools", json=pool)
        wait_until(lambda: [node.state for node in client.list_nodes(pool["id"])] == ["starttaskfailed"])
        failure = next(iter(client.list_nodes(pool["id"]))).start_task_info.failure_info
    elif kind == "preparation":
        job = {"id": f"j-{uuid.uuid4().hex[:8]}", "poolInfo": {"poolId": "local"}, "jobPreparationTask": in_container}
        send(client, "POST", "/jobs", json=job)
        send(client, "POST", f"/jobs/{job['id']}/tasks", json={"id": "1", "commandLine": "true"})
        wait_until(lambda: any(map(_failure, client.list_job_preparation_and_release_task_status(job["id"]))))
        failure = _failure(next(iter(client.list_job_preparation_and_release_task_status(job["id"]))))
    else:
        job_id = new_job()
        assert send(client, "POST", f"/jobs/{job_id}/tasks", json={"id": "1", **in_container}).status_code == 201
        wait_until(lambda: client.get_task(job_id, "1").state == "completed")
        failure = client.get_task(job_id, "1").execution_info.failure_info
    assert (failure.category.lower(), failure.code) == ("usererror", "ContainerPoolNotSupported")


def _failure(status):
    info = status.job_preparation_task_execution_info
    return info and info.failure_info


@pytest.mark.parametrize(
    ("name", "cores"),
    [
        ("Standard_D4s_v5", 4),
        ("STANDARD_D2S_V5", 2),
        ("Standard_A2_v2", 2),
        ("Standard_A8m_v2", 8),
        ("Standard_E8-4s_v5", 4),
        ("Standard_E112ibds_v5", 112),
        ("Standard_F72s_v2", 72),
        ("Standard_F1", 1),
        ("Standard_HB120-16rs_v3", 16),
        ("Standard_L8s", 8),
        ("Standard_M8-2ms", 2),
        ("Standard_NC24ads_A100_v4", 24),
        ("Standard_NV36adms_A10_v5", 36),
        ("Standard_D1_v2", 1),
        ("Standard_D3_v2", 4),
        ("Standard_DS15_v2", 20),
        ("Standard_D14", 16),
        ("Standard_GS5", 32),
    ],
)
def test_the_name_of_a_size_says_how_many_cores_it_has(name, cores):
    """The first series by a table."""
    assert cores_of(name) == cores


@pytest.mark.parametrize(
    "name",
    [
        "",
        "m",
        "large",
        "Standard_",
        "Standard_D2s",
        "Standard_D16_v2",
        "Standard_D15",
        "Standard_D3s_v5",
        "Standard_D0s_v5",
        "Standard_E4-8s_v5",
        "Standard_DS64_v3",
        "Standard_F4s_fast",
        "Standard_X2_v9",
        "Standard_D2s_v5 ",
        "Standard_A0",
        "Standard_A2",
        "Basic_A1",
        "Standard_B2ms",
    ],
)
def test_other_names_are_no_sizes(name):
    """Nor are the series that Batch does not support, or that exist no more."""
    assert cores_of(name) is None


@pytest.mark.parametrize("containers", [False, True])
@pytest.mark.parametrize("slots", [1, 8, 9, 16, 100, 256])
def test_the_service_s_own_pools_are_such_as_it_takes(slots, containers):
    """Those of `--pool` and `--container-pool`, of the smallest size that may have their slots."""
    check_pool(pool_of(PoolOption(slots=slots, containers=containers)), datetime(2026, 11, 22, tzinfo=UTC))


def test_the_size_of_the_service_s_own_pools_is_the_deployed_series():
    """Eight slots are what two cores may have."""
    assert [smallest_size_for(slots) for slots in (8, 9, 256)] == [
        "Standard_D2s_v5",
        "Standard_D4s_v5",
        "Standard_D64s_v5",
    ]
