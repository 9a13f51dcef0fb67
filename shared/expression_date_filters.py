"""Filters of dates, with Kestra's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from shared import expression_dates as dates
from shared.expression_values import Documented, ExpressionError, text_of


def date(
    value: Any,  # noqa: ANN401 - values of any type
    format: str = "iso",  # noqa: A002 - Kestra's names, here and below
    timeZone: str | None = None,  # noqa: N803
    existingFormat: str | None = None,  # noqa: N803
    locale: str | None = None,
) -> str | None:
    """A date in a format: of Java's DateTimeFormatter, or one of Kestra's names; in UTC, if no time zone is given."""
    if value is None:
        return None
    return dates.date(_date_or_text(value), format, timeZone, existingFormat, locale)


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
    moment = dates.moment_of(_date_or_text(value), dates.zone_of(timeZone), existingFormat)
    return dates.date(dates.add(moment, number, unit), format, timeZone, None, locale)


def _date_or_text(value: Any) -> datetime | int | str:  # noqa: ANN401 - values of any type
    is_date = isinstance(value, datetime | int) and not isinstance(value, bool)
    return value if is_date else text_of(value)


def _timestamp(units: int) -> Callable[..., int | None]:
    def apply(value: Any, existingFormat: str | None = None, timeZone: str | None = None) -> int | None:  # noqa: ANN401, N803
        if value is None:
            return None
        moment = dates.moment_of(_date_or_text(value), dates.zone_of(timeZone), existingFormat).astimezone(UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * units // 1_000_000

    return apply


_DAY = "'2026-01-31'"
DATE_FILTERS: Mapping[str, Documented] = {
    "date": Documented(date, "a date in another format", f"{_DAY} | date('EEE d MMM yyyy')", "Sat 31 Jan 2026"),
    "dateAdd": Documented(
        _date_add, "a date so much later", f"{_DAY} | dateAdd(1, 'MONTHS', 'iso_local_date')", "2026-02-28"
    ),
    "timestamp": Documented(_timestamp(1), "seconds since 1970", f"{_DAY} | timestamp", "1769817600"),
    "timestampMilli": Documented(
        _timestamp(1000), "milliseconds since 1970", f"{_DAY} | timestampMilli", "1769817600000"
    ),
}
