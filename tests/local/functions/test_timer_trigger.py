"""Timer triggers: NCRONTAB schedules, never two invocations at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.functions.ncrontab import Schedule
from tests.support.waiting import wait_for


@pytest.mark.parametrize("schedule", ["* * * * * *"])
def test_a_timer_fires_at_each_occurrence_and_its_invocations_never_overlap(host, launch):
    """One that outlasts the next occurrences is followed by the next one only when it has ended."""
    host.tell("block")
    launch(host.program)
    host.wait_notes("timer", "start")
    after_the_next_occurrence = datetime.now(UTC) + timedelta(seconds=1.2)
    wait_for(lambda: datetime.now(UTC) > after_the_next_occurrence)
    while_blocked = host.all_notes("timer")
    host.untell("block")
    host.wait_notes("timer", "end", 3)

    phases = [note["phase"] for note in host.all_notes("timer")]

    assert while_blocked == [{"phase": "start", "past_due": False}]
    assert phases[:6] == ["start", "end"] * 3


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/15 * * * * *", "2026-11-23T23:59:45.000001", "2026-11-24T00:00:00"),
        ("* * * * * *", "2026-11-23T12:00:00", "2026-11-23T12:00:01"),
        ("0 30 9 * Jan Mon", "2026-11-23T00:00:00", "2027-01-04T09:30:00"),
        ("0 5/15 8-10,22 * * MON-FRI", "2026-11-27T22:59:00", "2026-11-30T08:05:00"),
        ("0 0 0 29 2 *", "2026-11-23T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 13 * FRI", "2026-11-23T00:00:00", "2027-08-13T00:00:00"),
        ("7-7 0 12 * * sun-0", "2026-11-23T00:00:00", "2026-11-29T12:00:07"),
        ("0 0 0 29 2 MON", "2026-11-23T00:00:00", "2044-02-29T00:00:00"),
    ],
)
def test_the_next_occurrence_of_a_schedule(expression, after, expected):
    """The first one after a moment, in UTC; day and day of week must both match."""
    found = Schedule.parse(expression).next_after(datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("* * * * *", "six fields"),
        ("60 * * * * *", "60"),
        ("* * * * * 7", "7"),
        ("* * 5-3 * * *", "5-3"),
        ("*/0 * * * * *", "/0"),
        ("? * * * * *", r"\?"),
        ("", "six fields"),
        ("@daily", "six fields"),
        ("* * * L * *", "'L'"),
        ("* * * 15W * *", "'15W'"),
        ("* * * * * MON#1", "'MON#1'"),
        ("H * * * * *", "'H'"),
        ("R(0-30) * * * * *", "R"),
        ("* * * * * FRI-MON", "'FRI-MON'"),
        ("* * * * * 5-7", "'5-7'"),
        ("* * * * * 1-JAN", "is not valid"),
        ("5-5/0 * * * * *", "'5-5/0'"),
    ],
)
def test_what_is_not_a_schedule_is_refused(expression, reason):
    """With a message that shows what is wrong; also what is a schedule elsewhere, but not for Azure Functions."""
    with pytest.raises(ValueError, match=reason):
        Schedule.parse(expression)


def test_a_schedule_that_never_occurs_is_an_error():
    with pytest.raises(ValueError, match="never occurs"):
        Schedule.parse("0 0 0 31 2 *").next_after(datetime(2026, 11, 23, tzinfo=UTC))
