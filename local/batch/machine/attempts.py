"""The attempts at running a task on a node, of whatever kind: what its end means, and whether it is tried again."""

from __future__ import annotations

from datetime import datetime

from local.batch.failures import FailureCode, Phase, phase_of
from local.batch.machine.commands import TaskEnd
from local.batch.models.common import FailureInfo
from local.batch.models.node_task import NodeTaskExecutionInfo, NodeTaskState, TaskResult


def has_retries_left(limit: int, retry_count: int) -> bool:
    """Whether a task that has been retried so often may be tried once more; a limit of -1 is none."""
    return limit < 0 or retry_count < limit


def shall_retry(end: TaskEnd, limit: int, retry_count: int) -> bool:
    """Exit codes are retried; what kept the command from starting, and failed uploads, are not."""
    if not end.exit_code or (end.failure and phase_of(end.failure) is not Phase.COMMAND):
        return False
    return has_retries_left(limit, retry_count)


def failure_of(end: TaskEnd) -> FailureInfo | None:
    """Return what the task reports as the cause of its failure."""
    if end.failure is None and end.exit_code:
        return FailureCode.FAILURE_EXIT_CODE.info(
            Message="The task exited with an exit code representing a failure",
            AdditionalErrorCode=FailureCode.FAILURE_EXIT_CODE.code,
        )
    return end.failure


def begun(now: datetime) -> NodeTaskExecutionInfo:
    """Describe a preparation, release or start task that starts for the first time."""
    return NodeTaskExecutionInfo(start_time=now)


def begun_again(info: NodeTaskExecutionInfo, now: datetime) -> NodeTaskExecutionInfo:
    """Describe one that is retried."""
    return begun(now).changed(retry_count=info.retry_count + 1, last_retry_time=now)


def ended(info: NodeTaskExecutionInfo, end: TaskEnd, now: datetime) -> NodeTaskExecutionInfo:
    """Describe one that has ended for good."""
    failure = failure_of(end)
    return info.changed(
        state=NodeTaskState.COMPLETED,
        end_time=now,
        exit_code=end.exit_code,
        container_info=end.container,
        failure_info=failure,
        result=TaskResult.FAILURE if failure else TaskResult.SUCCESS,
    )
