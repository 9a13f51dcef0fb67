"""What is executed for a task: its command line, which no shell ever sees."""

from __future__ import annotations

import shlex
from argparse import ArgumentError, ArgumentParser
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.batch.failures import FailureCode
from local.batch.node.pre_processing import PreProcessingError

if TYPE_CHECKING:
    from pathlib import Path

    from local.batch.models.task import ContainerSettings, Task

IMAGE_DEFAULT_WORKING_DIRECTORY = "containerimagedefault"


@dataclass(frozen=True)
class Execution:
    """A program with its arguments, where it runs, and variables of its own."""

    arguments: tuple[str, ...]
    directory: Path
    variables: dict[str, str]


def execution_of(task: Task, working_directory: Path) -> Execution:
    """Return what is executed for a task; for a container task, what its container would execute.

    No image is ever looked at: without an entry point in the run options the command line itself is the command. Of the
    run options, entry point, environment and working directory are honoured. PreProcessingError if either cannot be
    read.
    """
    try:
        arguments = tuple(shlex.split(task.command_line))
    except ValueError as error:
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=str(error))) from error
    if task.container_settings is None:
        return Execution(arguments, working_directory, {})
    return _in_container(task.container_settings, arguments, working_directory)


def _in_container(settings: ContainerSettings, arguments: tuple[str, ...], working_directory: Path) -> Execution:
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--entrypoint")
    parser.add_argument("-e", "--env", action="append", default=[])
    parser.add_argument("-w", "--workdir")
    try:
        options, _ = parser.parse_known_args(shlex.split(settings.container_run_options or ""))
    except (ArgumentError, ValueError) as error:
        raise PreProcessingError(FailureCode.CONTAINER_INVALID_SETTINGS.info(Message=str(error))) from error
    directory = working_directory
    if (settings.working_directory or "").lower() == IMAGE_DEFAULT_WORKING_DIRECTORY:
        directory = working_directory.__class__("/")
    if options.workdir:
        directory = directory / options.workdir
    entry_point = (options.entrypoint,) if options.entrypoint else ()
    variables = dict(setting.split("=", 1) for setting in options.env if "=" in setting)
    return Execution((*entry_point, *arguments), directory, variables)
