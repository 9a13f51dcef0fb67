"""What Batch says of a task → its state, and whose fault a failure is.

A task succeeded only if its exit code is 0, Batch's result is success, and there is no failure information: Batch
calls a task completed also when its files could not be uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from azure.batch import models

from shared.documents.record import Failure, RunProblem
from shared.documents.run import Run
from shared.documents.states import FailureCategory, State
from shared.plan.round_plan import SubmittedRound
from shared.script.build import ScriptReport

TASK_ENDED = "TaskEnded"
FLOW_TIMEOUT = "FlowTimeout"
COMMANDS_FAILED = "CommandsFailed"
ENDED_BY_HAND = "EndedByHand"
MAX_NAMED = 10


@dataclass(frozen=True)
class Outcome:
    """How one task ended."""

    state: State
    exit_code: int | None = None
    retries: int = 0
    node: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None


def was_ended(task: models.BatchTask) -> bool:
    """Whether a task was stopped because its job, or it itself, was terminated."""
    failure = task.execution_info.failure_info if task.execution_info else None
    return failure is not None and failure.code == TASK_ENDED


def at_flow_timeout(outcome: Outcome) -> Outcome:
    """What stopping a task means if its job was ended by the flow's timeout."""
    if outcome.state is not State.KILLED:
        return outcome
    message = "the flow's timeout was over before the task had ended"
    failure = Failure(category=FailureCategory.USER, code=FLOW_TIMEOUT, message=message)
    return replace(outcome, state=State.FAILED, failure=failure)


def why_undone(names: Sequence[str], job_id: str, *, ran_out_of_time: bool) -> Failure:
    """Why tasks of an ended job have not ended although none failed; nothing of the app's own leads to that."""
    tasks = ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
    if ran_out_of_time:
        message = f"the flow's timeout was over before these tasks had begun: {tasks}"
        return Failure(category=FailureCategory.USER, code=FLOW_TIMEOUT, message=message)
    message = f"the job {job_id}, or tasks of it, were ended or deleted by hand; these tasks have not ended: {tasks}"
    return Failure(category=FailureCategory.INFRASTRUCTURE, code=ENDED_BY_HAND, message=message)


def judge(task: models.BatchTask | None, report: ScriptReport | None = None) -> Outcome:
    """How a task of an ended job ended; None stands for a task that was never added or is gone with its job.

    `report` is what the task's script said on stderr, if anything.
    """
    if task is None or task.execution_info is None or task.state != models.BatchTaskState.COMPLETED:
        was_running = task is not None and task.state == models.BatchTaskState.RUNNING
        return Outcome(State.KILLED if was_running else State.SKIPPED)
    info = task.execution_info
    state, failure = _judged(info, report)
    return Outcome(
        state=state,
        exit_code=info.exit_code,
        retries=info.retry_count,
        node=task.node_info.node_id if task.node_info else None,
        started=info.start_time,
        ended=info.end_time,
        failure=failure,
    )


def _judged(info: models.BatchTaskExecutionInfo, report: ScriptReport | None) -> tuple[State, Failure | None]:
    if report is not None:
        return State.FAILED, Failure(category=FailureCategory.USER, code=report.marker.value, message=report.message)
    batch = info.failure_info
    if batch is not None and batch.code == TASK_ENDED:
        return State.KILLED, _batch_failure(batch)
    if info.exit_code not in (None, 0):
        message = f"the commands ended with exit code {info.exit_code}"
        return State.FAILED, Failure(category=FailureCategory.USER, code=COMMANDS_FAILED, message=message)
    if batch is not None:
        return State.FAILED, _batch_failure(batch)
    if info.exit_code is None or not _is(info.result, models.BatchTaskExecutionResult.SUCCESS):
        message = "Azure Batch reports neither success nor a failure"
        return State.FAILED, Failure(category=FailureCategory.INFRASTRUCTURE, code="NoResult", message=message)
    return State.SUCCESS, None


