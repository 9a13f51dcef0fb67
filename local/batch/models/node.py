"""What clients ask of single nodes: https://learn.microsoft.com/rest/api/batchservice/nodes."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field, StrictBool

from local.batch.models.common import BatchModel, Duration, WireEnum
from local.batch.models.node_task import IdentityReference

MAX_NODES_REMOVED = 100
SHORTEST_RESIZE_TIMEOUT = timedelta(minutes=5)


class SchedulingState(WireEnum):
    """Whether a node takes tasks."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class RunningTasksOption(WireEnum):
    """What becomes of the tasks of a node that leaves its pool, is rebooted or switched off, or takes no more tasks."""

    REQUEUE = "requeue"
    TERMINATE = "terminate"
    TASK_COMPLETION = "taskcompletion"


class NodeRemove(BatchModel):
    """A request to take these nodes out of their pool."""

    node_list: tuple[str, ...] = Field(min_length=1, max_length=MAX_NODES_REMOVED)
    resize_timeout: Duration = Field(default=timedelta(minutes=15), ge=SHORTEST_RESIZE_TIMEOUT)
    node_deallocation_option: RunningTasksOption = RunningTasksOption.REQUEUE


class NodeReboot(BatchModel):
    """A request to reboot a node."""

    node_reboot_option: RunningTasksOption = RunningTasksOption.REQUEUE


class NodeReimage(BatchModel):
    """A request to install a node's system anew."""

    node_reimage_option: RunningTasksOption = RunningTasksOption.REQUEUE


class NodeDeallocate(BatchModel):
    """A request to switch a node off."""

    node_deallocate_option: RunningTasksOption = RunningTasksOption.REQUEUE


class NodeDisableScheduling(BatchModel):
    """A request to give a node no more tasks."""

    node_disable_scheduling_option: RunningTasksOption = RunningTasksOption.REQUEUE


class UploadLogs(BatchModel):
    """A request for the logs of a node's agent: where to, and of which time."""

    container_url: str
    start_time: AwareDatetime
    end_time: AwareDatetime | None = None
    identity_reference: IdentityReference | None = None


class NodeUserReplace(BatchModel):
    """What can be changed of a user: what is left out is removed, or gets its default."""

    password: str | None = None
    expiry_time: AwareDatetime | None = None
    ssh_public_key: str | None = None


class NodeUserCreate(NodeUserReplace):
    """A user that a client wants on a node, to log in with."""

    name: str = Field(min_length=1)
    is_admin: StrictBool = False


class NodeUser(BatchModel):
    """A user on a node, without what it logs in with."""

    name: str
    is_admin: bool = False
    expiry_time: datetime
