"""When schedules are due: across daylight saving, on leap days, and after ticks that did not come."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.schedules import MAX_MISSED, Schedule, due_times

ALL, LAST, NONE = MAX_MISSED, 1, 0
SPRING = {
    "Europe/Berlin": ("2026-03-28T22:30", "2026-03-29T04:00"),
    "America/New_York": ("2026-03-08T03:30", "2026-03-08T09:00"),
    "Australia/Lord_Howe": ("2026-10-03T12:30", "2026-10-03T17:30"),
}
AUTUMN = {
    "Europe/Berlin": ("2026-10-24T22:30", "2026-10-25T04:00"),
    "America/New_York": ("2026-11-01T03:30", "2026-11-01T08:00"),
    "Australia/Lord_Howe": ("2026-04-04T12:30", "2026-04-04T17:30"),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(cron: str, zone: str, span: tuple[str, str]) -> list[str]:
    """The times of a schedule in UTC, without the day."""
    schedule, after, until = Schedule(cron, zone), *map(utc, span)
    times = list(schedule.between(after, until))
    assert times == sorted(set(times))
    assert list(schedule.latest(after, until)) == times[::-1]
    assert _step_by_step(schedule, after, until) == times
    return [f"{time:%H:%M}" for time in times]


def _step_by_step(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    times = []
    while (moment := schedule.next_after(after)) and moment <= until:
        assert schedule.last_before(moment + timedelta(microseconds=1)) == moment
        times.append(after := moment)
    return times


@pytest.mark.parametrize(
    ("cron", "berlin", "new_york", "lord_howe"),
    [
        ("30 2 * * *", ["01:00"], ["07:00"], ["15:30"]),
        ("15 2 * * *", ["01:00"], ["07:00"], ["15:30"]),
        ("*/15 2 * * *", ["01:00"], ["07:00"], ["15:30", "15:45"]),
        ("0 2,3 * * *", ["01:00"], ["07:00"], ["15:30", "16:00"]),
        ("0 3 * * *", ["01:00"], ["07:00"], ["16:00"]),
        ("30 1 * * *", ["00:30"], ["06:30"], ["15:00"]),
        ("0 */2 * * *", ["23:00", "01:00", "02:00", "04:00"], ["05:00", "07:00", "08:00"], ["13:30", "15:30", "17:00"]),
    ],
)
def test_a_time_that_does_not_exist_is_due_once_at_the_first_moment_after_the_gap(
    cron: str, berlin: list[str], new_york: list[str], lord_howe: list[str]
) -> None:
    """At two the clocks show three, on Lord Howe Island half past two."""
    found = [due(cron, zone, span) for zone, span in SPRING.items()]
    assert found == [berlin, new_york, lord_howe]


@pytest.mark.parametrize(
    ("cron", "berlin", "new_york", "lord_howe"),
    [
        ("30 2 * * *", ["00:30"], ["07:30"], ["16:00"]),
        ("30 1 * * *", ["23:30"], ["05:30"], ["14:30"]),
        ("45 1 * * *", ["23:45"], ["05:45"], ["14:45"]),
        ("*/30 2 * * *", ["00:00", "00:30"], ["07:00", "07:30"], ["15:30", "16:00"]),
        ("0 3 * * *", ["02:00"], ["08:00"], ["16:30"]),
        ("0 */2 * * *", ["00:00", "03:00"], ["04:00", "07:00"], ["13:00", "15:30", "17:30"]),
    ],
)
def test_a_time_that_exists_twice_is_due_the_first_time(
    cron: str, berlin: list[str], new_york: list[str], lord_howe: list[str]
) -> None:
    """At three the clocks show two (Berlin), at two one (New York), at two half past one (Lord Howe Island)."""
    found = [due(cron, zone, span) for zone, span in AUTUMN.items()]
    assert found == [berlin, new_york, lord_howe]


@pytest.mark.parametrize("changes", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("cron", "every"), [("30 * * * *", 60), ("@hourly", 60), ("*/20 * * * *", 20), ("* * * * *", 1)]
)
def test_what_is_due_in_every_hour_goes_by_the_time_that_passes(
    cron: str, every: int, zone: str, changes: dict[str, tuple[str, str]]
) -> None:
    after, until = map(utc, changes[zone])
    times = list(Schedule(cron, zone).between(after, until))
    assert {later - time for time, later in itertools.pairwise(times)} == {timedelta(minutes=every)}


def test_on_lord_howe_island_an_hour_that_comes_half_has_half_of_its_times() -> None:
    zone = "Australia/Lord_Howe"
    assert due("45 * * * *", zone, SPRING[zone]) == ["13:15", "14:15", "15:15", "15:45", "16:45"]
    assert due("45 * * * *", zone, AUTUMN[zone]) == ["12:45", "13:45", "14:45", "15:15", "16:15", "17:15"]
    assert due("0 * * * *", zone, SPRING[zone]) == ["13:30", "14:30", "16:00", "17:00"]


def test_it_makes_no_difference_where_in_an_hour_that_comes_twice_one_begins() -> None:
    schedule, until = Schedule("*/20 * * * *", "Europe/Berlin"), utc("2026-10-25T02:00")
    whole = list(schedule.between(utc("2026-10-24T23:00"), until))
    for minute in range(180):
        after = utc("2026-10-24T23:00") + timedelta(minutes=minute, seconds=7)
        assert list(schedule.between(after, until)) == [time for time in whole if time > after]


def test_leap_days_and_days_that_never_come() -> None:
    leap = Schedule("0 0 29 2 *")
    assert list(leap.between(utc("2024-02-29"), utc("2033-01-01"))) == [utc("2028-02-29"), utc("2032-02-29")]
    assert leap.last_before(utc("2028-02-29")) == utc("2024-02-29")
    assert leap.last_before(utc("2104-02-29")) == utc("2096-02-29")
    assert leap.next_after(utc("2096-03-01")) == utc("2104-02-29")
    never = Schedule("0 0 30 2 *")
    assert never.next_after(utc("2026-01-01")) is None
    assert never.last_before(utc("2026-01-01")) is None
    assert list(Schedule("0 0 L 2 *").between(utc("2027-01-01"), utc("2029-01-01"))) == [
        utc("2027-02-28"),
        utc("2028-02-29"),
    ]


@pytest.mark.parametrize(
    ("nickname", "cron"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_nicknames_are_short_for_expressions(nickname: str, cron: str) -> None:
    moment = utc("2026-05-14T10:30")
    for _ in range(30):
        following = Schedule(cron).next_after(moment)
        assert following
        assert Schedule(nickname).next_after(moment) == following
        moment = following


def test_a_day_of_the_month_or_of_the_week_suffices() -> None:
    times = Schedule("0 0 13 * 5").between(utc("2026-02-01"), utc("2026-02-28"))
    assert [time.day for time in times] == [6, 13, 20, 27]


def test_times_are_after_the_first_moment_and_up_to_the_last() -> None:
    hourly = Schedule("0 * * * *")
    assert list(hourly.between(utc("2026-01-01T10:00"), utc("2026-01-01T12:00"))) == [
        utc("2026-01-01T11:00"),
        utc("2026-01-01T12:00"),
    ]
    assert list(hourly.between(utc("2026-01-01T12:00"), utc("2026-01-01T10:00"))) == []
    assert list(hourly.latest(utc("2026-01-01T12:00"), utc("2026-01-01T10:00"))) == []


# --- what was missed

NOW = utc("2026-05-14T12:00")
EVERY_FIVE = Schedule("*/5 * * * *")


def made(most: int, *, after: timedelta, holds: Callable[[datetime], bool] = lambda _: True) -> list[int]:
    """How many minutes ago the times are that are made now."""
    found = due_times(EVERY_FIVE, most, NOW - after, NOW, holds)
    return [int((NOW - time).total_seconds() / 60) for time in found.times]


@pytest.mark.parametrize(
    ("most", "minutes"), [(ALL, [25, 20, 15, 10, 5, 0]), (LAST, [15, 10, 5, 0]), (NONE, [10, 5, 0])]
)
def test_what_is_older_than_ten_minutes_was_missed(most: int, minutes: list[int]) -> None:
    assert made(most, after=timedelta(minutes=30)) == minutes
    assert made(most, after=timedelta(minutes=10)) == [5, 0]
    assert made(most, after=timedelta(0)) == []
    assert made(most, after=timedelta(minutes=-60)) == [], "a clock that went back"


def test_of_many_that_were_missed_the_last_hundred_are_made_up_for() -> None:
    assert len(made(ALL, after=timedelta(days=400))) == MAX_MISSED + 3
    found = due_times(EVERY_FIVE, ALL, NOW - timedelta(days=1), NOW, lambda _: True)
    assert found.leaves_out
    assert found.times[0] == NOW - timedelta(minutes=15 + 5 * (MAX_MISSED - 1))
    just_all = due_times(EVERY_FIVE, ALL, found.times[0] - timedelta(minutes=1), NOW, lambda _: True)
    assert (just_all.times, just_all.leaves_out) == (found.times, False)
    assert not due_times(EVERY_FIVE, LAST, NOW - timedelta(days=1), NOW, lambda _: True).leaves_out


def test_a_time_for_which_the_condition_does_not_hold_is_none() -> None:
    def at_the_hour(time: datetime) -> bool:
        return time.minute == 0

    assert made(LAST, after=timedelta(hours=5), holds=at_the_hour) == [60, 0]
    assert made(ALL, after=timedelta(hours=3, minutes=1), holds=at_the_hour) == [180, 120, 60, 0]
    assert made(ALL, after=timedelta(hours=3), holds=lambda _: False) == []
