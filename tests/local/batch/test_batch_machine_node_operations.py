"""What clients ask of single nodes, on a clock that the test moves."""

from __future__ import annotations

import pytest

from local.batch.errors import BatchError
from local.batch.machine.commands import BootNode, LoseNode, RebootNode
from local.batch.models.node import NodeRemove, NodeUserCreate, NodeUserReplace, RunningTasksOption
from local.batch.models.pool import NodeState

REQUEUE, TERMINATE, TASK_COMPLETION = RunningTasksOption


@pytest.fixture
def machine(new_machine):
    """A machine whose pool has one node, which runs the task `1`."""
    machine = new_machine()
    machine.pool()
    machine.job()
    machine.task("1")
    return machine


@pytest.fixture
def node_id(machine) -> str:
    """The one node of the machine."""
    return machine.account.nodes.all("pool")[0].id


def state(machine, node_id: str) -> str:
    return machine.account.nodes.get("pool", node_id).state


def task_of(machine):
    return machine.account.state.task("job", "1")


def refusal_of(operation, *arguments) -> str:
    with pytest.raises(BatchError) as refusal:
        operation(*arguments)
    return refusal.value.error.code


class TestReboots:
    """A node restarts once nothing runs on it any more, and keeps its files."""

    @pytest.mark.parametrize(("option", "end", "requeues"), [(REQUEUE, "running", 1), (TERMINATE, "completed", 0)])
    def test_a_node_restarts_once_its_tasks_have_ended(self, machine, node_id, option, end, requeues):
        """They are stopped, and run again or have ended; until then the node is rebooting."""
        before = machine.account.nodes.get("pool", node_id).last_boot_time
        machine.account.node_operations.reboot("pool", node_id, option)
        machine.passes(seconds=10)
        assert (state(machine, node_id), len(machine.stopping)) == ("rebooting", 1)
        machine.ends("1", exit_code=137)
        assert (task_of(machine).state, task_of(machine).execution_info.requeue_count) == (end, requeues)
        assert machine.account.nodes.get("pool", node_id).last_boot_time > before

    def test_it_may_wait_for_its_tasks(self, machine, node_id):
        """With taskcompletion nothing is stopped, and nothing else starts there."""
        machine.account.node_operations.reboot("pool", node_id, TASK_COMPLETION)
        machine.task("2")
        machine.passes(seconds=1)
        assert (machine.stopping, machine.task_state("2")) == ([], "active")
        machine.ends("1")
        assert (task_of(machine).succeeded, machine.task_state("2")) == (True, "running")

    def test_what_else_runs_on_it_ends(self, machine, node_id):
        """Without a report: its preparation, release and start tasks run again."""
        machine.ends("1")
        machine.account.node_operations.reboot("pool", node_id, REQUEUE)
        machine.account.take_commands()
        machine.now += machine.account.state.moments.settling
        machine.account.advance()
        assert machine.account.take_commands() == [RebootNode("pool", node_id), BootNode("pool", node_id)]

    @pytest.mark.parametrize(
        ("node_state", "code"),
        [
            (NodeState.CREATING, "NodeBeingCreated"),
            (NodeState.REBOOTING, "NodeBeingRebooted"),
            (NodeState.STARTING, "NodeBeingStarted"),
            (NodeState.UNUSABLE, "NodeStateUnusable"),
            (NodeState.START_TASK_FAILED, "OperationInvalidForCurrentState"),
        ],
    )
    def test_only_idle_and_running_nodes_are_rebooted_or_switched_off(self, machine, node_id, node_state, code):
        """As documented: a node that does something else says what."""
        machine.account.nodes.set_state("pool", node_id, node_state)
        operations = machine.account.node_operations
        assert refusal_of(operations.reboot, "pool", node_id, REQUEUE) == code
        assert refusal_of(operations.deallocate, "pool", node_id, REQUEUE) == code

    def test_a_reboot_goes_on_after_a_restart_of_the_service(self, machine, node_id):
        """Its node comes back."""
        machine.account.node_operations.reboot("pool", node_id, REQUEUE)
        machine.restarts()
        machine.passes(seconds=1)
        assert state(machine, node_id) == "running"

    def test_no_node_is_reimaged(self, machine, node_id):
        """That is for pools of cloud services, which are no more."""
        assert refusal_of(machine.account.node_operations.reimage, "pool", node_id) == "OperationNotValidOnNode"


