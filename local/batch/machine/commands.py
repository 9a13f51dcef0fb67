"""What the machine tells nodes to do, and what nodes report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.batch.models.common import FailureInfo
    from local.batch.models.job import Job
    from local.batch.models.task import ContainerExecutionInfo, Task


@dataclass(frozen=True)
class TaskRun:
    """One start of a task on a node; what every report and every stop refers to."""

    job_id: str
    task_id: str
    run: int


@dataclass(frozen=True)
class StartTask:
    """Run a task: resource files, command, output files. Output files are left out if the task will be tried again."""

    run: TaskRun
    job: Job
    task: Task
    pool_id: str
    node_id: str
    retries_left: bool


@dataclass(frozen=True)
class StopTask:
    """Stop the processes of a running task; the node then reports its end as usual."""

    run: TaskRun


@dataclass(frozen=True)
class RemoveTaskDirectory:
    """Remove the files of a task that was deleted, once it no longer runs."""

    pool_id: str
    node_id: str
    job_id: str
    task_id: str


@dataclass(frozen=True)
class RemoveNode:
    """Remove everything that lies on a node."""

    pool_id: str
    node_id: str


@dataclass(frozen=True)
class LoseNode:
    """Be a node that has died: end all its processes at once, upload and report nothing more, lose its files."""

    pool_id: str
    node_id: str


Command = StartTask | StopTask | RemoveTaskDirectory | RemoveNode | LoseNode


@dataclass(frozen=True)
class TaskEnd:
    """The end of one run of a task, as the node saw it.

    `failure` is set where something other than the exit code is to blame: the command could not be started (there is no
    exit code then), or an output file could not be uploaded.
    """

    exit_code: int | None = None
    failure: FailureInfo | None = None
    container: ContainerExecutionInfo | None = None
