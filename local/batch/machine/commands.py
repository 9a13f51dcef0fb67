"""What the machine tells nodes to do, and what nodes report."""

from __future__ import annotations

from dataclasses import dataclass

from local.batch.models.common import FailureInfo
from local.batch.models.job import Job
from local.batch.models.node_task import ContainerExecutionInfo, NodeTask
from local.batch.models.pool import Pool
from local.batch.models.usage import Usage


@dataclass(frozen=True)
class TaskRun:
    """One start of a task of a job; what every report and every stop refers to."""

    job_id: str
    task_id: str
    run: int


@dataclass(frozen=True)
class PreparationRun:
    """One start of a job's preparation task on a node."""

    job_id: str
    node_id: str
    run: int


@dataclass(frozen=True)
class ReleaseRun:
    """One start of a job's release task on a node."""

    job_id: str
    node_id: str
    run: int


@dataclass(frozen=True)
class StartTaskRun:
    """One start of a pool's start task on a node."""

    pool_id: str
    node_id: str
    run: int


Run = TaskRun | PreparationRun | ReleaseRun | StartTaskRun


@dataclass(frozen=True)
class RunTask:
    """Run a task of whatever kind: resource files, command, output files.

    Output files are left out if the task will be tried again. A retry on the node where the task has its directory
    finds that as it is; its resource files are not downloaded again. A start task belongs to no job.
    """

    run: Run
    task: NodeTask
    task_id: str
    pool: Pool
    node_id: str
    job: Job | None = None
    retries_left: bool = False
    is_retry: bool = False


@dataclass(frozen=True)
class StopTask:
    """Stop the processes of a running task; the node then reports its end as usual.

    Without `uploads` its output files are left where they are, because it will run again or its node is gone.
    """

    run: Run
    uploads: bool = True


@dataclass(frozen=True)
class RemoveTaskDirectory:
    """Remove the files of a task that was deleted, once it no longer runs."""

    pool_id: str
    node_id: str
    job_id: str
    task_id: str


@dataclass(frozen=True)
class RemoveNode:
    """Stop everything on a node, and remove everything that lies there."""

    pool_id: str
    node_id: str


@dataclass(frozen=True)
class BootNode:
    """Have the directories that every node has."""

    pool_id: str
    node_id: str


@dataclass(frozen=True)
class RebootNode:
    """End everything that runs on a node, without a report; what lies there stays."""

    pool_id: str
    node_id: str


@dataclass(frozen=True)
class LoseNode:
    """Be a node that has died: end all its processes at once, upload and report nothing more, lose its files."""

    pool_id: str
    node_id: str


Command = RunTask | StopTask | RemoveTaskDirectory | BootNode | RemoveNode | RebootNode | LoseNode


@dataclass(frozen=True)
class TaskEnd:
    """The end of one run of a task, as the node saw it.

    `failure` is set where something other than the exit code is to blame: the command could not be started (there is no
    exit code then), or an output file could not be uploaded. `used` is None where it cannot be measured.
    """

    exit_code: int | None = None
    failure: FailureInfo | None = None
    container: ContainerExecutionInfo | None = None
    used: Usage | None = None
