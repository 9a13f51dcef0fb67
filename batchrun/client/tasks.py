"""What Batch reports about the tasks of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from azure.batch.models import BatchTaskExecutionResult, BatchTaskState
from azure.core.exceptions import HttpResponseError

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.batch.models import BatchTask

_OF_TASKS = ["id", "displayName", "state", "executionInfo"]
_NOT_FOUND, _CONFLICT = 404, 409
STREAMS = ("stdout.txt", "stderr.txt")


@dataclass(frozen=True)
class TaskView:
    """A task as Batch reports it; `exit_code` is None unless the task ended with one.

    `restarts` is how often Batch has begun it anew, with empty logs: on another node, because its own was lost.
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
    """The Batch account, for those who read about tasks; without one (`client` is None) there are none."""

    def __init__(self, client: BatchClient | None) -> None:
        self._client = client

    @property
    def is_there(self) -> bool:
        """Whether there is a Batch account to ask."""
        return self._client is not None

    def of_job(self, job_id: str) -> tuple[TaskView, ...]:
        """The tasks of a job; none if the job is being created or has been deleted."""
        if self._client is None:
            return ()
        try:
            return tuple(_view(job_id, task) for task in self._client.list_tasks(job_id, select=_OF_TASKS))
        except HttpResponseError as error:
            if error.status_code not in (_NOT_FOUND, _CONFLICT):
                raise
            return ()

    def stream_sizes(self, task: TaskView) -> dict[str, int]:
        """How many bytes a task has printed so far to `stdout.txt` and `stderr.txt`; empty if its node is gone."""
        if self._client is None:
            return {}
        try:
            files = list(self._client.list_task_files(task.job_id, task.id))
        except HttpResponseError as error:
            if error.status_code not in (_NOT_FOUND, _CONFLICT):
                raise
            return {}
        return {file.name: file.properties.content_length for file in files if file.name in STREAMS and file.properties}

    def printed(self, task: TaskView, stream: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to but not including `end` that a task has printed; empty if the file is gone.

        The file must be at least `end` bytes long: the SDK logs a traceback for a range outside of it.
        """
        if self._client is None:
            return b""
        try:
            pieces = self._client.download_task_file(task.job_id, task.id, stream, ocp_range=f"bytes={start}-{end - 1}")
            return b"".join(pieces)
        except HttpResponseError as error:
            if error.status_code not in (_NOT_FOUND, _CONFLICT):
                raise
            return b""


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
