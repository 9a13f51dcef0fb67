"""What Azure Batch reports of a task → its state, whose fault a failure is, and whether the task is run again.

A task succeeded only if its exit code is 0, Batch's result is success, and there is no failure: Batch calls a task
completed also when its files could not be uploaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.documents.record import Attempt, Failure, RunProblem
from shared.documents.run import Run
from shared.documents.states import FailureCategory, FailureCode, State
from shared.outputs.attempts import ONCE, Tried
from shared.plan.round_plan import SubmittedRound
from shared.script.build import ScriptReport

MAX_NAMED_TASKS = 10
MAX_REPEATED_ROUNDS = 3


@dataclass(frozen=True)
class Outcome:
    """How one task ended."""

    state: State
    exit_code: int | None = None
    retries: int = 0
    attempts: tuple[Attempt, ...] = ()
    requeues: int = 0
    node: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None

    def after_flow_timeout(self) -> Outcome:
        """The same for a job that the flow's timeout ended: a task that was stopped has failed."""
        if self.state is not State.KILLED:
            return self
        message = "the flow's timeout was over before the task had ended"
        failure = Failure(category=FailureCategory.USER, code=FailureCode.FLOW_TIMEOUT, message=message)
        return replace(self, state=State.FAILED, failure=failure)


def outcome_of(task: EndedTask | None, report: ScriptReport | None = None, tried: Tried = ONCE) -> Outcome:
    """How a task of an ended job ended; None stands for a task that was never added, or was deleted with its job.

    `report` is what the task's script wrote about itself on stderr, if anything; `tried` what it noted of attempts.
    """
    if task is None or task.state is not TaskState.COMPLETED:
        return Outcome(State.KILLED if task and task.state is TaskState.RUNNING else State.SKIPPED)
    state, failure = _state_and_failure(task, report, tried)
    return Outcome(
        state=state,
        exit_code=task.exit_code,
        retries=task.retries + tried.count - 1,
        attempts=tried.attempts,
        requeues=task.requeues,
        node=task.node,
        started=task.started,
        ended=task.ended,
        failure=failure,
    )


def _state_and_failure(task: EndedTask, report: ScriptReport | None, tried: Tried) -> tuple[State, Failure | None]:
    if report is not None:
        return State.FAILED, Failure(category=FailureCategory.USER, code=report.marker.value, message=report.message)
    if task.failure is not None and task.was_terminated:
        return State.KILLED, _recorded(task.failure)
    if task.exit_code not in (None, 0):
        last = f" in the last of {tried.count} attempts" if tried.count > 1 else ""
        message = f"the commands ended with exit code {task.exit_code}{last}"
        return State.FAILED, Failure(category=FailureCategory.USER, code=FailureCode.COMMANDS_FAILED, message=message)
    if task.failure is not None:
        return State.FAILED, _recorded(task.failure)
    if task.exit_code is None or not task.succeeded:
        message, category = "Azure Batch reports neither success nor a failure", FailureCategory.INFRASTRUCTURE
        return State.FAILED, Failure(category=category, code=FailureCode.NO_RESULT, message=message)
    return State.SUCCESS, None


def _recorded(failure: BatchFailure) -> Failure:
    """A failure of Batch as it is recorded: with Batch's own error code."""
    return Failure(
        category=FailureCategory.INFRASTRUCTURE if _is_infrastructure(failure) else FailureCategory.USER,
        code=failure.code or "unknown",
        message=failure.message or "Azure Batch gives no reason",
    )


# What keeps a node from getting files and is not what the task asked for; the service calls some of it the user's.
_INFRASTRUCTURE = frozenset({
    "BlobDownloadMiscError", "BlobDownloadTimedOut", "ResourceContainerListMiscError",
    "ResourceDirectoryCreateFailed", "ResourceFileCreateFailed", "ResourceFileWriteFailed",
})  # fmt: skip


def _is_infrastructure(failure: BatchFailure) -> bool:
    """Whether a failure is the fault of Batch, of storage or of the node."""
    return failure.is_server_error or failure.code in _INFRASTRUCTURE


def failure_of_skipped(names: Sequence[str], job_id: str, *, ran_out_of_time: bool) -> Failure:
    """Why tasks of an ended job never ran although no task failed; nothing that the app does leads to that."""
    tasks = ", ".join(names[:MAX_NAMED_TASKS])
    if len(names) > MAX_NAMED_TASKS:
        tasks += f" and {len(names) - MAX_NAMED_TASKS} more"
    if ran_out_of_time:
        message = f"the flow's timeout was over before these tasks had begun: {tasks}"
        return Failure(category=FailureCategory.USER, code=FailureCode.FLOW_TIMEOUT, message=message)
    message = f"the job {job_id}, or tasks of it, were ended or deleted by hand; these tasks have not ended: {tasks}"
    return Failure(category=FailureCategory.INFRASTRUCTURE, code=FailureCode.ENDED_BY_HAND, message=message)


# --- which tasks are run again


# The service calls them the user's. But an image "is invalid" also where a registry did not answer or a disk was full,
# settings are also where the container engine timed out: https://github.com/Azure/Batch/issues/4 and /49.
_MAY_PASS = frozenset({"ContainerInvalidImage", "ContainerInvalidSettings", "ContainerMiscError"})


def failed_before_commands(task: EndedTask) -> bool:
    """Whether a task failed before its commands began, for a reason that may pass."""
    if task.failure is None or task.exit_code is not None or task.was_terminated:
        return False
    return task.failure.code in _MAY_PASS or _is_infrastructure(task.failure)


def tasks_to_repeat(run: Run, plan: SubmittedRound, batch_tasks: Mapping[str, EndedTask]) -> frozenset[int]:
    """The numbers of the tasks that are run again in the next round; none if no task failed before its commands began.

    With those that failed, all that did not end: Batch ended the job because something waited for the failed ones.
    """
    if len(run.body.repeated_rounds) >= MAX_REPEATED_ROUNDS or run.progress.cancelled:
        return frozenset()
    ended = {task.number: batch_tasks[task.id] for task in plan.tasks if task.id in batch_tasks}
    failed = {number for number, task in ended.items() if failed_before_commands(task)}
    if not failed:
        return frozenset()
    unended = {task.number for task in plan.tasks if not _ended_by_itself(ended.get(task.number))}
    return frozenset(failed | unended)


def _ended_by_itself(task: EndedTask | None) -> bool:
    return task is not None and task.state is TaskState.COMPLETED and not task.was_terminated


def items_to_repeat(plan: SubmittedRound, repeated: frozenset[int]) -> dict[str, tuple[int, ...]]:
    """The indices of the items that are run again, by fan-out; `repeated` are the numbers of their tasks."""
    found: dict[str, tuple[int, ...]] = {}
    for task in plan.tasks:
        if task.number in repeated and task.item is not None:
            found[task.name] = (*found.get(task.name, ()), task.item.index)
    return found


def warnings_of_repeats(plan: SubmittedRound, batch_tasks: Mapping[str, EndedTask]) -> list[RunProblem]:
    """What the record says of tasks that are run again: one warning for each task of the manifest that failed."""
    warnings: dict[str, RunProblem] = {}
    for task in plan.tasks:
        ended = batch_tasks.get(task.id)
        if ended and ended.failure and failed_before_commands(ended) and task.name not in warnings:
            reason = _recorded(ended.failure)
            message = f"run again, because it failed before its commands began: {reason.code}: {reason.message}"
            warnings[task.name] = RunProblem(message=message, path=f"tasks.{task.display_name}")
    return list(warnings.values())
