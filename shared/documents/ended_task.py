"""The tasks of a job that has ended, as the app knows them: `batch/client.py` translates what Azure Batch reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.documents.usage import Usage

TASK_ENDED = "TaskEnded"
"""Batch's code for a task that was stopped because the task itself, or its job, was terminated."""


class TaskState(StrEnum):
    """The states of a task in Azure Batch. After its job was terminated a task need not be COMPLETED.

    https://learn.microsoft.com/rest/api/batchservice/tasks/get-task#batchtaskstate
    """

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    UNKNOWN = "unknown"
    """A state that Batch did not have when this was written."""


@dataclass(frozen=True, kw_only=True)
class BatchFailure:
    """Why a task failed, as Batch reports it: an error code of Batch, and a message with its details.

    `is_server_error` is Batch's own category. It is False for what Batch calls an error of the user.
    """

    code: str | None = None
    message: str = ""
    is_server_error: bool = False


@dataclass(frozen=True, kw_only=True)
class EndedTask:
    """A task of an ended job, as Batch reports it; `failure` is Batch's own, if it reports one.

    `exit_code` is None where the commands never began or did not end. `succeeded` is Batch's result, which does not
    tell about files that could not be uploaded. `node` is the id of the node that the task ran on. `retries` and
    `requeues` are Batch's own: it tries nothing again, but puts tasks back whose node is taken away. `usage` is None if
    Batch has no statistics of the task, or none yet.
    """

    state: TaskState
    exit_code: int | None = None
    succeeded: bool = False
    failure: BatchFailure | None = None
    retries: int = 0
    requeues: int = 0
    node: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    usage: Usage | None = None

    @property
    def was_terminated(self) -> bool:
        """Whether the task was stopped because the task itself, or its job, was terminated."""
        return self.failure is not None and self.failure.code == TASK_ENDED