class TestSwitchedOff:
    """A node can be switched off and on; it keeps its id and its place."""

    def test_a_node_is_deallocated_and_started_again(self, machine, node_id):
        """It loses its files; its tasks run elsewhere, or on it once it is back."""
        machine.account.node_operations.deallocate("pool", node_id, REQUEUE)
        machine.ends("1", exit_code=137)
        assert state(machine, node_id) == "deallocating"
        machine.now += machine.account.state.moments.settling
        machine.account.advance()
        assert LoseNode("pool", node_id) in machine.account.take_commands()
        assert (state(machine, node_id), machine.task_state("1")) == ("deallocated", "active")
        machine.account.node_operations.start("pool", node_id)
        assert state(machine, node_id) == "starting"
        machine.passes(seconds=1)
        assert (state(machine, node_id), machine.task_state("1")) == ("running", "running")

    def test_only_what_is_switched_off_is_switched_on(self, machine, node_id):
        """A conflict."""
        code = "OperationInvalidForCurrentState"
        assert refusal_of(machine.account.node_operations.start, "pool", node_id) == code


class TestScheduling:
    """A node can be kept free of tasks."""

    @pytest.mark.parametrize(
        ("option", "stopped", "end"),
        [(REQUEUE, 1, "active"), (TERMINATE, 1, "completed"), (TASK_COMPLETION, 0, "completed")],
    )
    def test_a_node_without_scheduling_takes_no_tasks(self, machine, node_id, option, stopped, end):
        """It is running as long as it has some, then offline, until scheduling is enabled."""
        operations = machine.account.node_operations
        operations.disable_scheduling("pool", node_id, option)
        machine.task("2")
        assert (state(machine, node_id), len(machine.stopping)) == ("running", stopped)
        machine.ends("1", exit_code=137 if stopped else 0)
        assert (state(machine, node_id), machine.task_state("1"), machine.task_state("2")) == ("offline", end, "active")
        operations.enable_scheduling("pool", node_id)
        machine.passes()
        assert (state(machine, node_id), machine.task_state("2")) == ("running", "running")

    def test_what_is_so_already_is_a_conflict(self, machine, node_id):
        """NodeAlreadyInTargetSchedulingState."""
        operations, code = machine.account.node_operations, "NodeAlreadyInTargetSchedulingState"
        assert refusal_of(operations.enable_scheduling, "pool", node_id) == code
        operations.disable_scheduling("pool", node_id, REQUEUE)
        assert refusal_of(operations.disable_scheduling, "pool", node_id, REQUEUE) == code


def remove(machine, *node_ids: str, option: str = "requeue") -> None:
    body = {"nodeList": node_ids, "nodeDeallocationOption": option}
    machine.account.pools.remove_nodes("pool", NodeRemove.model_validate(body))
    machine.passes()


