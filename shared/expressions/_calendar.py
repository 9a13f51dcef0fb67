"""The functions of Kestra 2 about dates: `dayOfWeek()`, `isWeekend()` and the like.

They take a text in ISO 8601, and the day is the one that is written in it, whatever its time zone: DateUtils.java
(`parseLocalDate`) and Is…Function.java in https://github.com/kestra-io/kestra. `isDateBefore()`, `isDateAfter()` and
`isDateBetween()` (2.0.4) compare moments, and need a time zone: https://kestra.io/docs/expressions/functions/dates.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.expressions.dates import moment_of
from shared.expressions.values import ExpressionError, text_of

_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_SATURDAY = 5
_POSITIONS = ("FIRST", "SECOND", "THIRD", "FOURTH", "LAST")
_NO_TIME = 10  # characters of a date alone
_ZONE = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d)?|\])\Z")


def _moment(name: str, date: Any) -> datetime:  # noqa: ANN401 - values of any type, here and below
    """The moment of an argument, in the time zone in which it is written. Raises ExpressionError, DateError."""
    if date is None:
        raise ExpressionError(f"{name}() needs a date")
    if isinstance(date, datetime):
        return date
    if not isinstance(date, str):
        raise ExpressionError(f"{name}() takes a date as text, not {text_of(date)!r}")
    return moment_of(date, UTC, None)


def _day_of_week(date: Any) -> str:  # noqa: ANN401
    return _DAYS[_moment("dayOfWeek", date).weekday()]


def _day_of_month(date: Any) -> int:  # noqa: ANN401
    return _moment("dayOfMonth", date).day


def _month_of_year(date: Any) -> int:  # noqa: ANN401
    return _moment("monthOfYear", date).month


def _hour_of_day(date: Any) -> int:  # noqa: ANN401
    if isinstance(date, str) and len(date.strip()) <= _NO_TIME:
        raise ExpressionError(f"hourOfDay() needs a time, {date!r} is only a date")
    return _moment("hourOfDay", date).hour


def _is_weekend(date: Any) -> bool:  # noqa: ANN401
    return _moment("isWeekend", date).weekday() >= _SATURDAY


def _is_last_working_day(date: Any, workingDays: Any = None) -> bool:  # noqa: ANN401, N803 - Kestra's name
    """Whether no later day of the month is a working day: Monday to Friday, or those that are named."""
    moment = _moment("isLastWorkingDay", date)
    names = re.split(r"[,\s]+", text_of(workingDays).strip(", \t\r\n")) if text_of(workingDays).strip() else _DAYS[:5]
    working = {_weekday(name) for name in names}
    last = calendar.monthrange(moment.year, moment.month)[1]
    days = [day for day in range(1, last + 1) if calendar.weekday(moment.year, moment.month, day) in working]
    return moment.day == days[-1]


def _is_day_week_in_month(date: Any, dayOfWeek: Any, position: Any) -> bool:  # noqa: ANN401, N803 - Kestra's name
    """Whether it is for instance the second Monday of its month."""
    moment = _moment("isDayWeekInMonth", date)
    weekday, place = _weekday(dayOfWeek), text_of(position).upper()
    if place not in _POSITIONS:
        raise ExpressionError(f"there is no position {text_of(position)!r}; there is {', '.join(_POSITIONS)}")
    if moment.weekday() != weekday:
        return False
    if place == "LAST":
        return moment.day + 7 > calendar.monthrange(moment.year, moment.month)[1]
    return (moment.day - 1) // 7 == _POSITIONS.index(place)


def _weekday(name: Any) -> int:  # noqa: ANN401
    if text_of(name).upper() not in _DAYS:
        raise ExpressionError(f"there is no day {text_of(name)!r}; there is {', '.join(_DAYS)}")
    return _DAYS.index(text_of(name).upper())


def _instant(name: str, date: Any) -> datetime:  # noqa: ANN401
    if isinstance(date, str) and not _ZONE.search(date.strip()[_NO_TIME:]):
        raise ExpressionError(f"{name}() needs dates with a time zone, as in '2026-01-31T12:00:00Z', not {date!r}")
    return _moment(name, date)


def _is_before(date: Any, bound: Any, /) -> bool:  # noqa: ANN401
    return _instant("isDateBefore", date) < _instant("isDateBefore", bound)


def _is_after(date: Any, bound: Any, /) -> bool:  # noqa: ANN401
    return _instant("isDateAfter", date) > _instant("isDateAfter", bound)


def _is_between(date: Any, after: Any, before: Any, /) -> bool:  # noqa: ANN401
    first, moment, last = (_instant("isDateBetween", each) for each in (after, date, before))
    return first < moment < last


CALENDAR: Mapping[str, tuple[Callable[..., Any], str, str]] = {
    "dayOfWeek": (_day_of_week, "the name of a date's day, as in MONDAY", "dayOfWeek(execution.startDate)"),
    "dayOfMonth": (_day_of_month, "the day of a date, from 1", "dayOfMonth('2026-01-31')"),
    "monthOfYear": (_month_of_year, "the month of a date, from 1", "monthOfYear('2026-01-31')"),
    "hourOfDay": (_hour_of_day, "the hour of a date, from 0", "hourOfDay(execution.startDate)"),
    "isWeekend": (_is_weekend, "whether a date is a Saturday or a Sunday", "isWeekend('2026-01-31')"),
    "isLastWorkingDay": (
        _is_last_working_day,
        "whether a date is the last working day of its month; working days may be named",
        "isLastWorkingDay('2026-01-30')",
    ),
    "isDayWeekInMonth": (
        _is_day_week_in_month,
        "whether a date is the FIRST, SECOND, THIRD, FOURTH or LAST such day of its month",
        "isDayWeekInMonth('2026-01-30', 'FRIDAY', 'LAST')",
    ),
    "isDateBefore": (_is_before, "whether a date is before another one", "isDateBefore(now(), '2027-01-01T00:00:00Z')"),
    "isDateAfter": (_is_after, "whether a date is after another one", "isDateAfter(now(), '2026-01-01T00:00:00Z')"),
    "isDateBetween": (
        _is_between,
        "whether a date is after the first and before the second one",
        "isDateBetween(now(), '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')",
    ),
}
