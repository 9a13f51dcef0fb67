"""Timer schedules: NCRONTAB expressions of six fields.

`{second} {minute} {hour} {day} {month} {day-of-week}`; times are UTC. Day and day of week must both match, as in the
host's library and unlike Unix cron: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from croniter import croniter

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBERS = {name: number for number, name in [*enumerate(_MONTHS, 1), *enumerate(_DAYS)]}
_VALUE = "|".join(["[0-9]+", *_NUMBERS])
_ITEM = re.compile(rf"(?:\*|({_VALUE})(?:-({_VALUE}))?)(?:/0*[1-9][0-9]*)?")
_FIELDS = 6


@dataclass(frozen=True)
class Schedule:
    """A valid schedule: the expression as it was written, and as croniter reads it."""

    expression: str
    normal: str

    @classmethod
    def parse(cls, expression: str) -> Schedule:
        """Read an expression. Raises ValueError that says what is wrong."""
        fields = expression.upper().split()
        if len(fields) != _FIELDS:
            raise ValueError(f"the schedule {expression!r} must have six fields")
        try:
            normal = " ".join([*(_normal(field, 59) for field in fields[:-1]), _normal(fields[-1], 6)])
            croniter.expand(normal, second_at_beginning=True)
        except ValueError as error:
            raise ValueError(f"the schedule {expression!r} is not valid: {error}") from None
        return cls(expression, normal)

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence after an aware moment, in UTC.

        Raises ValueError if there is none, as on the 31st of February.
        """
        schedule = croniter(self.normal, moment.astimezone(UTC), second_at_beginning=True, day_or=False)
        try:
            return schedule.get_next(datetime)
        except ValueError as error:
            raise ValueError(f"the schedule {self.expression!r} never occurs") from error


def _normal(field: str, highest: int) -> str:
    """A field without what croniter reads differently from NCRONTAB. Raises ValueError for what only croniter accepts.

    croniter accepts letters such as L and W, 7 for Sunday, and ranges such as 5-3; it reads 5-5 as every value.
    """
    items = []
    for item in field.split(","):
        matched = _ITEM.fullmatch(item)
        if matched is None:
            raise ValueError(f"{item!r} is not a value or a range of values")
        numbers = [_NUMBERS[text] if text in _NUMBERS else int(text) for text in matched.groups() if text]
        if numbers != sorted(numbers) or max(numbers, default=0) > highest:
            raise ValueError(f"{item!r} is not between 0 and {highest}, or ends before it begins")
        is_one_value = len(numbers) > 1 and numbers[0] == numbers[1]
        items.append(f"{matched[1]},{matched[2]}" if is_one_value else item)
    return ",".join(items)
