"""One run of a task on a node, from its resource files to its output files.

A retry on the same node uses the task's directory as it is, without downloading anything again:
https://github.com/Azure/Batch/issues/14
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from local.batch.failures import FailureCode
from local.batch.machine.commands import RunTask, StartTaskRun, TaskEnd
from local.batch.models.common import FailureInfo
from local.batch.models.node_task import ContainerExecutionInfo
from local.batch.models.task import Task
from local.batch.models.usage import Usage
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.command_line import execution_of
from local.batch.node.container import ContainerRun
from local.batch.node.container_engine import ContainerEngine
from local.batch.node.directories import START_TASK_ROOT, TaskDirectories, task_root
from local.batch.node.environment import AccountInfo, on_this_machine, task_variables
from local.batch.node.faults import REASON, NodeFaults
from local.batch.node.leftovers import Leftovers
from local.batch.node.output_files import Uploader
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.process import start_process
from local.batch.node.resource_files import EmptyPrefix, download_resource_files
from local.batch.node.storage import StorageAccess
from local.batch.node.storage_events import StorageEvents
from local.batch.node.task_user import own, with_account


@dataclass
class NodeSettings:
    """What is the same for all nodes: where they keep their files, the account, how blobs are named, what fails.

    Without an engine container tasks run as processes; without `events` nobody is told of the blobs that they leave.
    `naming`, `empty_prefix` and `completion_delay` can be changed while nodes work; the next uploads, downloads and
    ends go by them. `completion_delay` is the number of seconds from a task's uploads to the report of its end.
    """

    root: Path
    account: AccountInfo
    naming: BlobNaming
    empty_prefix: EmptyPrefix = EmptyPrefix.BRINGS_NOTHING
    faults: NodeFaults = field(default_factory=NodeFaults)
    engine: ContainerEngine | None = None
    completion_delay: float = 0
    events: StorageEvents | None = None


_Outcome = tuple[int, ContainerExecutionInfo | None, Usage | None]
"""The exit code of a program, the container that it ran in, and what it has used, if that is known."""


class Program(Protocol):
    """A task's program while it runs."""

    def kill(self) -> None:
        """End it with everything that it has started."""

    async def wait(self) -> int:
        """Wait for its end, and return its exit code."""


class TaskProcess:
    """A run of a task; `ended` is set once nothing of it runs any more."""

    def __init__(self, command: RunTask, settings: NodeSettings, leftovers: Leftovers) -> None:
        self.ended = asyncio.Event()
        self._command = command
        self._settings = settings
        self._leftovers = leftovers
        self._stopped = False
        self._uploads = True
        self._program: Program | None = None
        self._access = StorageAccess(command.pool)
        self._directories = _directories_of(command, settings.root)
        self._variables = task_variables(command, self._directories, settings.account)

    @property
    def pool_id(self) -> str:
        """The pool of that node."""
        return self._command.pool.id

    @property
    def node_id(self) -> str:
        """The node that the task runs on."""
        return self._command.node_id

    @property
    def directory(self) -> Path:
        """The directory of the task."""
        return self._directories.task

    def stop(self, *, uploads: bool = True) -> None:
        """End the task's processes; if they have not started yet, they never will. Without `uploads` nothing is."""
        self._stopped = True
        self._uploads = uploads
        if self._program:
            self._program.kill()

    async def run(self) -> TaskEnd:
        """Run the task to its end. Cancelling kills its processes."""
        try:
            return await self._run()
        except PreProcessingError as error:
            return TaskEnd(failure=error.failure)
        finally:
            self.ended.set()

    async def _run(self) -> TaskEnd:
        is_here = self._command.is_retry and self._directories.working.is_dir()
        self._directories.create()
        self._command = replace(self._command, task=with_account(self._command.task, self._command.pool))
        container = self._container()
        if container:
            await container.pull()
        if not is_here:
            await asyncio.to_thread(self._fetch_files)
        if self._stopped:
            return TaskEnd(failure=FailureCode.TASK_ENDED.info())
        exit_code, info, used = await (self._run_in(container) if container else self._run_as_process())
        if not self._uploads or (exit_code and self._command.retries_left and not self._stopped):
            return TaskEnd(exit_code, container=info, used=used)
        return TaskEnd(exit_code, await self._leave_outputs(exit_code), info, used)

    def _container(self) -> ContainerRun | None:
        """Return the container to run in; PreProcessingError if its image shall not be had.

        So it is if the pool has containers and the task none, or the other way round: the service takes such a task,
        and it fails (azure-sdk-for-net, CloudTaskLinuxIntegrationTests.TestContainerTask).
        """
        task, pool, engine = self._command.task, self._command.pool, self._settings.engine
        settings = task.container_settings
        if settings is None:
            if pool.container_configuration and isinstance(task, Task):
                raise PreProcessingError(FailureCode.CONTAINER_TASK_SETTINGS_NOT_FOUND.info())
            return None
        if not pool.container_configuration:
            raise PreProcessingError(FailureCode.CONTAINER_POOL_NOT_SUPPORTED.info())
        if self._settings.faults.fails_pull(settings.image_name):
            failure = FailureCode.CONTAINER_INVALID_IMAGE.info(ContainerImage=settings.image_name, Message=REASON)
            raise PreProcessingError(failure)
        return ContainerRun(engine, self._command, settings) if engine else None

    def _fetch_files(self) -> None:
        files = self._command.task.resource_files
        download_resource_files(files, self._directories.working, self._access, self._settings.empty_prefix)

    async def _run_as_process(self) -> _Outcome:
        task = self._command.task
        execution = execution_of(task, self._directories.working)
        if execution.user:
            await asyncio.to_thread(own, self._directories.task, execution.user)
        variables = on_this_machine(self._variables, self._directories)
        group = start_process(execution, variables, self._directories)
        with self._leftovers.noted(group.id, self._directories.task):
            exit_code = await self._wait_for(group)
        info = ContainerExecutionInfo(container_id=uuid.uuid4().hex, state="exited", error="")
        return exit_code, info if task.container_settings else None, group.used

    async def _run_in(self, container: ContainerRun) -> _Outcome:
        try:
            running = await container.start(self._variables, self._directories, self._leftovers)
            exit_code = await self._wait_for(running)
            info = await container.ended(self._directories)
        finally:
            await container.remove(self._leftovers)
        return exit_code, info, container.used

    async def _wait_for(self, program: Program) -> int:
        self._program = program
        if self._stopped:  # meanwhile
            program.kill()
        return await program.wait()

    async def _leave_outputs(self, exit_code: int) -> FailureInfo | None:
        """Upload the output files, and return the first failure, as late as ends shall be reported."""
        task, settings = self._command.task, self._settings
        if not isinstance(task, Task):
            return None
        variables = on_this_machine(self._variables, self._directories)
        uploader = Uploader(self._directories, variables, settings.naming, settings.faults, self._access)
        failure = await asyncio.to_thread(uploader.upload, task.output_files, exit_code)
        if settings.events:
            settings.events.tell(uploader.created)
        await asyncio.sleep(settings.completion_delay)
        return failure


def _directories_of(command: RunTask, root: Path) -> TaskDirectories:
    is_start_task = isinstance(command.run, StartTaskRun) or command.job is None
    below = START_TASK_ROOT if command.job is None or is_start_task else task_root(command.job.id, command.task_id)
    return TaskDirectories.of(root, command.pool.id, command.node_id, below)
