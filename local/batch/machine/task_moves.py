"""The ways in which a task leaves its node: it has completed, or it waits to run again."""

from __future__ import annotations

from datetime import datetime

from local.batch.machine.attempts import failure_of
from local.batch.machine.commands import TaskEnd
from local.batch.models.node_task import TaskResult
from local.batch.models.task import Task, TaskExecutionInfo, TaskState


def active_again(task: Task, now: datetime) -> Task:
    """Return the task as one that waits for a node; what has been counted of it stays."""
    kept = task.execution_info
    execution = TaskExecutionInfo(
        retry_count=kept.retry_count,
        last_retry_time=kept.last_retry_time,
        requeue_count=kept.requeue_count,
        last_requeue_time=kept.last_requeue_time,
    )
    return task.moved(TaskState.ACTIVE, now).changed(execution_info=execution, ending=None)


def requeued(task: Task, now: datetime) -> Task:
    """Return the task as one that waits again because a user wanted its node or its job for something else."""
    again = active_again(task, now)
    counted = again.execution_info.changed(requeue_count=again.execution_info.requeue_count + 1, last_requeue_time=now)
    return again.changed(execution_info=counted)


def waiting_for_retry(task: Task, now: datetime) -> Task:
    """Return the task as one that waits to be tried again after a failure."""
    again = active_again(task, now)
    counted = again.execution_info.changed(retry_count=again.execution_info.retry_count + 1)
    return again.changed(execution_info=counted, retrying=True)


def completed(task: Task, end: TaskEnd, now: datetime) -> Task:
    """Return the task as one that has ended for good."""
    failure = failure_of(end)
    execution = task.execution_info.changed(
        start_time=task.execution_info.start_time or now,
        end_time=now,
        exit_code=end.exit_code,
        container_info=end.container,
        failure_info=failure,
        result=TaskResult.FAILURE if failure else TaskResult.SUCCESS,
    )
    return task.moved(TaskState.COMPLETED, now).changed(execution_info=execution, ending=None, retrying=False)
