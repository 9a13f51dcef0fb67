"""Kestra 1's `conditions` of triggers, lowered to expressions, as `when` of Kestra 2 has them.

Each does what its class does in core/src/main/java/io/kestra/plugin/core/condition of https://github.com/kestra-io/kestra
(1.3); what Kestra 2 has instead is in the migration guide that `kestra_2.py` names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from shared.errors import did_you_mean
from shared.manifest._condition_texts import checked, in_expression
from shared.manifest.types import Properties, Text

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

CONDITIONS = "io.kestra.plugin.core.condition"
_OLD_PACKAGE = "io.kestra.core.models.conditions.types"
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_POSITIONS = ("FIRST", "LAST", "SECOND", "THIRD", "FOURTH")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if "{{" not in text and text not in names:
            raise ValueError(f"expected {', '.join(names)}, found {text!r}{did_you_mean(text, names)}")
        return checked(text)

    return check


def _time(text: str) -> str:
    try:
        if _TIME.fullmatch(text):
            time.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise ValueError(f"expected a time with its offset, such as 16:00:00Z or 16:00:00+02:00, found {text!r}")


@dataclass(frozen=True)
class Kind:
    """Marks the type of a condition with the last part of its name; `old` is what that was in old versions."""

    name: str
    old: str = ""

    def types(self) -> list[str]:
        """All names that the type has had in Kestra."""
        now, old = f"{CONDITIONS}.{self.name}", self.old or f"{self.name}Condition"
        return [now, f"{CONDITIONS}.{self.name}Condition", f"{_OLD_PACKAGE}.{old}"]

    def __get_pydantic_json_schema__(self, _: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """One of these names."""
        return {"type": "string", "enum": self.types()}


_DATE = Annotated[Text, AfterValidator(checked)]
_OF_TRIGGER = "{{ trigger.date }}"


class Condition(Properties):
    """What all conditions have in common."""

    type: str
    """Kestra's type."""

    def expression(self) -> str:
        """What must hold, without braces; empty if that is no expression."""
        return ""


class DayWeek(Condition):
    """Holds on one day of the week."""

    type: Annotated[str, Kind("DayWeek")]
    date: _DATE = _OF_TRIGGER
    """The date."""
    day_of_week: Annotated[Text, AfterValidator(_one_of(_DAYS))]
    """The day, as in MONDAY."""

    def expression(self) -> str:
        """As DayWeek.java."""
        return f"dayOfWeek({in_expression(self.date)}) == {in_expression(self.day_of_week)}"


class DayWeekInMonth(Condition):
    """Holds on the first, second, third, fourth or last such day of a month."""

    type: Annotated[str, Kind("DayWeekInMonth")]
    date: _DATE = _OF_TRIGGER
    """The date."""
    day_of_week: Annotated[Text, AfterValidator(_one_of(_DAYS))]
    """The day, as in MONDAY."""
    day_in_month: Annotated[Text, AfterValidator(_one_of(_POSITIONS))]
    """Which of them: FIRST, SECOND, THIRD, FOURTH or LAST."""

    def expression(self) -> str:
        """As DayWeekInMonth.java."""
        arguments = ", ".join(map(in_expression, (self.date, self.day_of_week, self.day_in_month)))
        return f"isDayWeekInMonth({arguments})"


class Weekend(Condition):
    """Holds on Saturdays and Sundays."""

    type: Annotated[str, Kind("Weekend")]
    date: _DATE = _OF_TRIGGER
    """The date."""

    def expression(self) -> str:
        """As Weekend.java."""
        return f"isWeekend({in_expression(self.date)})"


class _Between(Condition):
    date: _DATE = _OF_TRIGGER
    """The date."""

    def _bounds(self) -> tuple[str | None, str | None]:
        raise NotImplementedError

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if self._bounds() == (None, None):
            raise ValueError("this has neither `after` nor `before`")
        return self


class TimeBetween(_Between):
    """Holds between two times of a day, or from one evening to the next morning."""

    type: Annotated[str, Kind("TimeBetween")]
    after: Annotated[Text, AfterValidator(_time)] | None = None
    """The time must be after this one, which has its offset: `16:00:00Z`."""
    before: Annotated[Text, AfterValidator(_time)] | None = None
    """The time must be before this one."""

    def _bounds(self) -> tuple[str | None, str | None]:
        return self.after, self.before

    def expression(self) -> str:
        """As TimeBetween.java: times with offsets compare as if both were on the day of the date."""
        date = in_expression(self.date)
        day = f"({date} | substringBefore('T')) ~ 'T"
        parts = [
            f"{name}({date}, {day}{bound}')"
            for name, bound in (("isDateAfter", self.after), ("isDateBefore", self.before))
            if bound
        ]
        is_over_night = self.after and self.before and not _of_day(self.after) < _of_day(self.before)
        return f"({' or '.join(parts)})" if is_over_night else " and ".join(parts)


