"""Pools and their nodes: https://learn.microsoft.com/rest/api/batchservice/pools and …/nodes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from pydantic import Field, StrictBool, model_validator

from local.batch.models.auto_scale import AutoScaleRun, EvaluationInterval
from local.batch.models.common import (
    BatchModel,
    DisplayName,
    Duration,
    Json,
    MetadataItem,
    NameValuePair,
    ResourceId,
    WireEnum,
)
from local.batch.models.machine import ContainerConfiguration, VirtualMachineConfiguration
from local.batch.models.network import PoolNetwork
from local.batch.models.node import SHORTEST_RESIZE_TIMEOUT, NodeUser, RunningTasksOption, SchedulingState
from local.batch.models.node_task import NodeTaskExecutionInfo, StartTask, UserAccount

MAX_SLOTS_PER_NODE = 256


class PoolState(WireEnum):
    """Whether a pool exists for good."""

    ACTIVE = "active"
    DELETING = "deleting"


class AllocationState(WireEnum):
    """Whether nodes are being added or removed."""

    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"


class NodeState(WireEnum):
    """The states of a node. Only an idle one takes tasks; it is shown as running while it has any."""

    CREATING = "creating"
    DEALLOCATED = "deallocated"
    DEALLOCATING = "deallocating"
    IDLE = "idle"
    LEAVING_POOL = "leavingpool"
    OFFLINE = "offline"
    PREEMPTED = "preempted"
    REBOOTING = "rebooting"
    REIMAGING = "reimaging"
    RUNNING = "running"
    STARTING = "starting"
    START_TASK_FAILED = "starttaskfailed"
    UNKNOWN = "unknown"
    UNUSABLE = "unusable"
    UPGRADING_OS = "upgradingos"
    WAITING_FOR_START_TASK = "waitingforstarttask"


class NodeFillType(WireEnum):
    """How tasks are distributed over nodes."""

    SPREAD = "spread"
    PACK = "pack"


class TaskSchedulingPolicy(BatchModel):
    """How tasks are distributed over nodes, and over jobs of equal priority."""

    node_fill_type: NodeFillType = NodeFillType.SPREAD
    job_default_order: str | None = None


class PoolUpdate(BatchModel):
    """What can be changed after a pool was created (PATCH); None leaves a property as it is."""

    display_name: DisplayName | None = None
    vm_size: str | None = None
    enable_inter_node_communication: StrictBool | None = None
    start_task: StartTask | None = None
    application_package_references: Json = None
    metadata: tuple[MetadataItem, ...] | None = None
    virtual_machine_configuration: VirtualMachineConfiguration | None = None
    task_slots_per_node: int | None = Field(default=None, ge=1, le=MAX_SLOTS_PER_NODE)
    task_scheduling_policy: TaskSchedulingPolicy | None = None
    network_configuration: PoolNetwork | None = None
    user_accounts: tuple[UserAccount, ...] | None = None
    mount_configuration: Json = None
    upgrade_policy: Json = None
    target_node_communication_mode: Json = None
    resource_tags: Json = None


class PoolReplace(BatchModel):
    """What `updateproperties` replaces: a property that is left out is removed. Two may not be left out."""

    start_task: StartTask | None = None
    application_package_references: Json
    certificate_references: Json = None
    metadata: tuple[MetadataItem, ...]
    target_node_communication_mode: Json = None


class PoolSpecification(BatchModel):
    """What pools are made by, of whatever id; what nothing here depends on is stored and returned."""

    display_name: DisplayName | None = None
    vm_size: str
    virtual_machine_configuration: VirtualMachineConfiguration | None = None
    resize_timeout: Duration = Field(default=timedelta(minutes=15), ge=SHORTEST_RESIZE_TIMEOUT)
    target_dedicated_nodes: int = Field(default=0, ge=0)
    target_low_priority_nodes: int = Field(default=0, ge=0)
    enable_auto_scale: StrictBool = False
    auto_scale_formula: str | None = None
    auto_scale_evaluation_interval: EvaluationInterval | None = None
    enable_inter_node_communication: StrictBool = False
    network_configuration: PoolNetwork | None = None
    start_task: StartTask | None = None
    application_package_references: Json = None
    application_licenses: Json = None
    certificate_references: Json = None
    task_slots_per_node: int = Field(default=1, ge=1, le=MAX_SLOTS_PER_NODE)
    task_scheduling_policy: TaskSchedulingPolicy = TaskSchedulingPolicy()
    user_accounts: tuple[UserAccount, ...] | None = None
    metadata: tuple[MetadataItem, ...] | None = None
    mount_configuration: Json = None
    target_node_communication_mode: Json = None
    upgrade_policy: Json = None


class PoolCreate(PoolSpecification):
    """What a client gives to create a pool."""

    id: ResourceId
    resource_tags: Json = None


class NodeError(BatchModel):
    """Why a node cannot be used."""

    code: str
    message: str
    error_details: tuple[NameValuePair, ...] = ()


class Node(BatchModel):
    """A node of a pool; `is_dedicated` is false for spot nodes.

    `number` counts the nodes that its pool has had; `run` counts the starts of its start task; `settles_at` is when a
    state that passes by itself may pass; `users` are the accounts that clients have made on it.
    """

    local_fields: ClassVar[frozenset[str]] = frozenset({"number", "run", "settles_at", "users"})

    id: str
    number: int = 0
    state: NodeState
    scheduling_state: SchedulingState = SchedulingState.ENABLED
    state_transition_time: datetime
    last_boot_time: datetime | None = None
    allocation_time: datetime
    is_dedicated: bool
    errors: tuple[NodeError, ...] = ()
    start_task_info: NodeTaskExecutionInfo | None = None
    run: int = 0
    settles_at: datetime | None = None
    users: tuple[NodeUser, ...] = ()

    @property
    def takes_tasks(self) -> bool:
        """Whether tasks can start on it, as far as its states go."""
        return self.state is NodeState.IDLE and self.scheduling_state is SchedulingState.ENABLED

    @property
    def is_new(self) -> bool:
        """Whether it has not been there yet; a spot node that comes back is being created, too."""
        return self.state is NodeState.CREATING and self.settles_at is None


class ResizeError(BatchModel):
    """Why a pool did not get the nodes that it should have."""

    code: str
    message: str
    values: tuple[NameValuePair, ...] = ()


class UserAssignedIdentity(BatchModel):
    """An identity that the nodes of a pool can use."""

    resource_id: str


class PoolIdentity(BatchModel):
    """The identities of a pool, which no client of this API can give it: Azure's resource manager does."""

    type: str = "UserAssigned"
    user_assigned_identities: tuple[UserAssignedIdentity, ...] = ()


