"""Tasks: https://learn.microsoft.com/rest/api/batchservice/tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from local.batch.models.common import (
    UNLIMITED,
    BatchModel,
    DisplayName,
    Duration,
    FailureInfo,
    Json,
    NameValuePair,
    ResourceId,
    WireEnum,
)
from local.batch.models.node_task import ContainerExecutionInfo, IdentityReference, NodeTask, TaskResult
from local.batch.models.usage import TaskUsage

DEFAULT_RETENTION = timedelta(days=7)


class TaskState(WireEnum):
    """The states of a task: a preparing one has a node, where it waits for the job's preparation task."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


ON_NODE = frozenset({TaskState.PREPARING, TaskState.RUNNING})
"""The states in which a task takes up slots of a node."""


class JobAction(WireEnum):
    """What an exit condition does to the job."""

    NONE = "none"
    DISABLE = "disable"
    TERMINATE = "terminate"


class DependencyAction(WireEnum):
    """What an exit condition does to the tasks that depend on this one."""

    SATISFY = "satisfy"
    BLOCK = "block"


class UploadCondition(WireEnum):
    """When output files are uploaded."""

    TASK_SUCCESS = "tasksuccess"
    TASK_FAILURE = "taskfailure"
    TASK_COMPLETION = "taskcompletion"


class ExitOptions(BatchModel):
    """What happens on an exit condition; None is the service's default, which depends on the condition."""

    job_action: JobAction | None = None
    dependency_action: DependencyAction | None = None


class ExitCodeMapping(BatchModel):
    """What happens on one exit code."""

    code: int
    exit_options: ExitOptions


class ExitCodeRangeMapping(BatchModel):
    """What happens on exit codes from `start` to `end`, both included."""

    start: int
    end: int
    exit_options: ExitOptions


class ExitConditions(BatchModel):
    """What happens when the task completes, by the way it completed."""

    exit_codes: tuple[ExitCodeMapping, ...] = ()
    exit_code_ranges: tuple[ExitCodeRangeMapping, ...] = ()
    pre_processing_error: ExitOptions | None = None
    file_upload_error: ExitOptions | None = None
    default: ExitOptions | None = None

    def all_options(self) -> list[ExitOptions]:
        """Every option given, whatever its condition."""
        by_code = [mapping.exit_options for mapping in self.exit_codes]
        by_range = [mapping.exit_options for mapping in self.exit_code_ranges]
        single = (self.pre_processing_error, self.file_upload_error, self.default)
        return by_code + by_range + [options for options in single if options]


class BlobContainerDestination(BatchModel):
    """Where output files go: `path` is a folder if the pattern has wildcards, otherwise the blob's name."""

    container_url: str
    path: str | None = None
    identity_reference: IdentityReference | None = None
    upload_headers: tuple[NameValuePair, ...] = ()


class OutputFileDestination(BatchModel):
    """The service knows only one kind of destination."""

    container: BlobContainerDestination


class OutputFileUploadConfiguration(BatchModel):
    """When output files are uploaded."""

    upload_condition: UploadCondition


class OutputFile(BatchModel):
    """Files that the node uploads once the task's process has ended."""

    file_pattern: str
    destination: OutputFileDestination
    upload_options: OutputFileUploadConfiguration


class TaskConstraints(BatchModel):
    """Limits of a task; without a number of retries the job's holds."""

    max_wall_clock_time: Duration = UNLIMITED
    retention_time: Duration = DEFAULT_RETENTION
    max_task_retry_count: int | None = Field(default=None, ge=-1)


class TaskIdRange(BatchModel):
    """The tasks whose ids are the numbers from `start` to `end`, both included."""

    start: int
    end: int


class TaskDependencies(BatchModel):
    """The tasks that must have ended well before this one starts."""

    task_ids: tuple[str, ...] = ()
    task_id_ranges: tuple[TaskIdRange, ...] = ()


class AffinityInfo(BatchModel):
    """Where a task should rather run; nothing here depends on it."""

    affinity_id: str


class TaskCreate(NodeTask):
    """What a client gives to add a task."""

    id: ResourceId
    display_name: DisplayName | None = None
    exit_conditions: ExitConditions | None = None
    output_files: tuple[OutputFile, ...] = ()
    affinity_info: AffinityInfo | None = None
    constraints: TaskConstraints = TaskConstraints()
    required_slots: int = Field(default=1, ge=1)
    multi_instance_settings: Json = None
    depends_on: TaskDependencies | None = None
    application_package_references: Json = None
    authentication_token_settings: Json = None


class TaskReplace(BatchModel):
    """What PUT can change on a task: its constraints."""

    constraints: TaskConstraints = TaskConstraints()


class TaskExecutionInfo(BatchModel):
    """How a task went."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    exit_code: int | None = None
    container_info: ContainerExecutionInfo | None = None
    failure_info: FailureInfo | None = None
    result: TaskResult | None = None
    retry_count: int = 0
    last_retry_time: datetime | None = None
    requeue_count: int = 0
    last_requeue_time: datetime | None = None


class NodeInfo(BatchModel):
    """The node that a task runs on, or ran on last."""

    pool_id: str
    node_id: str


class Ending(WireEnum):
    """Why a running task is being stopped: for good, or to run again later."""

    ENDED = "ended"
    REQUEUED = "requeued"


class Task(TaskCreate):
    """A task as the service shows it.

    `run` counts the times that it was started, so that a late report of an earlier run is told apart; `ending` is set
    while it is being stopped; `retrying` while it waits to be started again after a failure. `usage` is what those of
    its runs have used that were measured.
    """

    local_fields: ClassVar[frozenset[str]] = frozenset({"run", "ending", "retrying", "usage"})

    e_tag: str
    last_modified: datetime
    creation_time: datetime
    state: TaskState = TaskState.ACTIVE
    state_transition_time: datetime
    previous_state: TaskState | None = None
    previous_state_transition_time: datetime | None = None
    execution_info: TaskExecutionInfo = TaskExecutionInfo()
    node_info: NodeInfo | None = None
    run: int = 0
    ending: Ending | None = None
    retrying: bool = False
    usage: TaskUsage | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the task has completed without any failure."""
        return self.execution_info.result is TaskResult.SUCCESS

    def moved(self, state: TaskState, now: datetime) -> Task:
        """The task in another state."""
        return self.changed(
            state=state,
            state_transition_time=now,
            previous_state=self.state,
            previous_state_transition_time=self.state_transition_time,
        )
