"""Timer schedules: NCRONTAB expressions of six fields. Pure.

`{second} {minute} {hour} {day} {month} {day-of-week}`; times are UTC. Day and day of week must both match, as in the
host's library and unlike Unix cron: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
_LONGEST_SEARCH = timedelta(days=8 * 366)  # the 29th of February may be eight years away


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> tuple[int, ...]:
        """The values that the field allows, ascending."""
        return tuple(sorted(set(itertools.chain.from_iterable(self._parse_item(item) for item in text.split(",")))))

    def _parse_item(self, item: str) -> range:
        matched = _ITEM.fullmatch(item)
        if matched is None:
            raise ValueError(f"{item!r} is not a value of the field {self.name}")
        first, last, step = matched.group("first", "last", "step")
        lowest = self._value(first) if first else self.lowest
        highest = self._value(last) if last else lowest if first and not step else self.highest
        if highest < lowest or step == "0":
            raise ValueError(f"{item!r} is not a range of the field {self.name}")
        return range(lowest, highest + 1, int(step or 1))

    def _value(self, text: str) -> int:
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.lowest
        if not text.isdecimal() or not self.lowest <= int(text) <= self.highest:
            raise ValueError(
                f"{text!r} is not between {self.lowest} and {self.highest}, as the field {self.name} must be"
            )
        return int(text)


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 0, 6, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """A parsed expression; each field holds the values it allows, ascending."""

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    days_of_week: tuple[int, ...]

    @classmethod
    def parse(cls, expression: str) -> Schedule:
        """Read an expression. Raises ValueError that says what is wrong."""
        texts = expression.split()
        if len(texts) != len(_FIELDS):
            raise ValueError(f"the schedule {expression!r} must have six fields")
        try:
            return cls(expression, *(field.parse(text) for field, text in zip(_FIELDS, texts, strict=True)))
        except ValueError as error:
            raise ValueError(f"the schedule {expression!r} is not valid: {error}") from None

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence after an aware moment, in UTC.

        Raises ValueError if there is none, as on the 31st of February.
        """
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for days in range(_LONGEST_SEARCH.days):
            day = start.date() + timedelta(days=days)
            if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.days_of_week:
                found = self._first_time(time.min if days else start.time())
                if found is not None:
                    return datetime.combine(day, found, UTC)
        raise ValueError(f"the schedule {self.expression!r} never occurs")

    def _first_time(self, earliest: time) -> time | None:
        hours = (hour for hour in self.hours if hour >= earliest.hour)
        times = (time(*clock) for clock in itertools.product(hours, self.minutes, self.seconds))
        return next((candidate for candidate in times if candidate >= earliest), None)
