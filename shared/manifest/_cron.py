"""Cron expressions, as Kestra's Schedule reads them.

The fields are those of `CRON_DEFINITION_BUILDER` of Kestra's Schedule, with the forms that cron-utils has for them
(https://github.com/jmrozanec/cron-utils, `FieldParser`): `*`, `1`, `1-5`, `1,3`, `*/15`, `5/15`, `1-30/5`; ranges are
strict, so that `5-1` is refused. `L`, the last day of a month, is of Kestra 2. If both days of the month and of the
week are given, each of them is due (`SingleExecutionTime`).
https://github.com/kestra-io/kestra/blob/develop/core/src/main/java/io/kestra/plugin/core/trigger/Schedule.java
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import did_you_mean

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_LAST, _ALL = "L", "*"
_SUNDAY = 7
_DAYS_IN = dict(zip(range(1, 13), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_DAY, _MONTH, _WEEKDAY = _Field("day", 1, 31), _Field("month", 1, 12, _MONTHS), _Field("day of the week", 0, 7, _DAYS)
_FIELDS = (_Field("minute", 0, 59), _Field("hour", 0, 23), _DAY, _MONTH, _WEEKDAY)
_PART = re.compile(r"(?:(\*)|([0-9A-Z]+)(?:-([0-9A-Z]+))?)(?:/([0-9]+))?")


def normal_cron(expression: str) -> str:
    """An expression as five lists of numbers, `*` and `L`, which every reader of cron expressions reads alike.

    Raises ValueError with what is wrong with it.
    """
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in NICKNAMES:
            hint = did_you_mean(text.lower(), NICKNAMES) or f"; there is {', '.join(NICKNAMES)}"
            raise ValueError(f"there is no cron nickname {text!r}{hint}")
        return NICKNAMES[text.lower()]
    fields = text.upper().split()
    if len(fields) != len(_FIELDS):
        seconds = "; the seconds are none of them" if len(fields) == len(_FIELDS) + 1 else ""
        names = ", ".join(field.name for field in _FIELDS)
        raise ValueError(f"a cron expression has five fields ({names}), this has {len(fields)}{seconds}")
    found = [_values(field, written) for field, written in zip(_FIELDS, fields, strict=True)]
    _check_occurs(expression, *found[2:])
    if _ALL not in (fields[2], fields[4]) and (_is_all(_DAY, found[2]) or _is_all(_WEEKDAY, found[4])):
        found[2] = found[4] = None
    return " ".join(_ALL if values is None else ",".join(map(str, values)) for values in found)


def _values(field: _Field, written: str) -> list[int | str] | None:
    """The values of a field; None for all of them."""
    if written == _ALL:
        return None
    found: set[int | str] = set()
    for part in written.split(","):
        found |= {_LAST} if part == _LAST and field is _DAY else _range(field, part)
    return sorted(found, key=str if _LAST in found else int)


def _range(field: _Field, part: str) -> set[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is no {field.name}, and no range of them{_advice(part)}")
    every, first, last, step = match.groups()
    if step is not None and not 1 <= int(step) <= field.most:
        raise ValueError(f"the step of {part!r} must be from 1 to {field.most}")
    begin = field.least if every else _number(field, first)
    end = field.most if every or (step and last is None) else _number(field, last or first)
    if field is _WEEKDAY and begin == _SUNDAY and last:
        begin = 0
    if end < begin:
        two = f"{first}-{field.most},{field.least}-{last}"
        raise ValueError(f"the range {part!r} ends before it begins: write it as two, {two}")
    values = range(begin, end + 1, int(step or 1))
    return {value % _SUNDAY for value in values} if field is _WEEKDAY else set(values)


def _number(field: _Field, text: str) -> int:
    if text in field.names:
        return field.names.index(text) + 1
    if not text.isdigit():
        raise ValueError(f"{text!r} is no {field.name}{did_you_mean(text, field.names) or _advice(text)}")
    if not field.least <= int(text) <= field.most:
        raise ValueError(f"the {field.name} {text} is not from {field.least} to {field.most}")
    return int(text)


def _advice(part: str) -> str:
    if part == "?":
        return ": write *"
    if part.endswith(_LAST) or "#" in part or "W" in part:
        return "; of the letters and signs of Quartz there is only L, for the last day of a month: use `when`"
    return ""


def _is_all(field: _Field, values: list[int | str] | None) -> bool:
    whole = range(field.least, field.most + (field is not _WEEKDAY))
    return values is None or set(whole) <= set(values)


def _check_occurs(
    expression: str, days: list[int | str] | None, months: list[int | str] | None, weekdays: list[int | str] | None
) -> None:
    if days is None or _LAST in days or weekdays is not None:
        return
    if min(map(int, days)) > max(_DAYS_IN[int(month)] for month in months or _DAYS_IN):
        raise ValueError(f"{expression!r} never occurs: none of its months has so many days")
