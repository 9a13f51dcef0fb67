"""The documented retry schedule of Event Grid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.event_subscriptions import RetryPolicy
from local.eventgrid.retry_policy import (
    DeadLetter,
    DeadLetterReason,
    Delivered,
    NoResponse,
    RetryAt,
    after_attempt,
    has_expired,
)

PUBLISHED = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = RetryPolicy(max_delivery_attempts=12, event_time_to_live=timedelta(hours=24))


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
def test_success(status):
    """Only these count."""
    assert after_attempt(status, POLICY, attempts=1, now=PUBLISHED) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_can_never_succeed_is_given_up_at_once(status):
    """A webhook that says so is not asked again."""
    step = after_attempt(status, POLICY, attempts=1, now=PUBLISHED)

    assert step == DeadLetter(DeadLetterReason.UNDELIVERABLE)


@pytest.mark.parametrize(
    ("outcome", "attempts", "wait"),
    [
        (500, 1, timedelta(seconds=10)),
        (500, 2, timedelta(seconds=30)),
        (500, 4, timedelta(minutes=5)),
        (500, 7, timedelta(hours=1)),
        (500, 10, timedelta(hours=12)),
        (205, 1, timedelta(seconds=10)),
        (599, 1, timedelta(seconds=10)),
        (NoResponse.TIMED_OUT, 1, timedelta(seconds=10)),
        (503, 1, timedelta(seconds=30)),
        (408, 1, timedelta(minutes=2)),
        (404, 1, timedelta(minutes=5)),
        (404, 5, timedelta(minutes=10)),
    ],
)
def test_waits_grow_and_some_statuses_wait_longer(outcome, attempts, wait):
    """The schedule, or the least that the documentation gives for a status."""
    step = after_attempt(outcome, POLICY, attempts=attempts, now=PUBLISHED)

    assert step == RetryAt(PUBLISHED + wait)


def test_attempts_are_bounded():
    """By the subscription's own number."""
    assert after_attempt(500, POLICY, attempts=11, now=PUBLISHED) == RetryAt(PUBLISHED + timedelta(hours=12))
    assert after_attempt(500, POLICY, attempts=12, now=PUBLISHED) == DeadLetter(DeadLetterReason.ATTEMPTS)


@pytest.mark.parametrize(
    ("hours", "scale", "expired"), [(23.9, 1, False), (24, 1, True), (0.23, 0.01, False), (0.24, 0.01, True)]
)
def test_events_expire(hours, scale, expired):
    """It is asked only when the next attempt is due; the scale of tests holds for the life of events too."""
    assert has_expired(PUBLISHED, POLICY, now=PUBLISHED + timedelta(hours=hours), scale=scale) is expired
