"""The processes of a task: one group, which starts and ends as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from local.batch.failures import FailureCode
from local.batch.node.command_line import Execution
from local.batch.node.directories import TaskDirectories
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.task_user import check_enterable

SIGNALLED = 128
"""Exit codes of processes that a signal ended start here, as shells and Docker have it."""


class ProcessGroup:
    """The running processes of a task."""

    def __init__(self, leader: asyncio.subprocess.Process) -> None:
        self._leader = leader

    @property
    def id(self) -> int:
        """The id of the group, which is the id of its first process."""
        return self._leader.pid

    async def wait(self) -> int:
        """Wait for the first process to end, and return its exit code; nothing of the group is left after that.

        If the wait is cancelled, the first process is ended as well.
        """
        try:
            code = await self._leader.wait()
        finally:
            self.kill()
        return code if code >= 0 else SIGNALLED - code

    def kill(self) -> None:
        """End all processes of the group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.id, signal.SIGKILL)


async def start_process(
    execution: Execution, environment: Mapping[str, str], directories: TaskDirectories
) -> ProcessGroup:
    """Start a task's program in a group and session of its own, its output in the task's files.

    PreProcessingError if there is no such program, or it cannot be executed, or its user cannot get at its directory.
    """
    user = execution.user
    try:
        if user:
            check_enterable(execution.directory, user)
        with directories.stdout.open("wb") as stdout, directories.stderr.open("wb") as stderr:
            creation = asyncio.create_subprocess_exec(
                *execution.arguments,
                cwd=execution.directory,
                env={**environment, **execution.variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                user=user.user_id if user else None,
                group=user.group_id if user else None,
                extra_groups=[] if user else None,
            )
            return await _group_of(asyncio.ensure_future(creation))
    except FileNotFoundError as error:
        raise PreProcessingError(FailureCode.COMMAND_PROGRAM_NOT_FOUND.info(Message=str(error))) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in an argument
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=str(error))) from error


async def _group_of(creation: asyncio.Future[asyncio.subprocess.Process]) -> ProcessGroup:
    """Wait for a process to be there; if that is cancelled meanwhile, end it with all that it has begun."""
    try:
        return ProcessGroup(await asyncio.shield(creation))
    except asyncio.CancelledError:
        ProcessGroup(await creation).kill()
        raise
