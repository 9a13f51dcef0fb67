"""How a task's container is created: the arguments that the node gives, and after them the task's own.

https://learn.microsoft.com/azure/batch/batch-docker-container-workloads
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.batch.models.job import Job
from local.batch.models.node_task import (
    AutoUserScope,
    ContainerHostDataPath,
    ContainerSettings,
    ContainerWorkingDirectory,
    NodeTask,
)
from local.batch.node.command_line import split_command_line
from local.batch.node.directories import TaskDirectories
from local.batch.node.engine_variables import READ_BY_ENGINES
from local.batch.node.run_options import RunOptions
from local.batch.node.task_user import TaskUser

ROOT = TaskUser(0, 0)


def user_in_container(task: NodeTask, unprivileged: TaskUser) -> TaskUser:
    """Return who a task is in its container unless its run options say otherwise.

    An administrator of the pool's scope is root; any other task is the unprivileged user that it is on the node.
    """
    auto_user = task.user_identity.auto_user if task.user_identity else None
    of_pool = auto_user is not None and auto_user.scope is AutoUserScope.POOL
    return ROOT if task.is_admin and of_pool else unprivileged


@dataclass(frozen=True)
class NewContainer:
    """A container to be made for a task: its name, who the task is in it, what it sees of the node.

    `placing` are the engine's arguments for the cgroup that it is put into.
    """

    name: str
    task: NodeTask
    settings: ContainerSettings
    user: TaskUser
    mounts: tuple[str, ...]
    working_directory: Path
    placing: tuple[str, ...] = ()

    def arguments(self, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Return the arguments of `create`; PreProcessingError if command line or run options cannot be read.

        Containers share this machine's network, for storage and Batch are on its loopback.
        """
        options = RunOptions.of(self.settings)
        in_image = self.settings.working_directory is ContainerWorkingDirectory.CONTAINER_IMAGE_DEFAULT
        directory = None if in_image else str(self.working_directory)
        own = [f"{name}={value}" for name, value in options.variables.items()]
        return (
            *("--name", self.name, "--pull=never"),
            *(() if options.choose_cgroup else self.placing),
            *_option("--network", options.network or "host"),
            *_option("--user", options.user or f"{self.user.user_id}:{self.user.group_id}"),
            *_option("--workdir", options.working_directory or directory),
            *(argument for mount in self.mounts for argument in ("--volume", mount)),
            *(argument for value in environment_arguments(variables) + own for argument in ("--env", value)),
            *_option("--entrypoint", options.entry_point),
            *options.others,
            self.settings.image_name,
            *split_command_line(self.task.command_line),
        )


def environment_arguments(variables: Mapping[str, str]) -> list[str]:
    """Return what `--env` gets for each variable: its name; its value only where engines would take it as theirs."""
    return [f"{name}={value}" if name in READ_BY_ENGINES else name for name, value in variables.items()]


def handed_over(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are handed over in the environment of the engine's command."""
    return {name: value for name, value in variables.items() if name not in READ_BY_ENGINES}


def bind_mounts(settings: ContainerSettings, directories: TaskDirectories, job: Job | None) -> tuple[str, ...]:
    """Return what a container sees of the node, under the node's own paths: all of it, unless the task names parts.

    Without the task's own directory its working directory is an empty one of the container's, as Docker would make it.
    """
    if settings.container_host_batch_bind_mounts is None:
        return (f"{directories.node}:{directories.node}",)
    sources = {mount.source for mount in settings.container_host_batch_bind_mounts}
    mounts = [] if ContainerHostDataPath.TASK in sources else [str(directories.working)]
    for mount in settings.container_host_batch_bind_mounts:
        path = _path_of(mount.source, directories, job)
        if path is not None:
            mounts.append(f"{path}:{path}" + (":ro" if mount.is_read_only else ""))
    return tuple(mounts)


def _path_of(source: ContainerHostDataPath, directories: TaskDirectories, job: Job | None) -> Path | None:
    preparation = job.job_preparation_task if job else None
    paths = {
        ContainerHostDataPath.SHARED: directories.shared,
        ContainerHostDataPath.STARTUP: directories.startup,
        ContainerHostDataPath.VFS_MOUNTS: directories.mounts,
        ContainerHostDataPath.TASK: directories.task,
        ContainerHostDataPath.APPLICATIONS: directories.applications,
        ContainerHostDataPath.JOB_PREP: directories.sibling(preparation.id) if preparation else None,
    }
    return paths[source]


def _option(name: str, value: str | None) -> tuple[str, ...]:
    return (name, value) if value is not None else ()
