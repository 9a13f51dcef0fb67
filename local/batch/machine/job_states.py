"""Which operations a job takes in which state: the one place where the 409s of job states come from.

https://learn.microsoft.com/rest/api/batchservice/jobs and …/batch-status-and-error-codes
"""

from __future__ import annotations

from local.batch.errors import BatchError, ErrorCode
from local.batch.models.job import Job, JobState

ENDED_STATES = frozenset({JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING})

_REFUSALS = {
    JobState.DELETING: ErrorCode.JOB_BEING_DELETED,
    JobState.TERMINATING: ErrorCode.JOB_BEING_TERMINATED,
    JobState.COMPLETED: ErrorCode.JOB_COMPLETED,
    JobState.DISABLING: ErrorCode.JOB_DISABLED,
    JobState.DISABLED: ErrorCode.JOB_DISABLED,
}


def require_active(job: Job) -> None:
    """Refuse what only an active job takes: new tasks."""
    _refuse_in(job, set(_REFUSALS))


def require_open(job: Job) -> None:
    """Refuse what an ended job does not take any more: changes, another end, tasks that shall run again."""
    _refuse_in(job, set(ENDED_STATES))


def require_not_deleting(job: Job) -> None:
    """Refuse to delete a job twice."""
    _refuse_in(job, {JobState.DELETING})


def require_disabled(job: Job) -> None:
    """Refuse what only a disabled job takes: another pool."""
    if job.state is not JobState.DISABLED:
        raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE, Reason="poolInfo needs a disabled job.")


def _refuse_in(job: Job, states: set[JobState]) -> None:
    if job.state in states:
        raise BatchError(_REFUSALS[job.state])
