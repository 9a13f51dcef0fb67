"""What is executed for a task: its command line, which no shell ever sees."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from local.batch.failures import FailureCode
from local.batch.models.node_task import ContainerSettings, ContainerWorkingDirectory, NodeTask
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.run_options import RunOptions
from local.batch.node.task_user import TaskUser, service_is_root, user_of

CONTAINER_ROOT = Path("/")


@dataclass(frozen=True)
class Execution:
    """A program with its arguments, where it runs and as whom (None: the service's user), and variables of its own."""

    arguments: tuple[str, ...]
    directory: Path
    user: TaskUser | None
    variables: dict[str, str]


def split_command_line(command_line: str) -> tuple[str, ...]:
    """Return the arguments of a command line; PreProcessingError if it cannot be read."""
    try:
        return tuple(shlex.split(command_line))
    except ValueError as error:
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=str(error))) from error


def execution_of(task: NodeTask, working_directory: Path) -> Execution:
    """Return the process that runs for a task; for a container task, the one that its container would run.

    No image is ever looked at: without an entry point in the run options the command line itself is the command. Of the
    run options, entry point, environment, working directory and numeric users are honoured. PreProcessingError if
    either cannot be read.
    """
    arguments = split_command_line(task.command_line)
    if task.container_settings is None:
        return Execution(arguments, working_directory, user_of(task), {})
    return _in_container(task, task.container_settings, arguments, working_directory)


def _in_container(
    task: NodeTask, settings: ContainerSettings, arguments: tuple[str, ...], working_directory: Path
) -> Execution:
    options = RunOptions.of(settings)
    in_image = settings.working_directory is ContainerWorkingDirectory.CONTAINER_IMAGE_DEFAULT
    directory = CONTAINER_ROOT if in_image else working_directory
    if options.working_directory:
        directory = directory / options.working_directory
    entry_point = (options.entry_point,) if options.entry_point else ()
    command = (*entry_point, *arguments)
    if not command:
        message = "The command is the image's own entry point, which only a container engine knows: use --containers."
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=message))
    return Execution(command, directory, _user(task, options), options.variables)


def _user(task: NodeTask, options: RunOptions) -> TaskUser | None:
    ids = options.user_ids()
    if ids is None or not service_is_root():
        return user_of(task)
    return None if ids[0] == 0 else TaskUser(*ids)
