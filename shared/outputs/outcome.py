"""What Azure Batch reports of a task → its state, and whose fault a failure is.

A task succeeded only if its exit code is 0, Batch's result is success, and there is no failure: Batch calls a task
completed also when its files could not be uploaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Attempt, Failure
from shared.documents.usage import Usage
from shared.outputs.attempts import ONCE, Tried
from shared.script.build import Marker, ScriptReport

MAX_NAMED_TASKS = 10


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
    usage: Usage | None = None
    cost: float | None = None
    failure: Failure | None = None

    def after_flow_timeout(self) -> Outcome:
        """The same for a job that the flow's timeout ended: a task that was stopped has failed."""
        if self.state is not State.KILLED:
            return self
        message = "the flow's timeout was over before the task had ended"
        failure = Failure(category=FailureCategory.USER, code=FailureCode.FLOW_TIMEOUT, message=message)
        return replace(self, state=State.FAILED, failure=failure)


SKIPPED = Outcome(State.SKIPPED)


def outcome_of(task: EndedTask | None, report: ScriptReport | None = None, tried: Tried = ONCE) -> Outcome:
    """How a task of an ended job ended; None stands for a task that was never added, or was deleted with its job.

    `report` is what the task's script wrote about itself on stderr, if anything; `tried` what it noted of attempts.
    """
    if task is None or task.state is not TaskState.COMPLETED:
        is_running = task is not None and task.state is TaskState.RUNNING
        return Outcome(State.KILLED) if is_running else SKIPPED
    if report is not None and report.marker is Marker.SKIPPED:
        return SKIPPED
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
        usage=task.usage,
        failure=failure,
    )


def _state_and_failure(task: EndedTask, report: ScriptReport | None, tried: Tried) -> tuple[State, Failure | None]:
    if report is not None:
        return State.FAILED, Failure(category=FailureCategory.USER, code=report.marker.value, message=report.message)
    if task.failure is not None and task.was_terminated:
        return State.KILLED, recorded(task.failure)
    if task.exit_code not in (None, 0):
        last = f" in the last of {tried.count} attempts" if tried.count > 1 else ""
        message = f"the commands ended with exit code {task.exit_code}{last}"
        return State.FAILED, Failure(category=FailureCategory.USER, code=FailureCode.COMMANDS_FAILED, message=message)
    if task.failure is not None:
        return State.FAILED, recorded(task.failure)
    if task.exit_code is None or not task.succeeded:
        message, category = "Azure Batch reports neither success nor a failure", FailureCategory.INFRASTRUCTURE
        return State.FAILED, Failure(category=category, code=FailureCode.NO_RESULT, message=message)
    return State.SUCCESS, None


def recorded(failure: BatchFailure) -> Failure:
    """A failure of Batch as it is recorded: with Batch's own error code."""
    return Failure(
        category=FailureCategory.INFRASTRUCTURE if is_infrastructure(failure) else FailureCategory.USER,
        code=failure.code or "unknown",
        message=failure.message or "Azure Batch gives no reason",
    )


# What keeps a node from getting files and is not what the task asked for; the service calls some of it the user's.
_INFRASTRUCTURE = frozenset({
    "BlobDownloadMiscError", "BlobDownloadTimedOut", "ResourceContainerListMiscError",
    "ResourceDirectoryCreateFailed", "ResourceFileCreateFailed", "ResourceFileWriteFailed",
})  # fmt: skip


def is_infrastructure(failure: BatchFailure) -> bool:
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
