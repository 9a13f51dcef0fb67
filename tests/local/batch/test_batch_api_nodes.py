"""The operations on nodes and their files; both clients of the SDK drive them in the contract."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.local.batch.blocking import send

OPTIONS = models.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="requeue")
NAT_POOL = {
    "name": "ssh",
    "protocol": "tcp",
    "backendPort": 22,
    "frontendPortRangeStart": 15000,
    "frontendPortRangeEnd": 15100,
}


@pytest.fixture
def new_pool(client, wait_until, virtual_machine):
    """Make pools of one node, which waits for its first task."""
    made: list[str] = []

    def create(**more) -> str:
        pool_id = f"pool-{uuid.uuid4().hex[:8]}"
        client.create_pool(
            models.BatchPoolCreateOptions(
                id=pool_id,
                vm_size="Standard_D2s_v5",
                virtual_machine_configuration=virtual_machine,
                **{"target_dedicated_nodes": 1, **more},
            )
        )
        made.append(pool_id)
        wait_until(lambda: all(node.state == "idle" for node in client.list_nodes(pool_id)))
        return pool_id

    yield create
    for pool_id in made:
        client.begin_delete_pool(pool_id, polling_interval=0)


def only_node(client, pool_id: str):
    """The node of a pool that has one."""
    (node,) = client.list_nodes(pool_id)
    return node


def refusal_of(operation, *arguments) -> tuple[int, str]:
    """The status and code of the answer."""
    with pytest.raises(HttpResponseError) as refusal:
        operation(*arguments)
    return refusal.value.status_code, refusal.value.error.code


def test_a_node_is_rebooted_switched_off_and_on_and_removed(client, new_pool):
    """Each waited for as the SDK does it."""
    pool_id = new_pool()
    node = only_node(client, pool_id)
    client.begin_reboot_node(pool_id, node.id, {"nodeRebootOption": "terminate"}, polling_interval=0).wait()
    assert client.get_node(pool_id, node.id).last_boot_time > node.last_boot_time
    client.begin_deallocate_node(pool_id, node.id, {"nodeDeallocateOption": "requeue"}, polling_interval=0).wait()
    assert client.get_node(pool_id, node.id).state == "deallocated"
    client.begin_start_node(pool_id, node.id, polling_interval=0).wait()
    assert client.get_node(pool_id, node.id).state == "idle"
    options = models.BatchNodeRemoveOptions(node_ids=[node.id], node_deallocation_option="taskcompletion")
    client.begin_remove_nodes(pool_id, options, polling_interval=0).wait()
    assert list(client.list_nodes(pool_id)) == []
    assert client.get_pool(pool_id).target_dedicated_nodes == 0


def test_scheduling_is_disabled_and_enabled(client, new_pool):
    """The node says so; twice is a conflict. Reimaging is for pools that are no more."""
    pool_id = new_pool()
    node_id = only_node(client, pool_id).id
    client.disable_node_scheduling(pool_id, node_id, OPTIONS)
    node = client.get_node(pool_id, node_id)
    assert (node.state, node.scheduling_state) == ("offline", "disabled")
    code = (409, "NodeAlreadyInTargetSchedulingState")
    assert refusal_of(client.disable_node_scheduling, pool_id, node_id, OPTIONS) == code
    client.enable_node_scheduling(pool_id, node_id)
    assert client.get_node(pool_id, node_id).scheduling_state == "enabled"
    path = f"/pools/{pool_id}/nodes/{node_id}/reimage"
    assert refusal_of(lambda: send(client, "POST", path, json={})) == (409, "OperationNotValidOnNode")


def test_nodes_have_users_and_a_way_to_them(client, new_pool):
    """Passwords are kept nowhere; the port is that of the endpoint that the pool gives to port 22."""
    network = models.NetworkConfiguration(
        {
            "endpointConfiguration": {"inboundNATPools": [NAT_POOL]},
            "publicIPAddressConfiguration": {"ipFamilies": ["IPv4", "IPv6"]},
        }
    )
    pool_id = new_pool(network_configuration=network)
    node = only_node(client, pool_id)
    user = models.BatchNodeUserCreateOptions(name="ada", password="p", is_admin=True)
    client.create_node_user(pool_id, node.id, user)
    with pytest.raises(ResourceExistsError):
        client.create_node_user(pool_id, node.id, user)
    client.replace_node_user(pool_id, node.id, "ada", models.BatchNodeUserReplaceOptions(ssh_public_key="k"))
    client.delete_node_user(pool_id, node.id, "ada")
    with pytest.raises(ResourceNotFoundError):
        client.delete_node_user(pool_id, node.id, "ada")
    settings = client.get_node_remote_login_settings(pool_id, node.id)
    assert (settings.remote_login_ip_address, settings.remote_login_port) == ("127.0.0.1", 15000)
    assert (settings.ipv6_remote_login_ip_address, settings.ipv6_remote_login_port) == ("::1", 15000)
    endpoints = node.endpoint_configuration.inbound_endpoints
    assert [(each.name, each.frontend_port, each.backend_port) for each in endpoints] == [
        ("ssh.0", 15000, 22),
        ("ssh-ipv6.0", 15000, 22),
    ]
    assert node.node_agent_info.version


def test_the_files_of_a_node_are_listed_read_and_removed(client, new_pool, new_job, wait_completed):
    """By paths below its root directory: those of its tasks, and what all nodes have."""
    pool_id = new_pool()
    node_id = only_node(client, pool_id).id
    names = {file.name for file in client.list_node_files(pool_id, node_id) if file.is_directory}
    assert {"shared", "startup", "workitems", "volatile", "applications"} <= names
    job_id = new_job(pool_id=pool_id)
    client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="echo hello"))
    wait_completed(job_id, "1")
    name = f"workitems/{job_id}/job-1/1/stdout.txt"
    listed = {file.name: file for file in client.list_node_files(pool_id, node_id, recursive=True)}
    assert listed[name].url.endswith(f"/pools/{pool_id}/nodes/{node_id}/files/{name}")
    assert client.get_node_file_properties(pool_id, node_id, name).content_length == 6
    assert b"".join(client.download_node_file(pool_id, node_id, name)) == b"hello\n"
    client.delete_node_file(pool_id, node_id, name)
    assert refusal_of(client.delete_node_file, pool_id, node_id, name) == (404, "FileNotFound")
    assert refusal_of(client.delete_node_file, pool_id, node_id, "../../x") == (404, "FileNotFound")


def test_files_of_a_node_that_does_not_answer_cannot_be_had(client, service, new_pool):
    """It says why."""
    pool_id = new_pool()
    node_id = only_node(client, pool_id).id
    service.send("PUT", f"/_local/pools/{pool_id}/nodes/{node_id}", {"state": "unusable"})
    with pytest.raises(HttpResponseError) as refusal:
        list(client.list_node_files(pool_id, node_id))
    assert refusal.value.error.code == "NodeStateUnusable"


def test_spot_nodes_are_preempted_on_demand(client, service, new_pool, wait_until):
    """They are listed and counted as such, and come back under their ids."""
    service.send("PATCH", "/_local/settings", {"nodeLimits": []})
    pool_id = new_pool(target_dedicated_nodes=0, target_low_priority_nodes=1)
    node = only_node(client, pool_id)
    service.send("PATCH", "/_local/settings", {"nodeLimits": [{"poolId": pool_id, "nodes": 0}]})
    assert service.send("POST", f"/_local/pools/{pool_id}/preempt") == (204, None)
    counts = next(each for each in client.list_pool_node_counts() if each.pool_id == pool_id)
    assert (counts.low_priority.preempted, counts.low_priority.total, node.is_dedicated) == (1, 1, False)
    service.send("PATCH", "/_local/settings", {"nodeLimits": []})
    wait_until(lambda: only_node(client, pool_id).state == "idle")
    assert only_node(client, pool_id).id == node.id


def test_the_log_of_a_node_is_uploaded(client, new_pool, container, wait_until):
    """Into a folder that the answer names; of a time without entries there is none."""
    pool_id = new_pool()
    node_id = only_node(client, pool_id).id
    start = datetime.now(UTC) - timedelta(minutes=5)
    options = models.UploadBatchServiceLogsOptions(container_url=container.url, start_time=start)
    result = client.upload_node_logs(pool_id, node_id, options)
    assert result.number_of_files_uploaded == 1
    name = f"{result.virtual_directory_name}/agent.log"
    wait_until(lambda: name in container.blobs())
    assert b"BootNode" in container.blobs()[name]
    options.end_time = start + timedelta(minutes=1)
    assert client.upload_node_logs(pool_id, node_id, options).number_of_files_uploaded == 0