# What keeps a node from getting files and is not what the task asked for; the service calls some of it the user's.
_INFRASTRUCTURE = frozenset({
    "BlobDownloadMiscError", "BlobDownloadTimedOut", "ResourceContainerListMiscError",
    "ResourceDirectoryCreateFailed", "ResourceFileCreateFailed", "ResourceFileWriteFailed",
})  # fmt: skip


def is_infrastructure(batch: models.BatchTaskFailureInfo) -> bool:
    """Whether a failure is of Batch, of storage or of the node."""
    return batch.code in _INFRASTRUCTURE or _is(batch.category, models.BatchErrorSourceCategory.SERVER_ERROR)


def failure_of(task: models.BatchTask) -> Failure:
    """What Batch says of the failure of a task that has failed."""
    assert task.execution_info is not None  # noqa: S101 - only tasks that ran have failed
    assert task.execution_info.failure_info is not None  # noqa: S101
    return _batch_failure(task.execution_info.failure_info)


_QUERY = re.compile(r"\?[^\s'\"]*\bsig=[^\s'\"]*")  # of an address with a SAS, which Batch repeats in its messages


def _batch_failure(batch: models.BatchTaskFailureInfo) -> Failure:
    details = "; ".join(f"{detail.name}: {detail.value}" for detail in batch.details or ())
    return Failure(
        category=FailureCategory.INFRASTRUCTURE if is_infrastructure(batch) else FailureCategory.USER,
        code=batch.code or "unknown",
        message=_QUERY.sub("", ": ".join(part for part in (batch.message, details) if part))
        or "Azure Batch gives no reason",
    )


def _is(value: str | None, name: str) -> bool:
    """Whether the service means a name of the SDK: it writes `ServerError`, the SDK's enum is `servererror`."""
    return value is not None and value.lower() == name


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


def tasks_to_repeat(run: Run, plan: SubmittedRound, batch_tasks: Mapping[str, models.BatchTask]) -> frozenset[int]:
    """The numbers of the tasks that are run again in the next round; none if nothing failed in such a way.

    With those that failed, all that did not end: Batch ended the job because something waited for the failed ones.
    """
    failed = {task.number for task in plan.tasks if _holds(batch_tasks.get(task.id), failed_before_commands)}
    if not failed or len(run.body.repeated_rounds) >= MAX_REPEATED_ROUNDS or run.progress.cancelled:
        return frozenset()
    unended = {task.number for task in plan.tasks if not _holds(batch_tasks.get(task.id), _ended_by_itself)}
    return frozenset(failed | unended)


def unfinished_items(plan: SubmittedRound, repeated: frozenset[int]) -> dict[str, tuple[int, ...]]:
    """By fan-out, the items that are run again."""
    found: dict[str, tuple[int, ...]] = {}
    for task in plan.tasks:
        if task.number in repeated and task.item is not None:
            found[task.name] = (*found.get(task.name, ()), task.item.index)
    return found


def why_repeated(plan: SubmittedRound, batch_tasks: Mapping[str, models.BatchTask]) -> list[RunProblem]:
    """What the record says of it: one warning for each task of the manifest that failed so."""
    warnings: dict[str, RunProblem] = {}
    for task in plan.tasks:
        batch_task = batch_tasks.get(task.id)
        if batch_task and failed_before_commands(batch_task) and task.name not in warnings:
            reason = failure_of(batch_task)
            message = f"run again, because it failed before its commands began: {reason.code}: {reason.message}"
            warnings[task.name] = RunProblem(message=message, path=f"tasks.{task.display_name}")
    return list(warnings.values())


def _holds(task: models.BatchTask | None, what: Callable[[models.BatchTask], bool]) -> bool:
    return task is not None and what(task)


def _ended_by_itself(task: models.BatchTask) -> bool:
    failure = task.execution_info.failure_info if task.execution_info else None
    was_ended = failure is not None and failure.code == TASK_ENDED
    return task.state == models.BatchTaskState.COMPLETED and not was_ended
