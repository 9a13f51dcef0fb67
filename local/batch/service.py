"""One account at work: the machine driven by real time, its changes stored, its commands carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from local.batch.machine.account import Account
from local.batch.machine.commands import Run, TaskEnd
from local.batch.machine.limits import Limits
from local.batch.models.node import UploadLogs
from local.batch.models.pool import Pool
from local.batch.node.agent import Agent
from local.batch.node.task_process import NodeSettings
from local.batch.store import Store

T = TypeVar("T")


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class BatchService:
    """The account and everything that keeps it going; all of it on one event loop."""

    def __init__(self, store: Store, nodes: NodeSettings, limits: Limits) -> None:
        self.limits = limits
        self.nodes = nodes
        self._account = Account(utc_now, limits=limits)
        self._store = store
        self._agent = Agent(nodes, self._task_ended)
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Take up what the store holds; tasks that ran when the last service went away are run again."""
        self._agent.remove_leftovers()
        stored = self._store.load()
        self.do(lambda account: account.restore(stored.pools, stored.jobs, stored.tasks, stored.schedules))

    async def close(self) -> None:
        """End all processes and close the store; what nodes are telling of their uploads may end within seconds."""
        if self._timer:
            self._timer.cancel()
        await self._agent.close()
        if self.nodes.events:
            await self.nodes.events.close()
        self._store.close()

    def do(self, operation: Callable[[Account], T]) -> T:
        """Do something to the account; when this returns it is stored, and nodes have begun what follows from it."""
        self._account.advance()
        try:
            return operation(self._account)
        finally:
            self._account.advance()
            self._store.write(self._account.take_changes())
            for command in self._account.take_commands():
                self._agent.execute(command)
            self._set_timer()

    def upload_logs(self, pool: Pool, node_id: str, request: UploadLogs) -> tuple[str, int]:
        """Have a node upload its agent's log; return the folder in the container and the number of files."""
        return self._agent.upload_logs(pool, node_id, request)

    def _task_ended(self, run: Run, end: TaskEnd) -> None:
        self.do(lambda account: account.end_task(run, end))

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if at := self._account.next_alarm():
            delay = max(0.0, (at - utc_now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(delay, self.do, lambda _: None)
