"""Which tasks of an ended round are run again: those whose commands never began, for a reason that may pass. Pure.

Batch itself does not try again what fails before a command starts: https://learn.microsoft.com/azure/batch/error-handling
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.batch import models

from shared.outcome import TASK_ENDED, failure_of, is_infrastructure
from shared.record import RunProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.planned import ExpectedRound
    from shared.run import Run

MAX_REPEATED_ROUNDS = 3

# The service calls them the user's. But an image "is invalid" also where a registry did not answer or a disk was full,
# settings are also where the container engine timed out: https://github.com/Azure/Batch/issues/4 and /49.
_MAY_PASS = frozenset({"ContainerInvalidImage", "ContainerInvalidSettings", "ContainerMiscError"})


def failed_before_commands(task: models.BatchTask) -> bool:
    """Whether a task failed in a way that may pass, and its commands never began."""
    info = task.execution_info
    failure = info.failure_info if info else None
    if info is None or failure is None or info.exit_code is not None or failure.code == TASK_ENDED:
        return False
    return failure.code in _MAY_PASS or is_infrastructure(failure)


def tasks_to_repeat(run: Run, plan: ExpectedRound, batch_tasks: Mapping[str, models.BatchTask]) -> frozenset[int]:
    """The numbers of the tasks that are run again in the next round; none if nothing failed in such a way.

    With those that failed, all that did not end: Batch ended the job because something waited for the failed ones.
    """
    failed = {task.number for task in plan.tasks if _is(batch_tasks.get(task.id), failed_before_commands)}
    if not failed or len(run.body.repeated_rounds) >= MAX_REPEATED_ROUNDS or run.progress.cancelled:
        return frozenset()
    unended = {task.number for task in plan.tasks if not _is(batch_tasks.get(task.id), _ended_by_itself)}
    return frozenset(failed | unended)


def unfinished_items(plan: ExpectedRound, repeated: frozenset[int]) -> dict[str, tuple[int, ...]]:
    """By fan-out, the items that are run again."""
    found: dict[str, tuple[int, ...]] = {}
    for task in plan.tasks:
        if task.number in repeated and task.item is not None:
            found[task.name] = (*found.get(task.name, ()), task.item.index)
    return found


def why_repeated(plan: ExpectedRound, batch_tasks: Mapping[str, models.BatchTask]) -> list[RunProblem]:
    """What the record says of it: one warning for each task of the manifest that failed so."""
    warnings: dict[str, RunProblem] = {}
    for task in plan.tasks:
        batch_task = batch_tasks.get(task.id)
        if batch_task and failed_before_commands(batch_task) and task.name not in warnings:
            reason = failure_of(batch_task)
            message = f"run again, because it failed before its commands began: {reason.code}: {reason.message}"
            warnings[task.name] = RunProblem(message=message, path=f"tasks.{task.display_name}")
    return list(warnings.values())


def _is(task: models.BatchTask | None, what: Callable[[models.BatchTask], bool]) -> bool:
    return task is not None and what(task)


def _ended_by_itself(task: models.BatchTask) -> bool:
    failure = task.execution_info.failure_info if task.execution_info else None
    was_ended = failure is not None and failure.code == TASK_ENDED
    return task.state == models.BatchTaskState.COMPLETED and not was_ended
