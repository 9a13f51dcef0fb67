"""What Batch reports about the tasks of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from azure.batch.models import BatchTaskExecutionResult, BatchTaskState
from azure.core.exceptions import AzureError, HttpResponseError

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.batch.models import BatchTask

_OF_TASKS = ["id", "displayName", "state", "executionInfo"]
_NOT_FOUND, _CONFLICT = 404, 409
STREAMS = ("stdout.txt", "stderr.txt")
ASK_AGAIN_SECONDS = 60
"""For so long an account that has refused or has not answered is not asked again: it may take minutes each time."""
Answer = TypeVar("Answer")


class BatchHidden(Exception):  # noqa: N818 - what is so, not what went wrong
    """Batch refuses or does not answer, as the message says: what it knows of a run cannot be seen, the rest can."""


@dataclass(frozen=True)
class TaskView:
    """A task as Batch reports it; `exit_code` is None unless the task ended with one.

    `restarts` is how often Batch says that it has begun it anew. Nodes that failed or were preempted are not counted;
    `started` tells each start from the one before.
    """

    name: str
    state: BatchTaskState
    exit_code: int | None = None
    job_id: str = ""
    id: str = ""
    failed: bool = False
    restarts: int = 0
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended, successfully or not."""
        return self.state == BatchTaskState.COMPLETED

    @property
    def fan_out(self) -> str:
        """The id of the task in the manifest, which for an item of a fan-out is the part before `[<index>]`."""
        return self.name.partition("[")[0]


class BatchTasks:
    """The Batch account, for those who read about tasks; without one (`client` is None) there are none.

    All methods raise BatchHidden, with the reason as `words` puts it.
    """

    def __init__(self, client: BatchClient | None, words: Callable[[AzureError], str]) -> None:
        self._client = client
        self._words = words
        self._hidden = ""
        self._ask_again = 0.0

    @property
    def is_there(self) -> bool:
        """Whether there is a Batch account to ask."""
        return self._client is not None

    def of_job(self, job_id: str) -> tuple[TaskView, ...]:
        """The tasks of a job; none if the job is being created or has been deleted."""
        found = self._ask(lambda batch: list(batch.list_tasks(job_id, select=_OF_TASKS)))
        return tuple(_view(job_id, task) for task in found or ())

    def stream_sizes(self, task: TaskView) -> dict[str, int]:
        """How many bytes a task has printed so far to `stdout.txt` and `stderr.txt`; empty if its node is gone."""
        files = self._ask(lambda batch: list(batch.list_task_files(task.job_id, task.id))) or ()
        return {file.name: file.properties.content_length for file in files if file.name in STREAMS and file.properties}

    def printed(self, task: TaskView, stream: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to but not including `end` that a task has printed; empty if the file is gone.

        The file must be at least `end` bytes long: the SDK logs a traceback for a range outside of it.
        """
        wanted = f"bytes={start}-{end - 1}"
        read = self._ask(
            lambda batch: b"".join(batch.download_task_file(task.job_id, task.id, stream, ocp_range=wanted))
        )
        return read or b""

    def _ask(self, request: Callable[[BatchClient], Answer]) -> Answer | None:
        """What Batch answers; None if what is asked for is not there, or there is no account."""
        if self._client is None:
            return None
        if time.monotonic() < self._ask_again:
            raise BatchHidden(self._hidden)
        try:
            return request(self._client)
        except AzureError as error:
            if isinstance(error, HttpResponseError) and error.status_code in (_NOT_FOUND, _CONFLICT):
                return None
            self._hidden, self._ask_again = self._words(error), time.monotonic() + ASK_AGAIN_SECONDS
            raise BatchHidden(self._hidden) from error


def _view(job_id: str, task: BatchTask) -> TaskView:
    info = task.execution_info
    return TaskView(
        name=task.display_name or task.id,
        state=BatchTaskState(task.state),
        exit_code=info.exit_code if info else None,
        job_id=job_id,
        id=task.id,
        failed=bool(info and info.result == BatchTaskExecutionResult.FAILURE),
        restarts=info.retry_count + (info.requeue_count or 0) if info else 0,
        started=info.start_time if info else None,
        ended=info.end_time if info else None,
    )
