"""A simulated week with 200 schedules: no due time is lost, and none becomes two runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.simulation.week import simulated

AUTUMN, SPRING = datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 28, 20, tzinfo=UTC)
NIGHT = 0.4


@pytest.mark.parametrize(
    ("start", "days"),
    [
        pytest.param(AUTUMN, NIGHT, id="a night in which an hour comes twice"),
        pytest.param(SPRING, NIGHT, id="a night in which an hour does not come", marks=pytest.mark.chaos),
        pytest.param(AUTUMN, 7, id="a week", marks=pytest.mark.chaos),
        pytest.param(SPRING, 7, id="a week in spring", marks=pytest.mark.chaos),
    ],
)
@pytest.mark.timeout(900)
def test_no_due_time_is_lost_or_doubled(start: datetime, days: float) -> None:
    week = simulated(start, 200, days)
    assert week.problems() == []
    assert week.dead
    assert week.overtaken
    assert week.executed > 600 * days
