"""What all tasks that run on nodes have in common: tasks of jobs, preparation, release and start tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from local.batch.models.common import BatchModel, FailureInfo, NameValuePair, WireEnum


class IdentityReference(BatchModel):
    """A user-assigned identity of the pool, which stands for a SAS or a password."""

    resource_id: str | None = None


class ContainerRegistry(BatchModel):
    """Where images come from, and who asks for them; without a server it is Docker Hub."""

    registry_server: str | None = None
    username: str | None = None
    password: str | None = None
    identity_reference: IdentityReference | None = None


class ContainerWorkingDirectory(WireEnum):
    """Where a container's command starts."""

    TASK_WORKING_DIRECTORY = "taskWorkingDirectory"
    CONTAINER_IMAGE_DEFAULT = "containerImageDefault"


class ContainerHostDataPath(WireEnum):
    """A part of the node that a container may see."""

    SHARED = "Shared"
    STARTUP = "Startup"
    VFS_MOUNTS = "VfsMounts"
    TASK = "Task"
    JOB_PREP = "JobPrep"
    APPLICATIONS = "Applications"


class ContainerHostBatchBindMount(BatchModel):
    """A part of the node that a container sees under its own path."""

    source: ContainerHostDataPath
    is_read_only: StrictBool = False


class ContainerSettings(BatchModel):
    """The container that a task runs in; without a list of mounts it sees the whole node."""

    image_name: str = Field(min_length=1)
    container_run_options: str | None = None
    registry: ContainerRegistry | None = None
    working_directory: ContainerWorkingDirectory | None = None
    container_host_batch_bind_mounts: tuple[ContainerHostBatchBindMount, ...] | None = None


class AutoUserScope(WireEnum):
    """Whether tasks share their user."""

    TASK = "task"
    POOL = "pool"


class ElevationLevel(WireEnum):
    """Whether a task's user is an administrator."""

    NON_ADMIN = "nonadmin"
    ADMIN = "admin"


class AutoUser(BatchModel):
    """A user that Batch makes."""

    scope: AutoUserScope = AutoUserScope.POOL
    elevation_level: ElevationLevel = ElevationLevel.NON_ADMIN


class UserAccount(BatchModel):
    """A user that a pool has on each node, for tasks to run as; what nothing here depends on is stored and returned."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, max_length=20)
    password: str
    elevation_level: ElevationLevel = ElevationLevel.NON_ADMIN


class UserIdentity(BatchModel):
    """Who a task runs as."""

    username: str | None = None
    auto_user: AutoUser | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.username is None) is (self.auto_user is None):
            msg = "Exactly one of username and autoUser must be specified."
            raise ValueError(msg)
        return self


class ResourceFile(BatchModel):
    """Files that the node downloads before the command runs."""

    auto_storage_container_name: str | None = None
    storage_container_url: str | None = None
    http_url: str | None = None
    blob_prefix: str | None = None
    file_path: str | None = None
    file_mode: str | None = Field(default=None, pattern=r"^[0-7]{3,4}$")
    identity_reference: IdentityReference | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = (self.auto_storage_container_name, self.storage_container_url, self.http_url)
        if sum(source is not None for source in sources) != 1:
            msg = "Exactly one of autoStorageContainerName, storageContainerUrl and httpUrl must be specified."
            raise ValueError(msg)
        if self.http_url is not None and not self.file_path:
            msg = "filePath must be specified with httpUrl."
            raise ValueError(msg)
        if self.http_url is not None and self.blob_prefix is not None:
            msg = "blobPrefix cannot be specified with httpUrl."
            raise ValueError(msg)
        return self


class NodeTask(BatchModel):
    """What a node needs to know of any task. An empty command line is a container image's own entry point."""

    command_line: str
    container_settings: ContainerSettings | None = None
    resource_files: tuple[ResourceFile, ...] = ()
    environment_settings: tuple[NameValuePair, ...] = ()
    user_identity: UserIdentity | None = None

    @model_validator(mode="after")
    def _has_a_command(self) -> Self:
        if not self.command_line.strip() and self.container_settings is None:
            msg = "commandLine must not be empty unless the task runs in a container."
            raise ValueError(msg)
        return self

    @property
    def is_admin(self) -> bool:
        """Whether the task's user is an administrator."""
        user = self.user_identity.auto_user if self.user_identity else None
        return user is not None and user.elevation_level is ElevationLevel.ADMIN


class ContainerExecutionInfo(BatchModel):
    """The container that a task ran in, as the container engine describes it."""

    container_id: str | None = None
    state: str | None = None
    error: str | None = None


class TaskResult(WireEnum):
    """How a completed task ended."""

    SUCCESS = "success"
    FAILURE = "failure"


class NodeTaskState(WireEnum):
    """The states of preparation, release and start tasks on a node."""

    RUNNING = "running"
    COMPLETED = "completed"


class NodeTaskExecutionInfo(BatchModel):
    """How a preparation, release or start task went on a node."""

    state: NodeTaskState = NodeTaskState.RUNNING
    start_time: datetime
    end_time: datetime | None = None
    exit_code: int | None = None
    container_info: ContainerExecutionInfo | None = None
    failure_info: FailureInfo | None = None
    retry_count: int = 0
    last_retry_time: datetime | None = None
    result: TaskResult | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet, retries included."""
        return self.state is NodeTaskState.RUNNING

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.result is TaskResult.SUCCESS


class StartTask(NodeTask):
    """What runs on a node before it takes tasks: https://learn.microsoft.com/azure/batch/nodes-and-pools#start-task."""

    max_task_retry_count: int = Field(default=0, ge=-1)
    wait_for_success: StrictBool = True
