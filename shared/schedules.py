"""When a schedule is due: the times of a cron expression in a time zone, and which of them are made up for.

If an expression has both the day of the month and the day of the week, one of them suffices, as with cron and Kestra.
Daylight saving:

- A time that does not exist is due once, at the first moment after the gap.
- A time that exists twice is due once, the first time.
- What is due in every hour goes by the time that passes: it is due in an hour that comes twice both times, and not made
  up for in one that does not come.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import islice

from croniter import CroniterBadDateError, croniter

from shared.expressions.dates import zone_of

MISSED_AFTER = timedelta(minutes=10)
MAX_MISSED = 100
MAX_DATES = 1_000  # that are looked at to find those for which a condition holds
LONGEST_OVERLAP = timedelta(hours=3)
LONGEST_PAUSE = timedelta(days=9 * 366)  # from the 29th of February to the next one, across a year such as 2100
_MOMENT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_HOUR_FIELD = 1


@dataclass(frozen=True)
class Schedule:
    """A cron expression, as croniter reads it, in a time zone."""

    cron: str
    timezone: str = "UTC"

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The times after a moment, up to another one, in UTC."""
        last = after
        for moment in self._moments(after):
            if moment > until:
                return
            if moment > last:
                last = moment
                yield moment

    def latest(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The same times, the last one first."""
        span, end = timedelta(hours=1), until
        while end > after:
            start = max(after, end - span)
            yield from reversed(list(self.between(start, end)))
            end, span = start, 2 * span

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time after a moment; None if there is none, as on the 30th of February."""
        return next((each for each in self._moments(moment) if each > moment), None)

    def last_before(self, moment: datetime) -> datetime | None:
        """The last time before a moment; None if there is none."""
        if self._is_hourly:
            return next(self.latest(moment - LONGEST_PAUSE, moment - _MOMENT), None)
        walls = self._walls(self.local(moment).replace(tzinfo=None) + LONGEST_OVERLAP, backwards=True)
        return next((each for wall in walls if (each := self._once(wall)) < moment), None)

    def local(self, moment: datetime) -> datetime:
        """A moment, in its time zone."""
        return moment.astimezone(self._zone)

    @cached_property
    def _zone(self) -> tzinfo:
        return zone_of(self.timezone)

    @cached_property
    def _is_hourly(self) -> bool:
        return bool(croniter.expand(self.cron)[0][_HOUR_FIELD] == ["*"])

    def _moments(self, after: datetime) -> Iterator[datetime]:
        """The times from a moment on, in their order; some may be before it, or come twice."""
        again: list[datetime] = []  # the second times of an hour that comes twice, until it is their turn
        start = self.local(after).replace(tzinfo=None) - (LONGEST_OVERLAP if self._is_hourly else timedelta(0))
        for wall in self._walls(start):
            first = _in_utc(wall, self._zone, fold=0)
            while again and again[0] <= first:
                yield heapq.heappop(again)
            if self.local(first).replace(tzinfo=None) == wall:
                yield first
                if self._is_hourly and (second := _in_utc(wall, self._zone, fold=1)) != first:
                    heapq.heappush(again, second)
            elif not self._is_hourly:
                yield self._once(wall)

    def _walls(self, start: datetime, *, backwards: bool = False) -> Iterator[datetime]:
        """What a clock on the wall shows at the times after it shows `start`, or before."""
        dates = croniter(self.cron, start)
        try:
            while True:
                yield dates.get_prev(datetime) if backwards else dates.get_next(datetime)
        except (CroniterBadDateError, OverflowError):  # there is none within fifty years
            return

    def _once(self, wall: datetime) -> datetime:
        """When a clock on the wall shows a time first; the first moment after the gap in which that time is."""
        behind, before = (_in_utc(wall, self._zone, fold) for fold in (0, 1))
        if self.local(behind).replace(tzinfo=None) == wall:
            return behind
        offset = self.local(behind).utcoffset()
        while behind - before > _SECOND:
            middle = before + (behind - before) // 2
            if self.local(middle).utcoffset() == offset:
                behind = middle
            else:
                before = middle
        return behind.replace(microsecond=0)


def _in_utc(wall: datetime, zone: tzinfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


@dataclass(frozen=True)
class DueTimes:
    """The times for which runs are made, the oldest first; and whether there are too many, so that it has the last."""

    times: tuple[datetime, ...]
    leaves_out: bool = False


def due_times(
    schedule: Schedule, most_missed: int, after: datetime, now: datetime, holds: Callable[[datetime], bool]
) -> DueTimes:
    """The times after a moment for which runs are made now, if a condition holds for them.

    Missed is what was due more than ten minutes ago: the last of these are made, so many; younger times are all made.
    """
    limit = now - MISSED_AFTER - _MOMENT
    young = [time for time in schedule.between(max(after, limit), now) if holds(time)]
    dates = islice(schedule.latest(after, limit), MAX_DATES) if most_missed else iter(())
    missed = list(islice(filter(holds, dates), most_missed + 1))
    return DueTimes((*reversed(missed[:most_missed]), *young), leaves_out=len(missed) == MAX_MISSED + 1)