def _of_day(text: str) -> float:
    """The seconds from the beginning of the day in UTC; less than none where the offset says so (OffsetTime.java)."""
    moment = time.fromisoformat(text)
    offset = moment.utcoffset()
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return seconds - (offset.total_seconds() if offset else 0)


class DateTimeBetween(_Between):
    """Holds between two dates."""

    type: Annotated[str, Kind("DateTimeBetween")]
    after: _DATE | None = None
    """The date must be after this one, which has its time zone: `2026-01-31T12:00:00Z`."""
    before: _DATE | None = None
    """The date must be before this one."""

    def _bounds(self) -> tuple[str | None, str | None]:
        return self.after, self.before

    def expression(self) -> str:
        """As DateTimeBetween.java."""
        date = in_expression(self.date)
        bounds = (("isDateAfter", self.after), ("isDateBefore", self.before))
        return " and ".join(f"{name}({date}, {in_expression(bound)})" for name, bound in bounds if bound)


class Expression(Condition):
    """Holds if a text is neither empty nor `false`."""

    type: Annotated[str, Kind("Expression", "VariableCondition")]
    expression_: _DATE = Field(alias="expression")
    """The text: one expression."""

    def expression(self) -> str:
        """As Expression.java, for which `0` holds."""
        return f"not (['', 'false'] contains (({in_expression(self.expression_)} ~ '') | trim))"


class Not(Condition):
    """Holds if none of its conditions does."""

    type: Annotated[str, Kind("Not")]
    conditions: Annotated[tuple[DateCondition, ...], Field(min_length=1)]
    """The conditions."""

    def expression(self) -> str:
        """As Not.java."""
        return f"not ({_any_of(self.conditions)})"


class Or(Condition):
    """Holds if one of its conditions does."""

    type: Annotated[str, Kind("Or")]
    conditions: Annotated[tuple[DateCondition, ...], Field(min_length=1)]
    """The conditions."""

    def expression(self) -> str:
        """As Or.java."""
        return f"({_any_of(self.conditions)})"


def _any_of(conditions: tuple[DateCondition, ...]) -> str:
    return " or ".join(f"({each.expression()})" for each in conditions)


_IN_WHEN = "write an expression into `when`"
_INSTEAD: Mapping[str, str] = {
    "PublicHoliday": "there are no calendars of holidays; list the days in `variables`, and write"
    " `when: \"{{ not (vars.holidays contains (trigger.date | substringBefore('T'))) }}\"`",
    "ExecutionOutputs": "write `when`, as in `{{ trigger.outputs.rows > 0 }}`",
    **dict.fromkeys(("Multiple", "MultipleCondition"), "a trigger follows one flow; write a trigger for each"),
    **dict.fromkeys(
        ("ExecutionFlow", "ExecutionNamespace", "ExecutionStatus", "ExecutionLabels"), "it is one of a Flow trigger"
    ),
}


def _refuse(written: str, known: Iterable[str]) -> str:
    """Raise ValueError that says what to write for a condition that does not exist here."""
    name = written.rpartition(".")[2].removesuffix("Condition")
    hint = did_you_mean(written, [f"{CONDITIONS}.{each}" for each in known])
    raise ValueError(f"there is no condition {written!r} here{hint or ': ' + _INSTEAD.get(name, _IN_WHEN)}")


class OtherCondition(Condition):
    """A condition that does not exist here."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, AfterValidator(lambda written: _refuse(written, DATES))]


DATE_CONDITIONS: tuple[type[Condition], ...] = (
    DayWeek, DayWeekInMonth, Weekend, TimeBetween, DateTimeBetween, Expression, Not, Or,
)  # fmt: skip
DATES = tuple(model.__name__ for model in DATE_CONDITIONS)
"""The conditions of dates, by the last part of their types."""


def tag_of(value: object, kinds: Iterable[str]) -> str:
    """The tag of a condition that is one of some kinds."""
    written = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    package, _, name = str(written).rpartition(".")
    if package not in (CONDITIONS, _OLD_PACKAGE):
        return "<OtherCondition>"
    known = next((each for each in kinds if name in (each, f"{each}Condition")), None)
    return f"<{known or ('Expression' if name == 'VariableCondition' else 'OtherCondition')}>"


OfDate = (
    Annotated[DayWeek, Tag("<DayWeek>")]
    | Annotated[DayWeekInMonth, Tag("<DayWeekInMonth>")]
    | Annotated[Weekend, Tag("<Weekend>")]
    | Annotated[TimeBetween, Tag("<TimeBetween>")]
    | Annotated[DateTimeBetween, Tag("<DateTimeBetween>")]
    | Annotated[Expression, Tag("<Expression>")]
    | Annotated[Not, Tag("<Not>")]
    | Annotated[Or, Tag("<Or>")]
)
"""The conditions of dates: members of the unions below, and of those of a Flow trigger."""

DateCondition = Annotated[
    OfDate | Annotated[OtherCondition, Tag("<OtherCondition>")],
    Discriminator(lambda value: tag_of(value, DATES)),
]

for _model in (Not, Or):
    _model.model_rebuild()
