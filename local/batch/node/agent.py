"""The agent of all nodes: carries out the machine's commands and reports the ends of tasks."""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path

from local.batch.failures import FailureCode
from local.batch.machine.commands import (
    BootNode,
    Command,
    LoseNode,
    RebootNode,
    RemoveNode,
    RemoveTaskDirectory,
    Run,
    RunTask,
    StopTask,
    TaskEnd,
)
from local.batch.models.node import UploadLogs
from local.batch.models.pool import Pool
from local.batch.node.agent_logs import AgentLogs, upload_logs
from local.batch.node.directories import TaskDirectories, create_node, node_directory, task_root
from local.batch.node.leftovers import Leftovers
from local.batch.node.storage import StorageAccess
from local.batch.node.task_process import NodeSettings, TaskProcess

log = logging.getLogger(__name__)


class Agent:
    """Runs tasks below `settings.root`; `report` gets the end of every run, on the event loop."""

    def __init__(self, settings: NodeSettings, report: Callable[[Run, TaskEnd], None]) -> None:
        self._settings = settings
        self._report = report
        self._leftovers = Leftovers(settings.root)
        self._logs = AgentLogs(settings.root)
        self._processes: dict[Run, TaskProcess] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._dying: dict[str, asyncio.Task[None]] = {}

    def remove_leftovers(self) -> None:
        """End what an earlier service left running when it was killed, and remove what that left."""
        self._leftovers.remove_all()

    def execute(self, command: Command) -> None:
        """Begin to carry out a command; returns at once."""
        self._log(command)
        match command:
            case RunTask():
                process = TaskProcess(command, self._settings, self._leftovers)
                self._processes[command.run] = process
                self._runs[command.run] = self._begin(self._run(command.run, process))
                self._runs[command.run].add_done_callback(lambda work: self._forget(command.run, work))
            case StopTask(run, uploads):
                self._stop(run, uploads=uploads)
            case RemoveTaskDirectory():
                self._begin(self._remove_task_directory(command))
            case BootNode():
                self._begin(self._boot(command))
            case RemoveNode() | RebootNode() | LoseNode():
                dying = self._dying.get(command.node_id)
                self._dying[command.node_id] = self._begin(self._end_node(command, dying))

    def upload_logs(self, pool: Pool, node_id: str, request: UploadLogs) -> tuple[str, int]:
        """Begin to upload a node's log; return the folder and the number of files. What goes wrong later is logged."""
        files = self._logs.wanted(pool.id, node_id, request)
        folder = f"{pool.id}/{node_id}/{uuid.uuid4()}"
        self._begin(asyncio.to_thread(upload_logs, files, folder, request, StorageAccess(pool)))
        return folder, len(files)

    async def close(self) -> None:
        """End all processes; nothing is reported of them, so that they count as running."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _stop(self, run: Run, *, uploads: bool) -> None:
        if process := self._processes.get(run):
            process.stop(uploads=uploads)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._work.discard(work)
        if not work.cancelled() and (error := work.exception()):
            log.error("The node agent failed: %s", error, exc_info=error)

    async def _run(self, run: Run, process: TaskProcess) -> None:
        if dying := self._dying.get(process.node_id):  # the node is back before all of its past is gone
            await asyncio.wait({dying})
        end = await process.run()
        self._logs.add(process.pool_id, process.node_id, f"{run}: ended, exit code {end.exit_code}")
        self._report(run, end)

    def _log(self, command: Command) -> None:
        match command:
            case RunTask(run=run, pool=pool, node_id=node_id):
                self._logs.add(pool.id, node_id, f"{run}: begins")
            case BootNode(pool_id, node_id) | RebootNode(pool_id, node_id):
                self._logs.add(pool_id, node_id, type(command).__name__)
            case RemoveNode(pool_id, node_id) | LoseNode(pool_id, node_id):
                self._logs.forget(pool_id, node_id)

    def _forget(self, run: Run, work: asyncio.Task[None]) -> None:
        """Note that nothing of a run is left; it may have been cancelled before its first step.

        If the agent itself has failed, which `_ended` logs, the task fails: it would be running for ever.
        """
        self._processes.pop(run).ended.set()
        del self._runs[run]
        if not work.cancelled() and (error := work.exception()):
            self._report(run, TaskEnd(failure=FailureCode.UNKNOWN.info(Message=str(error))))

    async def _boot(self, node: BootNode) -> None:
        """Make a node's directories, once all of its past is gone."""
        if dying := self._dying.get(node.node_id):
            await asyncio.wait({dying})
        create_node(node_directory(self._settings.root, node.pool_id, node.node_id))

    async def _end_node(self, node: RemoveNode | RebootNode | LoseNode, dying: asyncio.Task[None] | None) -> None:
        """End whatever runs on a node, without a report, and remove its files unless it only reboots.

        It may be dying already.
        """
        runs = [self._runs[run] for run, process in self._processes.items() if process.node_id == node.node_id]
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        if dying:
            await asyncio.wait({dying})
        if not isinstance(node, RebootNode):
            await _remove(node_directory(self._settings.root, node.pool_id, node.node_id))

    async def _remove_task_directory(self, command: RemoveTaskDirectory) -> None:
        below = task_root(command.job_id, command.task_id)
        directory = TaskDirectories.of(self._settings.root, command.pool_id, command.node_id, below).task
        for process in list(self._processes.values()):
            if process.directory == directory:
                await process.ended.wait()
        await _remove(directory)


async def _remove(directory: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
