"""The documented retry schedule of Event Grid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.eventgrid.retry_policy import DeadLetter, DeadLetterReason, Delivered, NoResponse, RetryAt, after_attempt

PUBLISHED = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
def test_success(status):
    """Only these count."""
    assert after_attempt(status, attempts=1, published=PUBLISHED, now=PUBLISHED) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_can_never_succeed_is_given_up_at_once(status):
    """A webhook that says so is not asked again."""
    step = after_attempt(status, attempts=1, published=PUBLISHED, now=PUBLISHED)

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
    step = after_attempt(outcome, attempts=attempts, published=PUBLISHED, now=PUBLISHED)

    assert step == RetryAt(PUBLISHED + wait)


def test_attempts_are_bounded():
    """Thirty, as by default in Azure."""
    step = after_attempt(500, attempts=30, published=PUBLISHED, now=PUBLISHED)

    assert step == DeadLetter(DeadLetterReason.ATTEMPTS)


def test_events_expire_after_a_day():
    """An attempt that would come later is not waited for."""
    now = PUBLISHED + timedelta(hours=23, minutes=30)

    step = after_attempt(500, attempts=7, published=PUBLISHED, now=now)

    assert step == DeadLetter(DeadLetterReason.TIME_TO_LIVE)
