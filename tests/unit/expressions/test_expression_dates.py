"""Dates in expressions, as Kestra reads and writes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.expressions.date_patterns import NAMES
from shared.expressions.render import render
from shared.expressions.values import ExpressionError

VALUES = {
    "zoned": datetime(2013, 9, 8, 16, 19, 12, 123456, tzinfo=timezone(timedelta(hours=1))),
    "utc": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def rendered(expression: str) -> str:
    return render(f"{{{{ {expression} }}}}", VALUES, {})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        # From Kestra's own tests.
        ("zoned | date(format='iso', timeZone='Europe/Paris')", "2013-09-08T17:19:12.123456+02:00"),
        ("zoned | date(format='iso_sec', timeZone='Europe/Paris')", "2013-09-08T17:19:12+02:00"),
        ("'July 24, 2001' | date('yyyy-MM-dd', existingFormat='MMMM dd, yyyy')", "2001-07-24"),
        ("'2013-09-08T17:19:12+02:00' | date(timeZone='Europe/Paris')", "2013-09-08T17:19:12.000000+02:00"),
        ("'2013-09-08T17:19:12' | date(timeZone='Europe/Paris')", "2013-09-08T17:19:12.000000+02:00"),
        ("'2013-09-08' | date(timeZone='Europe/Paris')", "2013-09-08T00:00:00.000000+02:00"),
        ("zoned | timestamp", "1378653552"),
        ("zoned | timestampMilli", "1378653552123"),
        ("(zoned | timestamp) > (zoned | dateAdd(-1, 'DAYS') | timestamp)", "true"),
        (
            "'Tue, 08 Feb 2022 19:38:26 GMT' | date(existingFormat='rfc_1123_date_time', timeZone='Europe/Paris')",
            "2022-02-08T20:38:26.000000+01:00",
        ),
        ("zoned | dateAdd(-1, 'DAYS', timeZone='Europe/Paris')", "2013-09-07T17:19:12.123456+02:00"),
        (
            "'2013-09-08T16:19:00+02' | dateAdd('1', 'DAYS') | date('yyyy-MM-dd HH:mm z', timeZone='Australia/Perth')",
            "2013-09-09 22:19 AWST",
        ),
        ("null | dateAdd(1, 'DAYS') | date('yyyy')", ""),
        # By definition of the patterns.
        ("zoned | date", "2013-09-08T15:19:12.123456Z"),
        ("1378653552 | date('sql_seq')", "2013-09-08 15:19:12"),
        ("utc | date('yy u M MM MMM MMMM d dd D DDD')", "26 2026 1 01 Jan January 2 02 2 002"),
        ("utc | date('E EEE EEEE Q QQ')", "Fri Fri Friday 1 01"),
        ("zoned | date('H h K k m s a SSS SSSSSSSSS')", "15 3 3 15 19 12 PM 123 123456000"),
        ("'2026-01-01T00:30' | date('h K k a')", "12 0 24 AM"),
        ("zoned | date('X XX XXX x Z ZZZZZ', timeZone='Asia/Kolkata')", "+0530 +0530 +05:30 +0530 +0530 +05:30"),
        ("zoned | date('VV', timeZone='Asia/Kolkata')", "Asia/Kolkata"),
        ("zoned | date('X x Z VV')", "Z +00 +0000 UTC"),
        ("zoned | date('X VV', timeZone='+02:00')", "+02 +02:00"),
        ("utc | date(\"yyyy'T'''dd''\")", "2026T'02'"),
        ("utc | date('iso_instant')", "2026-01-02T03:04:05Z"),
        ("zoned | date('iso_instant')", "2013-09-08T15:19:12.123456Z"),
        ("zoned | date('iso_date_time', timeZone='Europe/Paris')", "2013-09-08T17:19:12.123456+02:00[Europe/Paris]"),
        ("zoned | date('iso_zoned_date_time', timeZone='+02:00')", "2013-09-08T17:19:12.123456+02:00"),
        ("zoned | date('iso_date', timeZone='Europe/Paris')", "2013-09-08+02:00"),
        ("utc | date('iso_local_date')", "2026-01-02"),
        ("utc | date('iso_local_date_time')", "2026-01-02T03:04:05"),
        ("utc | date('iso_time')", "03:04:05Z"),
        ("utc | date('iso_local_time')", "03:04:05"),
        ("zoned | date('iso_ordinal_date')", "2013-251Z"),
        ("zoned | date('iso_week_date', timeZone='Europe/Paris')", "2013-W36-7+02:00"),
        ("zoned | date('rfc_1123_date_time')", "Sun, 8 Sep 2013 15:19:12 GMT"),
        ("zoned | date('sql')", "2013-09-08 15:19:12.123456"),
        ("'2013-09-08T16:19:12+02:00[Europe/Paris]' | date('iso_sec')", "2013-09-08T14:19:12Z"),
        ("'8/9/13 4:05 PM' | date('iso_sec', existingFormat='d/M/yy h:mm a')", "2013-09-08T16:05:00Z"),
        ("'2013 +0200' | date('iso_sec', existingFormat='yyyy Z')", "2012-12-31T22:00:00Z"),
        ("'2013.5' | date('iso', existingFormat='yyyy.S')", "2013-01-01T00:00:00.500000Z"),
        ("'2026-01-31' | dateAdd(1, 'MONTHS', 'iso_local_date')", "2026-02-28"),
        ("'2024-02-29' | dateAdd(1, 'YEARS', 'iso_local_date')", "2025-02-28"),
        ("'2026-03-01' | dateAdd(-2, 'MONTHS', 'iso_local_date')", "2026-01-01"),
        # An hour is an hour, a day is a day on the clock, also when clocks change.
        (
            "'2026-03-29T01:30' | dateAdd(1, 'HOURS', 'iso_sec', timeZone='Europe/Paris')",
            "2026-03-29T03:30:00+02:00",
        ),
        ("'2026-03-28T01:30' | dateAdd(1, 'DAYS', 'iso_sec', timeZone='Europe/Paris')", "2026-03-29T01:30:00+01:00"),
    ],
)  # fmt: skip
def test_dates(expression: str, result: str) -> None:
    assert rendered(expression) == result


@pytest.mark.parametrize("name", NAMES)
def test_every_named_format_writes_a_date(name: str) -> None:
    assert rendered(f"zoned | date('{name}')")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (
            "'soon' | date",
            "'soon' is not a date of ISO 8601 such as 2026-01-31T12:00:00Z; for other formats give `existingFormat`",
        ),
        ("'2026-13-01' | date", "month must be in 1..12"),
        ("'2026' | date('iso', existingFormat='dd')", "'2026' is not a date of the format 'dd'"),
        ("'32' | date('iso', existingFormat='dd')", "'32' is not a date: day is out of range"),
        ("'1' | date('iso', existingFormat='Q')", "the date pattern 'Q' cannot be read, only written"),
        ("utc | date('YYYY')", "the date pattern 'YYYY' is not supported; for the year write yyyy"),
        ("utc | date('full')", "is not supported"),
        ("utc | date('[yyyy]')", "'[' is reserved in date patterns"),
        ("utc | date(\"yyyy'\")", "a ' that is not closed"),
        ("utc | date('yyyy', timeZone='Mars/Base')", "there is no time zone 'Mars/Base'"),
        ("utc | date('yyyy', timeZone='../etc/passwd')", "there is no time zone"),
        ("utc | date('yyyy', locale='fr')", "English only"),
        ("utc | dateAdd(1, 'FORTNIGHTS')", "there is no unit 'FORTNIGHTS'; there is MICROS"),
        ("utc | dateAdd('x', 'DAYS')", "dateAdd takes a whole number, not 'x'"),
        ("utc | dateAdd(9999, 'YEARS')", "out of range"),
        ("utc | dateAdd(9223372036854775806, 'DAYS')", "out of range"),
        ("9223372036854775806 | date", "out of range"),
        ("('1' ~ '{}') | date", "it has more than 200 characters"),
    ],
)  # fmt: skip
def test_refusals_say_why(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        rendered(expression.replace("{}", "1" * 300))
    assert reason in str(caught.value)