class TestRemoval:
    """Single nodes can be taken out of a pool."""

    @pytest.mark.parametrize(("option", "end", "requeues"), [("requeue", "active", 1), ("terminate", "completed", 0)])
    def test_a_removed_node_goes_once_nothing_runs_on_it(self, machine, node_id, option, end, requeues):
        """The target sinks with it, so that the pool gets no other in its place."""
        remove(machine, node_id.upper(), option=option)
        machine.passes(seconds=1)
        pool = machine.account.state.pool("pool")
        assert (pool.allocation_state, state(machine, node_id)) == ("resizing", "leavingpool")
        machine.ends("1", exit_code=137)
        assert machine.account.nodes.all("pool") == []
        pool = machine.account.state.pool("pool")
        assert (pool.allocation_state, pool.target_dedicated_nodes) == ("steady", 0)
        assert (task_of(machine).state, task_of(machine).execution_info.requeue_count) == (end, requeues)

    def test_with_taskcompletion_its_tasks_end_first(self, machine, node_id):
        """Nothing is stopped."""
        remove(machine, node_id, option="taskcompletion")
        assert machine.stopping == []

    def test_each_kind_of_node_has_its_target(self, new_machine):
        """A spot node lowers that of spot nodes."""
        machine = new_machine()
        machine.pool(nodes=1, targetLowPriorityNodes=2)
        remove(machine, next(node.id for node in machine.account.nodes.all("pool") if not node.is_dedicated))
        pool = machine.account.state.pool("pool")
        assert (pool.target_dedicated_nodes, pool.target_low_priority_nodes) == (1, 1)

    def test_what_is_not_there_removes_nothing(self, machine, node_id):
        """NodeNotFound, although the other node exists; and one removal at a time."""
        assert refusal_of(remove, machine, node_id, "none") == "NodeNotFound"
        assert state(machine, node_id) == "running"
        remove(machine, node_id)
        assert refusal_of(remove, machine, node_id) == "PoolBeingResized"


class TestUsers:
    """Nodes have users, who can be changed and removed, and end."""

    @pytest.fixture
    def users(self, machine, node_id):
        """What can be done to the users of the node, on which there is one, `ada`."""
        machine.account.node_users.create("pool", node_id, NodeUserCreate(name="ada", password="p"))
        return machine.account.node_users

    def test_a_name_is_there_once(self, users, node_id):
        """NodeUserExists; after its removal it is free."""
        again = NodeUserCreate(name="ada", password="p")
        assert refusal_of(users.create, "pool", node_id, again) == "NodeUserExists"
        users.delete("pool", node_id, "ada")
        users.create("pool", node_id, again)

    def test_a_user_that_is_not_there_cannot_be_changed(self, users, node_id):
        """NodeUserNotFound."""
        replacement = NodeUserReplace(password="p")
        assert refusal_of(users.replace, "pool", node_id, "bob", replacement) == "NodeUserNotFound"
        assert refusal_of(users.delete, "pool", node_id, "bob") == "NodeUserNotFound"

    def test_a_user_ends_after_a_day(self, machine, users, node_id):
        """Unless it is given another end; replacing it without one is a day more."""
        machine.now = machine.now.replace(hour=23)
        users.replace("pool", node_id, "ada", NodeUserReplace(ssh_public_key="k"))
        machine.passes(seconds=23 * 3600)
        users.replace("pool", node_id, "ada", NodeUserReplace(password="p"))
        machine.passes(seconds=25 * 3600)
        assert refusal_of(users.delete, "pool", node_id, "ada") == "NodeUserNotFound"

    def test_a_user_needs_a_way_in_and_time(self, machine, users, node_id):
        """A password or a key, and an end that has not passed."""
        nothing = NodeUserCreate(name="bob")
        assert refusal_of(users.create, "pool", node_id, nothing) == "MissingRequiredProperty"
        over = NodeUserCreate(name="bob", password="p", expiry_time=machine.now)
        assert refusal_of(users.create, "pool", node_id, over) == "InvalidPropertyValue"

    def test_users_are_gone_with_the_node(self, machine, users, node_id):
        """One that comes back is new; one that does something else takes none."""
        machine.account.nodes.set_state("pool", node_id, NodeState.UNUSABLE)
        assert refusal_of(users.delete, "pool", node_id, "ada") == "NodeStateUnusable"
        machine.account.nodes.set_state("pool", node_id, NodeState.IDLE)
        assert refusal_of(users.delete, "pool", node_id, "ada") == "NodeUserNotFound"
