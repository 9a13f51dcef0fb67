"""Dates in expressions, as Kestra's filters `date` and `dateAdd` read and write them.

Patterns are those of Java's DateTimeFormatter, with English names; those that depend on a country (weeks, styles) are
not supported. https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html
"""

from __future__ import annotations

import calendar
import email.utils
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.expressions.date_patterns import DateError, formatted, parsed
from shared.expressions.values import ExpressionError, Filter, text_of

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:T(?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?P<offset>Z|[+-]\d\d(?::?\d\d)?)?(?:\[(?P<zone>[\w/+-]{1,60})\])?)?",
    re.ASCII,
)

_RFC_1123 = "rfc_1123_date_time"
_LONGEST = 200  # characters of a date or of a pattern


_TIME_UNITS = {
    "MICROS": timedelta(microseconds=1),
    "MILLIS": timedelta(milliseconds=1),
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "HALF_DAYS": timedelta(hours=12),
}

_DAY_UNITS = {"DAYS": timedelta(days=1), "WEEKS": timedelta(weeks=1)}
_MONTH_UNITS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200}
UNITS = (*_TIME_UNITS, *_DAY_UNITS, *_MONTH_UNITS)


def zone_of(name: str | None) -> tzinfo:
    """The time zone of a name such as `Europe/Paris` or `+02:00`; UTC if no name is given. Raises DateError."""
    if name is None or name in ("Z", "UTC"):
        return UTC
    if re.fullmatch(r"[+-]\d\d:\d\d", name):
        return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DateError(f"there is no time zone {name!r}") from error


def moment_of(value: datetime | int | str, zone: tzinfo, existing_format: str | None) -> datetime:
    """The moment of a value: a datetime, seconds since 1970, or text in ISO 8601 or in the existing format.

    Text without a time zone is in `zone`; a date without a time is midnight. Raises DateError.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, int):
        return add(datetime(1970, 1, 1, tzinfo=UTC), value, "SECONDS").astimezone(zone)
    if len(value) > _LONGEST:
        raise DateError(f"this is not a date: it has more than {_LONGEST} characters")
    if existing_format is not None and not existing_format.startswith("iso"):
        moment = _rfc_1123(value) if existing_format == _RFC_1123 else parsed(value, existing_format, zone_of)
    else:
        moment = _iso_moment(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _iso_moment(text: str) -> datetime:
    match = _ISO.fullmatch(text.strip())
    if not match:
        raise DateError(
            f"{text!r} is not a date of ISO 8601 such as 2026-01-31T12:00:00Z; for other formats give `existingFormat`"
        )
    moment = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}{match['offset'] or ''}")
    if match["zone"]:
        zone = zone_of(match["zone"])
        moment = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    return moment


def _rfc_1123(text: str) -> datetime:
    try:
        return email.utils.parsedate_to_datetime(text)
    except ValueError as error:
        raise DateError(f"{text!r} is not a date such as 'Tue, 08 Feb 2022 19:38:26 GMT'") from error


def date(
    value: datetime | int | str,
    format: str = "iso",  # noqa: A002 - Kestra's name
    time_zone: str | None = None,
    existing_format: str | None = None,
    locale: str | None = None,
) -> str:
    """A date in a format and a time zone. Raises DateError."""
    if locale is not None and not locale.lower().startswith("en"):
        raise DateError(f"names of days and months are English only; there is no locale {locale!r}")
    if len(format) > _LONGEST:
        raise DateError(f"the pattern has more than {_LONGEST} characters")
    zone = zone_of(time_zone)
    return formatted(moment_of(value, zone, existing_format).astimezone(zone), format)


def add(moment: datetime, amount: int, unit: str) -> datetime:
    """The moment that is `amount` units later, or with a negative amount earlier. Raises DateError."""
    try:
        return _add(moment, amount, unit)
    except OverflowError as error:
        raise DateError("the date is out of range") from error


def _add(moment: datetime, amount: int, unit: str) -> datetime:
    if unit in _TIME_UNITS:
        return (moment.astimezone(UTC) + amount * _TIME_UNITS[unit]).astimezone(moment.tzinfo)
    if unit in _DAY_UNITS:
        return moment + amount * _DAY_UNITS[unit]
    if unit in _MONTH_UNITS:
        return _add_months(moment, amount * _MONTH_UNITS[unit])
    raise DateError(f"there is no unit {unit!r}; there is {', '.join(UNITS)}")


def _add_months(moment: datetime, months: int) -> datetime:
    """The same day of another month, or the last day of it if it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 0 < year <= 9999:  # noqa: PLR2004 - the calendar's end
        raise DateError("the date is out of range")
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


def date_filter(
    value: Any,  # noqa: ANN401 - values of any type
    format: str = "iso",  # noqa: A002 - Kestra's names, here and below
    timeZone: str | None = None,  # noqa: N803
    existingFormat: str | None = None,  # noqa: N803
    locale: str | None = None,
) -> str | None:
    """The filter `date`: a date by a pattern or one of Kestra's names for patterns; in UTC by default."""
    if value is None:
        return None
    return date(_date_or_text(value), format, timeZone, existingFormat, locale)


def _date_add(  # noqa: PLR0913, PLR0917 - Kestra's arguments
    value: Any,  # noqa: ANN401 - values of any type
    amount: Any,  # noqa: ANN401 - a number, or a text that is one
    unit: str,
    format: str = "iso",  # noqa: A002
    timeZone: str | None = None,  # noqa: N803
    existingFormat: str | None = None,  # noqa: N803
    locale: str | None = None,
) -> str | None:
    if value is None:
        return None
    try:
        number = int(text_of(amount))
    except ValueError as error:
        raise ExpressionError(f"dateAdd takes a whole number, not {text_of(amount)!r}") from error
    moment = moment_of(_date_or_text(value), zone_of(timeZone), existingFormat)
    return date(add(moment, number, unit), format, timeZone, None, locale)


def _date_or_text(value: Any) -> datetime | int | str:  # noqa: ANN401 - values of any type
    is_date = isinstance(value, datetime | int) and not isinstance(value, bool)
    return value if is_date else text_of(value)


def _timestamp(units: int) -> Callable[..., int | None]:
    def apply(value: Any, existingFormat: str | None = None, timeZone: str | None = None) -> int | None:  # noqa: ANN401, N803
        if value is None:
            return None
        moment = moment_of(_date_or_text(value), zone_of(timeZone), existingFormat).astimezone(UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * units // 1_000_000

    return apply


_DAY = "'2026-01-31'"
DATE_FILTERS: Mapping[str, Filter] = {
    "date": Filter(date_filter, "a date in another format", f"{_DAY} | date('EEE d MMM yyyy')", "Sat 31 Jan 2026"),
    "dateAdd": Filter(
        _date_add, "a date, some time later", f"{_DAY} | dateAdd(1, 'MONTHS', 'iso_local_date')", "2026-02-28"
    ),
    "timestamp": Filter(_timestamp(1), "seconds since 1970", f"{_DAY} | timestamp", "1769817600"),
    "timestampMilli": Filter(_timestamp(1000), "milliseconds since 1970", f"{_DAY} | timestampMilli", "1769817600000"),
}
