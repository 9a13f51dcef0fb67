"""What Batch shows of the tasks of a run. It is asked only while somebody watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from azure.batch.models import BatchTaskExecutionResult, BatchTaskState
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.batch.models import BatchTask

_OF_TASKS = ["id", "displayName", "state", "executionInfo"]
_NOT_FOUND, _CONFLICT = 404, 409
STREAMS = ("stdout.txt", "stderr.txt")


@dataclass(frozen=True)
class TaskView:
    """A task as Batch shows it: `state` is Batch's, the exit code is None unless it ended with one."""

    name: str
    state: BatchTaskState
    exit_code: int | None = None
    job_id: str = ""
    id: str = ""
    failed: bool = False
    retries: int = 0
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.state == BatchTaskState.COMPLETED

    @property
    def fan_out(self) -> str:
        """The id of the task in the manifest: an item of a fan-out is called `<id>[<index>]`."""
        return self.name.partition("[")[0]


@dataclass(frozen=True)
class TaskCounts:
    """How many tasks of a job there are, how many have ended, and how many of those failed."""

    total: int
    ended: int
    failed: int


class BatchTasks:
    """The Batch account, as far as it tells about tasks."""

    def __init__(self, client: BatchClient) -> None:
        self._client = client

    def of_job(self, job_id: str) -> tuple[TaskView, ...]:
        """The tasks of a job; none if it is just being made, or has gone."""
        try:
            return tuple(_view(job_id, task) for task in self._client.list_tasks(job_id, select=_OF_TASKS))
        except HttpResponseError as error:
            if error.status_code not in (_NOT_FOUND, _CONFLICT):
                raise
            return ()

    def counts(self, job_id: str) -> TaskCounts | None:
        """The tasks of a job in numbers; None if the job is not there."""
        try:
            counts = self._client.get_job_task_counts(job_id).task_counts
        except ResourceNotFoundError:
            return None
        return TaskCounts(counts.active + counts.running + counts.completed, counts.completed, counts.failed)

    def stream_sizes(self, task: TaskView) -> dict[str, int]:
        """How much a task has printed so far: bytes by `stdout.txt` and `stderr.txt`; nothing if its node has gone."""
        try:
            files = list(self._client.list_task_files(task.job_id, task.id))
        except HttpResponseError as error:
            if error.status_code not in (_NOT_FOUND, _CONFLICT):
                raise
            return {}
        return {file.name: file.properties.content_length for file in files if file.name in STREAMS and file.properties}

    def printed(self, task: TaskView, stream: str, start: int, end: int) -> bytes:
        """What a task has printed on a stream between two places; nothing if it has gone meanwhile.

        There must be something: the SDK logs a traceback for a range that is out of the file.
        """
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
        retries=info.retry_count if info else 0,
        started=info.start_time if info else None,
        ended=info.end_time if info else None,
    )
