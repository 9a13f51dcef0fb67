"""The operations on pools and nodes, by both clients of the SDK."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.local.batch.blocking import send


@pytest.fixture
def client(either_client):
    """What is said here holds for both clients of the SDK."""
    return either_client


SCALES = {"id": "p", "vmSize": "Standard_D2s_v5", "enableAutoScale": True, "autoScaleFormula": "x = 1"}


def take_all_nodes(client, pool_id: str) -> None:
    """Resize a pool to none, as some changes need it."""
    options = models.BatchPoolResizeOptions(target_dedicated_nodes=0)
    client.begin_resize_pool(pool_id, options, polling_interval=0).wait()


class TestPools:
    """Operations on pools and nodes."""

    @pytest.fixture
    def pool_id(self, client, wait_until, virtual_machine):
        """A pool of two nodes."""
        pool_id = f"pool-{uuid.uuid4().hex[:8]}"
        client.create_pool(
            models.BatchPoolCreateOptions(
                id=pool_id,
                vm_size="Standard_D2s_v5",
                target_dedicated_nodes=2,
                task_slots_per_node=3,
                virtual_machine_configuration=virtual_machine,
            )
        )
        wait_until(lambda: client.get_pool(pool_id).allocation_state == "steady")
        yield pool_id
        client.begin_delete_pool(pool_id, polling_interval=0).wait()

    def test_a_pool_has_nodes(self, client, pool_id):
        """Pool, nodes and counts agree."""
        pool = client.get_pool(pool_id)
        assert (pool.current_dedicated_nodes, pool.task_slots_per_node, pool.state) == (2, 3, "active")
        nodes = list(client.list_nodes(pool_id))
        assert [node.state for node in nodes] == ["idle", "idle"]
        assert client.get_node(pool_id, nodes[0].id).id == nodes[0].id
        counts = next(counts for counts in client.list_pool_node_counts() if counts.pool_id == pool_id)
        assert (counts.dedicated.idle, counts.dedicated.total, counts.low_priority.total) == (2, 2, 0)

    def test_a_pool_can_be_looked_for(self, client, pool_id):
        """HEAD; the SDK raises where the answer is 404."""
        assert client.pool_exists(pool_id)
        with pytest.raises(ResourceNotFoundError):
            client.pool_exists("nothing")

    def test_an_existing_pool_is_a_conflict(self, client, pool_id, virtual_machine):
        """PoolExists."""
        again = models.BatchPoolCreateOptions(
            id=pool_id, vm_size="Standard_D2s_v5", virtual_machine_configuration=virtual_machine
        )
        with pytest.raises(ResourceExistsError) as refusal:
            client.create_pool(again)
        assert refusal.value.error.code == "PoolExists"

    def test_a_pool_can_be_resized(self, client, pool_id):
        """And waited for as the SDK does it."""
        options = models.BatchPoolResizeOptions(target_dedicated_nodes=1)
        client.begin_resize_pool(pool_id, options, polling_interval=0).wait()
        assert client.get_pool(pool_id).current_dedicated_nodes == 1

    def test_the_properties_of_a_pool_can_be_replaced(self, client, pool_id):
        """What may be replaced and is not given is removed; metadata and packages have to be given."""
        start_task = models.BatchStartTask(command_line="true")
        client.update_pool(pool_id, models.BatchPoolUpdateOptions(start_task=start_task))
        client.replace_pool_properties(
            pool_id, models.BatchPoolReplaceOptions(application_package_references=[], metadata=[])
        )
        assert client.get_pool(pool_id).start_task is None
        with pytest.raises(HttpResponseError) as refusal:
            send(client, "POST", f"/pools/{pool_id}/updateproperties", json={"metadata": []})
        assert refusal.value.error.code == "MissingRequiredProperty"

    def test_the_secrets_of_a_pool_are_not_shown(self, client, pool_id):
        """Wherever in its properties they stand."""
        user = models.UserAccount(name="u", password="secret")
        registry = models.ContainerRegistryReference(username="u", password="secret")
        start_task = models.BatchStartTask(
            command_line="true",
            container_settings=models.BatchTaskContainerSettings(image_name="i", registry=registry),
        )
        take_all_nodes(client, pool_id)
        client.update_pool(pool_id, models.BatchPoolUpdateOptions(user_accounts=[user], start_task=start_task))
        assert "secret" not in str(client.get_pool(pool_id).as_dict())

    @pytest.mark.parametrize(
        ("body", "answer"),
        [
            ({"id": "p", "vmSize": "Standard_D2s_v5"}, (400, "MissingRequiredProperty")),
            (
                {"id": "p", "vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": {}},
                (400, "MissingRequiredProperty"),
            ),
            ({"id": "p", "vmSize": "Standard_D2s_v5", "resizeTimeout": "PT1M"}, (400, "InvalidPropertyValue")),
            ({"id": "p", "vmSize": "Standard_D2s_v5", "enableAutoScale": True}, (400, "MissingRequiredProperty")),
            ({**SCALES, "autoScaleFormula": "x = y"}, (400, "AutoScalingFormulaSyntaxError")),
            ({**SCALES, "targetDedicatedNodes": 1}, (400, "InvalidPropertyValue")),
            ({**SCALES, "autoScaleEvaluationInterval": "PT4M"}, (400, "InvalidPropertyValue")),
            ({**SCALES, "autoScaleEvaluationInterval": "P8D"}, (400, "InvalidPropertyValue")),
        ],
    )
    def test_a_pool_that_cannot_be_is_refused(self, client, body, answer):
        """What its nodes are made of must be said, and their number or a formula for it."""
        with pytest.raises(HttpResponseError) as refusal:
            send(client, "POST", "/pools", json=body)
        assert (refusal.value.status_code, refusal.value.error.code) == answer

    def test_some_properties_change_only_while_a_pool_has_no_nodes(self, client, pool_id):
        """Others at any time."""
        change = models.BatchPoolUpdateOptions(vm_size="Standard_D4s_v5", task_slots_per_node=2)
        with pytest.raises(ResourceExistsError) as refusal:
            client.update_pool(pool_id, change)
        assert refusal.value.error.code == "OperationInvalidForCurrentState"
        assert "vmSize, taskSlotsPerNode" in refusal.value.model["values"][0]["value"]
        client.update_pool(pool_id, models.BatchPoolUpdateOptions(metadata=[]))
        take_all_nodes(client, pool_id)
        client.update_pool(pool_id, change)
        assert client.get_pool(pool_id).vm_size == "Standard_D4s_v5"

    def test_nodes_have_all_that_the_specification_requires(self, client, pool_id):
        """Clients with types of their own rely on it; the image is what the pool names."""
        node = next(iter(client.list_nodes(pool_id)))
        assert node.virtual_machine_info.image_reference.offer == "ubuntu-24_04-lts"
        assert (node.ip_address, node.ipv6_address) == ("127.0.0.1", "::1")
        assert None not in (node.state, node.scheduling_state, node.last_boot_time, node.allocation_time)

    def test_a_formula_is_for_pools_that_scale_by_it(self, client, virtual_machine):
        """Without enableAutoScale it must not be given."""
        spec = models.BatchPoolCreateOptions(
            id="p",
            vm_size="Standard_D2s_v5",
            virtual_machine_configuration=virtual_machine,
            auto_scale_formula="$x = 1",
        )
        with pytest.raises(HttpResponseError) as refusal:
            client.create_pool(spec)
        assert (refusal.value.status_code, refusal.value.error.code) == (400, "InvalidPropertyValue")

    def test_application_packages_cannot_be_had(self, client, pool_id, virtual_machine):
        """The account has no applications, so no pool gets one."""
        packages = [models.BatchApplicationPackageReference(application_id="none")]
        spec = models.BatchPoolCreateOptions(
            id="p",
            vm_size="Standard_D2s_v5",
            virtual_machine_configuration=virtual_machine,
            application_package_references=packages,
        )
        changed = models.BatchPoolUpdateOptions(application_package_references=packages)
        replaced = models.BatchPoolReplaceOptions(application_package_references=packages, metadata=[])
        for refused, arguments in (
            (client.create_pool, (spec,)),
            (client.update_pool, (pool_id, changed)),
            (client.replace_pool_properties, (pool_id, replaced)),
        ):
            with pytest.raises(ResourceExistsError) as refusal:
                refused(*arguments)
            assert refusal.value.error.code == "InvalidApplicationPackageReferences"

    def test_a_pool_keeps_what_nothing_here_depends_on(self, client, pool_id):
        """Properties that are only stored come back as they were given."""
        take_all_nodes(client, pool_id)
        client.update_pool(pool_id, models.BatchPoolUpdateOptions(display_name="shown", task_slots_per_node=4))
        pool = client.get_pool(pool_id)
        assert (pool.display_name, pool.task_slots_per_node) == ("shown", 4)


def test_a_pool_scales_by_its_formula(client, service, wait_until, virtual_machine):
    """From its creation on; `POST /_local/pools/<pool>/evaluate` does not wait for the next interval."""
    pool_id, job_id = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("pool", "job"))
    client.create_pool(
        models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="Standard_D2s_v5",
            virtual_machine_configuration=virtual_machine,
            enable_auto_scale=True,
            auto_scale_formula="tasks = max(0, $PendingTasks.GetSample(1)); $TargetDedicatedNodes = tasks;",
        )
    )
    pool = client.get_pool(pool_id)
    assert (pool.allocation_state, pool.auto_scale_evaluation_interval) == ("steady", timedelta(minutes=15))
    assert pool.auto_scale_run.results.endswith("$NodeDeallocationOption=requeue;tasks=0")
    client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id)))
    client.create_task(job_id, models.BatchTaskCreateOptions(id="task", command_line="true"))
    assert service.send("POST", f"/_local/pools/{pool_id}/evaluate")[0] == 204
    wait_until(lambda: client.get_task(job_id, "task").state == "completed")
    assert service.send("POST", f"/_local/pools/{pool_id}/evaluate")[0] == 204
    wait_until(lambda: client.get_pool(pool_id).current_dedicated_nodes == 0)
    error = client.evaluate_pool_auto_scale(
        pool_id, models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$something_useless")
    ).error
    assert (error.code, error.error_values[0].name) == ("AutoScalingFormulaEvaluationError", "Message")
    assert service.send("POST", "/_local/pools/none/evaluate")[0] == 404
