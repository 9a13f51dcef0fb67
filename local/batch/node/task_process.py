"""One run of a task on a node, from its resource files to its output files."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.batch.failures import FailureCode
from local.batch.machine.commands import TaskEnd
from local.batch.models.task import ContainerExecutionInfo
from local.batch.node.command_line import execution_of
from local.batch.node.directories import TaskDirectories
from local.batch.node.environment import task_environment
from local.batch.node.faults import REASON, NodeFaults
from local.batch.node.output_files import Uploader
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.process import start_process
from local.batch.node.resource_files import download_resource_files

if TYPE_CHECKING:
    from pathlib import Path

    from local.batch.machine.commands import StartTask
    from local.batch.node.blob_naming import BlobNaming
    from local.batch.node.environment import AccountInfo
    from local.batch.node.leftovers import Leftovers
    from local.batch.node.process import ProcessGroup


@dataclass
class NodeSettings:
    """What is the same for all nodes: where they keep their files, the account, how blobs are named, what fails.

    `naming` can be changed while nodes work; the next uploads go by it.
    """

    root: Path
    account: AccountInfo
    naming: BlobNaming
    faults: NodeFaults = field(default_factory=NodeFaults)


class TaskProcess:
    """A run of a task; `ended` is set once nothing of it runs any more."""

    def __init__(self, start: StartTask, settings: NodeSettings, leftovers: Leftovers) -> None:
        self.ended = asyncio.Event()
        self._start = start
        self._settings = settings
        self._leftovers = leftovers
        self._stopped = False
        self._group: ProcessGroup | None = None
        ids = (start.pool_id, start.node_id, start.job.id, start.task.id)
        self._directories = TaskDirectories.of(settings.root, *ids)
        self._environment = task_environment(start, self._directories, settings.account)

    @property
    def node_id(self) -> str:
        """The node that the task runs on."""
        return self._start.node_id

    def stop(self) -> None:
        """End the task's processes; if they have not started yet, they never will."""
        self._stopped = True
        if self._group:
            self._group.kill()

    async def run(self) -> TaskEnd:
        """Run the task to its end. Cancelling kills its processes."""
        try:
            return await self._run()
        except PreProcessingError as error:
            return TaskEnd(failure=error.failure)
        finally:
            self.ended.set()

    async def _run(self) -> TaskEnd:
        task = self._start.task
        self._directories.create()
        self._pull_image()
        await asyncio.to_thread(download_resource_files, task.resource_files, self._directories.working)
        if self._stopped:
            return TaskEnd(failure=FailureCode.TASK_ENDED.info())
        exit_code = await self._run_command()
        container = self._container_info()
        if exit_code and self._start.retries_left and not self._stopped:
            return TaskEnd(exit_code, container=container)
        uploader = Uploader(self._directories, self._environment, self._settings.naming, self._settings.faults)
        failure = await asyncio.to_thread(uploader.upload, task.output_files, exit_code)
        return TaskEnd(exit_code, failure, container)

    def _pull_image(self) -> None:
        container = self._start.task.container_settings
        if container and self._settings.faults.fails_pull(container.image_name):
            failure = FailureCode.CONTAINER_INVALID_IMAGE.info(ContainerImage=container.image_name, Message=REASON)
            raise PreProcessingError(failure)

    async def _run_command(self) -> int:
        execution = execution_of(self._start.task, self._directories.working)
        self._group = await start_process(execution, self._environment, self._directories)
        if self._stopped:  # meanwhile
            self._group.kill()
        with self._leftovers.noted(self._group.id, self._directories.task):
            return await self._group.wait()

    def _container_info(self) -> ContainerExecutionInfo | None:
        if self._start.task.container_settings is None:
            return None
        return ContainerExecutionInfo(container_id=uuid.uuid4().hex, state="exited", error="")
