"""What follows an attempt to deliver an event: https://learn.microsoft.com/azure/event-grid/delivery-and-retry.

Of the two limits of a subscription's retry policy the first that is reached ends the attempts. The number of attempts
is looked at after each of them, the time to live only when the next one is due: "event expiry is checked only at the
time of the next delivery and then subsequently dead-lettered".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from local.event_subscriptions import RetryPolicy

RESPONSE_TIMEOUT = timedelta(seconds=30)
RETRY_SCHEDULE = (
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
)
SUCCESSES = frozenset(range(200, 205))
NEVER_RETRIED = frozenset({400, 401, 403, 413})
LONGER_WAITS: dict[int, timedelta] = {
    HTTPStatus.NOT_FOUND: timedelta(minutes=5),
    HTTPStatus.REQUEST_TIMEOUT: timedelta(minutes=2),
    HTTPStatus.SERVICE_UNAVAILABLE: timedelta(seconds=30),
}


class NoResponse(StrEnum):
    """Why an attempt had no HTTP status; the values are those in dead-lettered events."""

    TIMED_OUT = "TimedOut"
    NOT_REACHED = "GenericError"


Outcome = int | NoResponse
"""How an attempt ended: the HTTP status, or why there was none."""


class DeadLetterReason(StrEnum):
    """Why an event was given up."""

    ATTEMPTS = "MaxDeliveryAttemptsExceeded"
    TIME_TO_LIVE = "TimeToLiveExceeded"
    UNDELIVERABLE = "UndeliverableDueToHttpStatus"


@dataclass(frozen=True)
class Delivered:
    """The endpoint has accepted the event."""


@dataclass(frozen=True)
class RetryAt:
    """The next attempt to deliver the event is made at `time` or later."""

    time: datetime


@dataclass(frozen=True)
class DeadLetter:
    """The event is given up."""

    reason: DeadLetterReason


def after_attempt(
    outcome: Outcome, policy: RetryPolicy, *, attempts: int, now: datetime, scale: float = 1.0
) -> Delivered | RetryAt | DeadLetter:
    """What follows the attempt number `attempts` (from 1).

    `scale` shortens the waits, for tests. Event Grid adds a small random delay, which is left out.
    """
    if outcome in SUCCESSES:
        return Delivered()
    if outcome in NEVER_RETRIED:
        return DeadLetter(DeadLetterReason.UNDELIVERABLE)
    if attempts >= policy.max_delivery_attempts:
        return DeadLetter(DeadLetterReason.ATTEMPTS)
    return RetryAt(now + scale * _wait(outcome, attempts))


def has_expired(published: datetime, policy: RetryPolicy, *, now: datetime, scale: float = 1.0) -> bool:
    """Whether an event whose next attempt is due is given up instead; `scale` shortens its life like the waits."""
    return now >= published + scale * policy.event_time_to_live


def outcome_name(outcome: Outcome) -> str:
    """The outcome as dead-lettered events name it, such as `NotFound` or `TimedOut`."""
    if isinstance(outcome, NoResponse):
        return outcome.value
    try:
        return HTTPStatus(outcome).phrase.replace(" ", "")
    except ValueError:
        return str(outcome)


def _wait(outcome: Outcome, attempts: int) -> timedelta:
    scheduled = RETRY_SCHEDULE[min(attempts, len(RETRY_SCHEDULE)) - 1]
    if isinstance(outcome, NoResponse):
        return scheduled
    return max(scheduled, LONGER_WAITS.get(outcome, timedelta(0)))
