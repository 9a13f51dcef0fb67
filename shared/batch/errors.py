"""What the errors of Azure Batch mean.

Errors are distinguished by Batch's error code, never by the SDK's exception class: every 409 is a ResourceExistsError,
also that of the quota. Codes: https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

from shared.errors import BatchRefused, JobConflict, QuotaReached, ServiceBusy, TryLater

LONGEST_RETRY_AFTER = timedelta(minutes=10)


class Code(StrEnum):
    """The error codes of Azure Batch on which the app decides."""

    QUOTA = "ActiveJobAndScheduleQuotaReached"
    JOB_EXISTS = "JobExists"
    JOB_NOT_FOUND = "JobNotFound"
    JOB_COMPLETED = "JobCompleted"
    JOB_BEING_TERMINATED = "JobBeingTerminated"
    JOB_BEING_DELETED = "JobBeingDeleted"
    TASK_EXISTS = "TaskExists"
    BODY_TOO_LARGE = "RequestBodyTooLarge"


ENDED = frozenset({Code.JOB_COMPLETED, Code.JOB_BEING_TERMINATED})
GONE = frozenset({Code.JOB_NOT_FOUND, Code.JOB_BEING_DELETED})


@contextmanager
def batch_errors() -> Iterator[None]:
    """Translate the SDK's errors into the app's own."""
    try:
        yield
    except HttpResponseError as error:
        raise _translated(error) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise TryLater(f"Azure Batch cannot be reached: {error}") from error


def _retry_after(error: HttpResponseError) -> timedelta | None:
    """How long the service asks to wait before the next request, at most ten minutes."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    seconds = headers.get("Retry-After", "")
    return min(timedelta(seconds=int(seconds)), LONGEST_RETRY_AFTER) if seconds.isdecimal() else None


_CONFLICT, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR, _UNAVAILABLE = 409, 404, 429, 500, 503


def _translated(error: HttpResponseError) -> Exception:
    code = (error.error.code if error.error else None) or "unknown"
    message = ((error.error.message if error.error else None) or error.message or "").splitlines()[0]
    status = error.status_code or _SERVER_ERROR
    if code == Code.QUOTA:
        return QuotaReached("The quota of active jobs of the Batch account is used up.")
    if status in (_TOO_MANY, _UNAVAILABLE):
        return ServiceBusy(f"Azure Batch is busy ({status} {code}): {message}", _retry_after(error))
    if status >= _SERVER_ERROR:
        return TryLater(f"Azure Batch failed ({status} {code}): {message}")
    if status in (_CONFLICT, _NOT_FOUND):
        return JobConflict(code, message)
    if status in (401, 403):
        return error  # the operator's fault, not the user's: a key, a role or a clock is wrong
    return BatchRefused(code, message)
