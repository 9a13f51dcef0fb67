"""How long the files of a task stay on its node: https://learn.microsoft.com/azure/batch/files-and-directories."""

from __future__ import annotations

from datetime import datetime

from local.batch.models.common import FOR_EVER
from local.batch.models.task import Task, TaskState


def files_expire_at(task: Task) -> datetime | None:
    """Return when the files of a completed task are removed; None if they stay as long as the node."""
    ended, retention = task.execution_info.end_time, task.constraints.retention_time
    if task.state is not TaskState.COMPLETED or ended is None or task.node_info is None or retention >= FOR_EVER:
        return None
    return ended + retention
