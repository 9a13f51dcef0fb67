"""What a task has used in all its runs, and when the service tells it."""

from __future__ import annotations

from datetime import datetime

from local.batch.models.task import Task
from local.batch.models.usage import TaskUsage, Usage


def with_run(task: Task, used: Usage | None, now: datetime) -> Task:
    """Return a task with what its run has used that ends now; None is not known, and so is the whole from then on.

    Every run counts, retries as documented: "If the Task was retried, this includes the wall clock time of all the Task
    retries" (`wallClockTime` in https://learn.microsoft.com/rest/api/batchservice/tasks/get-task).
    """
    started, earlier = task.execution_info.start_time, task.usage
    if used is None or started is None:
        return task
    if earlier is None:
        usage = TaskUsage(runs=1, first_start=started, wall_clock_time=now - started, used=used)
    else:
        usage = earlier.changed(
            runs=earlier.runs + 1,
            wall_clock_time=earlier.wall_clock_time + (now - started),
            used=earlier.used + used,
        )
    return task.changed(usage=usage)


def told_usage(task: Task, now: datetime, delay_seconds: float) -> TaskUsage | None:
    """Return what a completed task has used, if that is known of each of its runs and the service tells it by now.

    Nothing is known of a run on a node that died, or that was under way when the service was stopped.
    """
    ended = task.execution_info.end_time
    if ended is None or task.usage is None or task.usage.runs != task.run:
        return None
    return task.usage if (now - ended).total_seconds() >= delay_seconds else None
