"""The conditions of Kestra 1 hold for the same dates as there, once they are expressions."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.expressions.render import render
from shared.manifest.conditions import Condition, DateCondition

PACKAGE, OLD = "io.kestra.plugin.core.condition", "io.kestra.core.models.conditions.types"
READ: TypeAdapter[Condition] = TypeAdapter(DateCondition)
MONDAY, SUNDAY = "2026-11-30T23:30:00+01:00", "2026-11-29T10:00:00Z"
WEEKEND = {"type": f"{PACKAGE}.Weekend"}


def holds(kind: str, due: str = MONDAY, /, **properties: object) -> bool:
    condition = READ.validate_python({"type": kind if "." in kind else f"{PACKAGE}.{kind}", **properties})
    values = {"trigger": {"date": due}, "vars": {"day": "MONDAY", "no": False, "zero": 0, "none": None, "blank": "  "}}
    found = [render(f"{{{{ {condition.expression()} }}}}", values, {}, major=major) for major in (1, 2)]
    assert found[0] == found[1]
    assert found[0] in ("true", "false")
    return found[0] == "true"


def test_a_day_of_the_week_is_that_of_the_date_as_it_is_written() -> None:
    assert holds("DayWeek", dayOfWeek="MONDAY")
    assert not holds("DayWeek", SUNDAY, dayOfWeek="MONDAY")
    assert holds("DayWeek", dayOfWeek="{{ vars.day }}")
    assert holds("DayWeek", SUNDAY, dayOfWeek="MONDAY", date="2026-11-30")
    assert holds("DayWeek", date="{{ trigger.date | dateAdd(1, 'DAYS') }}", dayOfWeek="TUESDAY")


@pytest.mark.parametrize("name", [f"{PACKAGE}.Weekend", f"{PACKAGE}.WeekendCondition", f"{OLD}.WeekendCondition"])
def test_all_names_that_a_condition_has_had_are_known(name: str) -> None:
    assert holds(name, SUNDAY)
    assert not holds(name)


def test_the_place_of_a_day_in_its_month() -> None:
    assert holds("DayWeekInMonth", "2026-11-02T00:00:00Z", dayOfWeek="MONDAY", dayInMonth="FIRST")
    assert not holds("DayWeekInMonth", "2026-11-09T00:00:00Z", dayOfWeek="MONDAY", dayInMonth="FIRST")
    assert holds("DayWeekInMonth", dayOfWeek="MONDAY", dayInMonth="LAST")


@pytest.mark.parametrize(
    ("date", "bounds", "expected"),
    [
        ("2026-01-01T16:00:01Z", {"after": "16:00:00Z"}, True),
        ("2026-01-01T16:00:00Z", {"after": "16:00:00Z"}, False),
        ("2026-01-01T15:59:59Z", {"before": "16:00:00Z"}, True),
        ("2026-01-01T17:00:00Z", {"after": "16:00:00Z", "before": "20:00:00Z"}, True),
        ("2026-01-01T21:00:00Z", {"after": "16:00:00Z", "before": "20:00:00Z"}, False),
        ("2026-01-01T23:00:00Z", {"after": "22:00:00Z", "before": "02:00:00Z"}, True),
        ("2026-01-01T01:00:00Z", {"after": "22:00:00Z", "before": "02:00:00Z"}, True),
        ("2026-01-01T12:00:00Z", {"after": "22:00:00Z", "before": "02:00:00Z"}, False),
        ("2026-01-01T12:00:00Z", {"after": "12:00:00Z", "before": "12:00:00Z"}, False),
        ("2026-01-01T16:30:00+01:00", {"after": "16:00:00+01:00"}, True),
        ("2026-01-01T16:30:00+01:00", {"after": "16:00:00Z"}, False),
        ("2026-01-01T00:30:00+02:00", {"after": "22:00:00Z"}, False),
    ],
)
def test_times_compare_as_javas_times_with_offsets(date: str, bounds: dict[str, str], expected: bool) -> None:
    """As OffsetTime: half past midnight at +02:00 is before 22:00Z of the same day."""
    assert holds("TimeBetween", date, **bounds) is expected


def test_dates_are_between_two_moments_which_do_not_belong_to_it() -> None:
    assert holds("DateTimeBetween", after="2026-11-30T22:29:59Z", before="2026-11-30T22:30:01Z")
    assert not holds("DateTimeBetween", after="2026-11-30T22:30:00Z")
    assert not holds("DateTimeBetween", before="2026-11-30T22:30:00Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ vars.day }}", True), ("{{ vars.no }}", False), ("{{ vars.none }}", False), ("{{ vars.blank }}", False),
        ("{{ vars.zero }}", True), ("{{ vars.day == 'MONDAY' }}", True), ("true", True), ("false", False),
        ("it's", True), (" {{- vars.no -}} ", False),
    ],
)  # fmt: skip
def test_an_expression_holds_unless_it_is_blank_or_false(text: str, expected: bool) -> None:
    """As Expression.java: `0` holds, unlike in `when`."""
    assert holds("Expression", expression=text) is expected


def test_not_and_or_ask_their_conditions() -> None:
    monday = {"type": f"{PACKAGE}.DayWeek", "dayOfWeek": "MONDAY"}
    assert holds("Or", conditions=[WEEKEND, monday])
    assert not holds("Or", "2026-12-01T00:00:00Z", conditions=[WEEKEND, monday])
    assert holds("Not", "2026-12-01T00:00:00Z", conditions=[WEEKEND, monday])
    assert not holds("Not", conditions=[WEEKEND, monday])
    assert holds("Not", conditions=[{"type": f"{PACKAGE}.Or", "conditions": [WEEKEND]}])


@pytest.mark.parametrize("text", ["{{ a }}{{ b }}", "x{{ a }}", "{% if a %}b{% endif %}", "'\""])
def test_a_text_that_is_no_one_expression_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"one expression in \{\{ \}\}|both kinds of quotes"):
        READ.validate_python({"type": f"{PACKAGE}.Expression", "expression": text})
