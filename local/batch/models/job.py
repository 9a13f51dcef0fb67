"""Jobs: https://learn.microsoft.com/rest/api/batchservice/jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StrictBool

from local.batch.models.auto_pool import AutoPoolSpecification
from local.batch.models.common import (
    UNLIMITED,
    BatchModel,
    DisplayName,
    Duration,
    Json,
    MetadataItem,
    NameValuePair,
    ResourceId,
    WireEnum,
)
from local.batch.models.node_task import NodeTask, NodeTaskExecutionInfo
from local.batch.models.task import DEFAULT_RETENTION, TaskConstraints


class JobState(WireEnum):
    """The states of a job; only active ones run tasks."""

    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


class AllTasksCompleteMode(WireEnum):
    """What happens once no task of a job is left to run."""

    NO_ACTION = "noaction"
    TERMINATE_JOB = "terminatejob"


class TaskFailureMode(WireEnum):
    """Whether the job actions of exit conditions are performed."""

    NO_ACTION = "noaction"
    PERFORM_EXIT_OPTIONS_JOB_ACTION = "performexitoptionsjobaction"


class DisableTasks(WireEnum):
    """What happens to the running tasks of a job that is disabled."""

    REQUEUE = "requeue"
    TERMINATE = "terminate"
    WAIT = "wait"


class TerminateReason:
    """Reasons that the service itself gives for the end of a job; a user may give any text."""

    ALL_TASKS_COMPLETE = "AllTasksComplete"
    MAX_WALL_CLOCK_TIME_EXPIRY = "MaxWallClockTimeExpiry"
    TASK_FAILED = "TaskFailed"
    TERMINATE_JOB_SCHEDULE = "TerminateJobSchedule"
    USER_TERMINATE = "UserTerminate"


class JobConstraints(BatchModel):
    """Limits of a job; the number of retries holds for tasks that do not give their own."""

    max_wall_clock_time: Duration = UNLIMITED
    max_task_retry_count: int = Field(default=0, ge=-1)


class PoolInfo(BatchModel):
    """Where a job runs; the pool need not exist."""

    pool_id: ResourceId | None = None
    auto_pool_specification: AutoPoolSpecification | None = None


Priority = Annotated[int, Field(ge=-1000, le=1000)]
UNLIMITED_PARALLEL_TASKS = -1


def _not_zero(value: int) -> int:
    if value == 0:
        msg = "The value of maxParallelTasks must be -1 or greater than 0."
        raise ValueError(msg)
    return value


ParallelTasks = Annotated[int, Field(ge=-1), AfterValidator(_not_zero)]
LONGEST_RELEASE = timedelta(minutes=15)


class JobPreparationTask(NodeTask):
    """What runs on a node before the first task of the job there."""

    id: ResourceId = "jobpreparation"
    constraints: TaskConstraints = TaskConstraints()
    wait_for_success: StrictBool = True
    rerun_on_node_reboot_after_success: StrictBool = True


class JobReleaseTask(NodeTask):
    """What runs when the job ends, on the nodes that its tasks ran on."""

    id: ResourceId = "jobrelease"
    max_wall_clock_time: Duration = Field(default=LONGEST_RELEASE, le=LONGEST_RELEASE)
    retention_time: Duration = DEFAULT_RETENTION


class JobOnNode(BatchModel):
    """What a job has on a node: how its preparation and release tasks went there.

    `run` counts their starts, so that a late report of an earlier one is told apart.
    """

    pool_id: str
    node_id: str
    preparation: NodeTaskExecutionInfo | None = None
    release: NodeTaskExecutionInfo | None = None
    ran_tasks: bool = False
    run: int = 0

    @property
    def id(self) -> str:
        """What listings are ordered by."""
        return self.node_id


class JobReplace(BatchModel):
    """What PUT replaces: a property that is left out gets its default."""

    priority: Priority = 0
    allow_task_preemption: StrictBool = False
    max_parallel_tasks: ParallelTasks = UNLIMITED_PARALLEL_TASKS
    constraints: JobConstraints = JobConstraints()
    pool_info: PoolInfo
    on_all_tasks_complete: AllTasksCompleteMode = AllTasksCompleteMode.NO_ACTION
    metadata: tuple[MetadataItem, ...] | None = None
    network_configuration: Json = None


class JobUpdate(BatchModel):
    """What PATCH can change; None leaves a property as it is."""

    priority: Priority | None = None
    allow_task_preemption: StrictBool | None = None
    max_parallel_tasks: ParallelTasks | None = None
    constraints: JobConstraints | None = None
    pool_info: PoolInfo | None = None
    on_all_tasks_complete: AllTasksCompleteMode | None = None
    metadata: tuple[MetadataItem, ...] | None = None
    network_configuration: Json = None


class JobSpecification(BatchModel):
    """What jobs are made by, of whatever id."""

    display_name: DisplayName | None = None
    uses_task_dependencies: StrictBool = False
    priority: Priority = 0
    allow_task_preemption: StrictBool = False
    max_parallel_tasks: ParallelTasks = UNLIMITED_PARALLEL_TASKS
    constraints: JobConstraints = JobConstraints()
    job_manager_task: Json = None
    job_preparation_task: JobPreparationTask | None = None
    job_release_task: JobReleaseTask | None = None
    common_environment_settings: tuple[NameValuePair, ...] = ()
    pool_info: PoolInfo
    on_all_tasks_complete: AllTasksCompleteMode = AllTasksCompleteMode.NO_ACTION
    on_task_failure: TaskFailureMode = TaskFailureMode.NO_ACTION
    network_configuration: Json = None
    metadata: tuple[MetadataItem, ...] | None = None


class JobCreate(JobSpecification):
    """What a client gives to create a job."""

    id: ResourceId


class JobExecutionInfo(BatchModel):
    """How a job went."""

    start_time: datetime
    end_time: datetime | None = None
    pool_id: str
    terminate_reason: str | None = None


class Job(JobSpecification):
    """A job as the service shows it. `settles_at` is when the state that it is passing through may end.

    The id of a job that a schedule has made is that of the schedule with a number: `nightly:job-1`.
    """

    local_fields: ClassVar[frozenset[str]] = frozenset({"settles_at", "on_nodes", "schedule_id"})

    id: str
    e_tag: str
    last_modified: datetime
    creation_time: datetime
    state: JobState = JobState.ACTIVE
    state_transition_time: datetime
    previous_state: JobState | None = None
    previous_state_transition_time: datetime | None = None
    execution_info: JobExecutionInfo
    settles_at: datetime | None = None
    on_nodes: tuple[JobOnNode, ...] = ()
    schedule_id: str | None = None

    @property
    def pool_id(self) -> str:
        """The id of the pool that the job names or has of its own, whether or not such a pool exists."""
        return self.execution_info.pool_id

    def moved(self, state: JobState, now: datetime) -> Job:
        """The job in another state."""
        return self.changed(
            state=state,
            state_transition_time=now,
            previous_state=self.state,
            previous_state_transition_time=self.state_transition_time,
        )


class DisableOptions(BatchModel):
    """The body of `disable`."""

    disable_tasks: DisableTasks


class TerminateOptions(BatchModel):
    """The body of `terminate`."""

    terminate_reason: str = TerminateReason.USER_TERMINATE
