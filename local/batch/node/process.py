"""The processes of a task: one group, which starts and ends as a whole, and those that have left it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from local.batch.failures import FailureCode
from local.batch.models.usage import Usage
from local.batch.node.command_line import Execution
from local.batch.node.directories import TaskDirectories
from local.batch.node.measuring import counters_of, is_alive, usage_of_ended, usage_of_followers
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.strays import kill_strays
from local.batch.node.task_user import check_enterable

SIGNALLED = 128
"""Exit codes of processes that a signal ended start here, as shells and Docker have it."""
DYING_POLLS = 1000
"""How often it is asked at most whether killed processes are dead: one that waits for a disk may never be."""
DYING_POLL_SECONDS = 0.005


class ProcessGroup:
    """The running processes of a task.

    A thread waits for the first one, as asyncio's own would, but looks at what it has used before it is forgotten.
    """

    def __init__(self, leader: subprocess.Popen[bytes], task_directory: Path) -> None:
        """Take a process that has just started as the leader of its group; it is this object that waits for it."""
        self._leader = leader
        self._task_directory = task_directory
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[tuple[int, Usage | None]] = self._loop.create_future()
        self._used: Usage | None = None
        self._used_by_followers: Usage | None = Usage()
        self._killed = False
        self._is_any_left = True
        threading.Thread(target=self._watch, name=f"task-{leader.pid}", daemon=True).start()

    @property
    def id(self) -> int:
        """The id of the group, which is the id of its first process."""
        return self._leader.pid

    @property
    def used(self) -> Usage | None:
        """What the group has used, once it has ended; None if that is not known.

        Not counted are processes that left the group, or that ended without anybody waiting for them before it did.
        """
        followers = self._used_by_followers
        return self._used + followers if self._used is not None and followers is not None else None

    async def wait(self) -> int:
        """Wait for the first process to end, and return its exit code; nothing of the task is left after that.

        If the wait is cancelled, the first process is ended as well.
        """
        try:
            code, self._used = await self._ended
        finally:
            self.kill()
        await self._wait_for_followers()
        return code if code >= 0 else SIGNALLED - code

    def kill(self) -> None:
        """End all processes of the task at once; those of the group are stopped first, to see what they have used."""
        with contextlib.suppress(ProcessLookupError):
            if not self._killed:
                os.killpg(self.id, signal.SIGSTOP)
                self._killed = True
                self._used_by_followers = usage_of_followers(self.id)
            os.killpg(self.id, signal.SIGKILL)
        self._is_any_left = kill_strays(self._task_directory)

    async def _wait_for_followers(self) -> None:
        """Wait for the others, which were killed, to be dead: until then they hold their files and ports.

        Once none was found they are not looked for again: nothing is left that could start one.
        """
        for _ in range(DYING_POLLS):
            if not self._is_any_left and not is_alive(self.id):
                break
            await asyncio.sleep(DYING_POLL_SECONDS)
            self._is_any_left = self._is_any_left and kill_strays(self._task_directory)

    def _watch(self) -> None:
        if sys.platform != "darwin":
            os.waitid(os.P_PID, self.id, os.WEXITED | os.WNOWAIT)
        counters = counters_of(self.id)
        _, status, used = os.wait4(self.id, 0)
        self._leader.returncode = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the service has ended
            self._loop.call_soon_threadsafe(self._note_end, usage_of_ended(counters, used))

    def _note_end(self, used: Usage | None) -> None:
        if not self._ended.done():
            self._ended.set_result((self._leader.returncode, used))


def start_process(execution: Execution, environment: Mapping[str, str], directories: TaskDirectories) -> ProcessGroup:
    """Start a task's program in a group and session of its own, its output in the task's files.

    PreProcessingError if there is no such program, or it cannot be executed, or its user cannot get at its directory.
    """
    user = execution.user
    try:
        if user:
            check_enterable(execution.directory, user)
        with directories.stdout.open("wb") as stdout, directories.stderr.open("wb") as stderr:
            leader = subprocess.Popen(
                execution.arguments,
                cwd=execution.directory,
                env={**environment, **execution.variables},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                user=user.user_id if user else None,
                group=user.group_id if user else None,
                extra_groups=[] if user else None,
            )
            return ProcessGroup(leader, directories.task)
    except FileNotFoundError as error:
        raise PreProcessingError(FailureCode.COMMAND_PROGRAM_NOT_FOUND.info(Message=str(error))) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in an argument
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=str(error))) from error