class Pool(PoolCreate):
    """A pool as the service shows it. `auto_scale_due` is when its formula is evaluated next, if it has one.

    `goes_with` is the key of the job or the schedule whose end is the pool's.
    """

    local_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "nodes",
            "nodes_allocated",
            "settles_at",
            "deallocation",
            "auto_scale_due",
            "auto_scale_enabled_at",
            "goes_with",
        }
    )

    e_tag: str
    last_modified: datetime
    creation_time: datetime
    state: PoolState = PoolState.ACTIVE
    state_transition_time: datetime
    allocation_state: AllocationState
    allocation_state_transition_time: datetime
    resize_errors: tuple[ResizeError, ...] = ()
    identity: PoolIdentity | None = None
    auto_scale_run: AutoScaleRun | None = None
    nodes: tuple[Node, ...] = ()
    nodes_allocated: int = 0
    settles_at: datetime | None = None
    deallocation: RunningTasksOption = RunningTasksOption.REQUEUE
    auto_scale_due: datetime | None = None
    auto_scale_enabled_at: datetime | None = None
    goes_with: str | None = None

    def count(self, *, dedicated: bool) -> int:
        """How many nodes of one kind the pool has now."""
        return sum(node.is_dedicated is dedicated for node in self.nodes)

    @property
    def container_configuration(self) -> ContainerConfiguration | None:
        """What the pool has for containers, if it was made for them."""
        machine = self.virtual_machine_configuration
        return machine.container_configuration if machine else None

    def has_identity(self, resource_id: str | None) -> bool:
        """Whether the pool's nodes can use an identity; resource ids are compared without regard to case."""
        ours = self.identity.user_assigned_identities if self.identity else ()
        return (resource_id or "").lower() in {identity.resource_id.lower() for identity in ours}

    def target(self, *, dedicated: bool) -> int:
        """How many nodes of one kind the pool should have."""
        return self.target_dedicated_nodes if dedicated else self.target_low_priority_nodes


class PoolResize(BatchModel):
    """A request for another number of nodes."""

    target_dedicated_nodes: int | None = Field(default=None, ge=0)
    target_low_priority_nodes: int | None = Field(default=None, ge=0)
    resize_timeout: Duration = Field(default=timedelta(minutes=15), ge=SHORTEST_RESIZE_TIMEOUT)
    node_deallocation_option: RunningTasksOption = RunningTasksOption.REQUEUE

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if self.target_dedicated_nodes is None and self.target_low_priority_nodes is None:
            msg = "At least one of targetDedicatedNodes and targetLowPriorityNodes must be specified."
            raise ValueError(msg)
        return self
