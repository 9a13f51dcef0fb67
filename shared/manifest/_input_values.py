"""What the types of inputs mean: which values they take, and what these become.

The forms are those of Kestra's `parseType` (core/src/main/java/io/kestra/core/runners/FlowInputOutput.java), which are
Java's: `Integer.valueOf`, `Float.valueOf`, `Instant.parse`, `LocalDate.parse`, `LocalTime.parse`, `Duration.parse`,
`URI.create`. Some differ on purpose: what Kestra takes as false because it is not "true" must be a word for true or
false here, and NaN, infinity and lists where text is expected are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import TypeAdapter

from shared.documents.storable import check_storable
from shared.errors import ManifestError
from shared.expressions.date_patterns import formatted
from shared.manifest._source import parse
from shared.manifest.addresses import parsed_address


class InputType(StrEnum):
    """Kestra's types of inputs, as far as they are supported here."""

    STRING = "STRING"
    INT = "INT"
    FLOAT = "FLOAT"
    BOOL = "BOOL"
    BOOLEAN = "BOOLEAN"
    SELECT = "SELECT"
    ENUM = "ENUM"
    MULTISELECT = "MULTISELECT"
    ARRAY = "ARRAY"
    JSON = "JSON"
    YAML = "YAML"
    DATETIME = "DATETIME"
    DATE = "DATE"
    TIME = "TIME"
    DURATION = "DURATION"
    URI = "URI"
    EMAIL = "EMAIL"
    FILE = "FILE"


class _Refused(ValueError):  # noqa: N818 - not an error of the code: a reason
    """A value that is refused for a reason of its own."""


def read_value(value: object, input_type: InputType, said_by: str = "type") -> object:
    """A value as one of the type; text is converted. Raises ValueError, which names the property that is `said_by`."""
    read, expected = _READ[input_type]
    try:
        found = read(value)
    except _Refused:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, ManifestError) as error:
        raise ValueError(f"expected {expected}, as its {said_by} is {input_type.value}") from error
    try:
        check_storable(found)
    except ValueError as error:
        raise ValueError(f"the value cannot be stored: {error}") from error
    return found


def text_of(value: object) -> str:
    """A value as text: a number of the manifest as it was written. Raises TypeError if it has none."""
    if value is None or isinstance(value, dict | list):
        raise TypeError
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "text", value))


def _whole_number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = int(value)
    elif _WHOLE.fullmatch(text := text_of(value)):
        number = int(text)
    else:
        raise ValueError
    if not _LEAST <= number <= _MOST:
        raise _Refused(f"must be from {_LEAST} to {_MOST}, which is all that an INT can be")
    return number


_LEAST, _MOST = -(2**31), 2**31 - 1  # java.lang.Integer
_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[fFdD]?")


def _number(value: object) -> float:
    match = _NUMBER.fullmatch(text_of(value).strip())
    number = float(match[1]) if match else math.nan
    if not math.isfinite(number):
        raise ValueError
    return number


_TRUTH: TypeAdapter[bool] = TypeAdapter(bool)


def _truth(value: object) -> bool:
    return _TRUTH.validate_python(text_of(value))


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _json(value: object) -> object:
    return json.loads(value, parse_constant=_no_number) if isinstance(value, str) else value


def _list(value: object) -> list[Any]:
    found = _json(value)
    if not isinstance(found, list):
        raise TypeError
    return found


def _yaml(value: object) -> object:
    return parse(value).data if isinstance(value, str) else value


_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d(?::\d\d)?)"
_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
_DURATION = re.compile(
    r"(?P<sign>[-+]?)P(?=.)(?:(?P<days>[-+]?\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?"
    r"(?:(?P<seconds>[-+]?\d+)(?:[.,](?P<nanoseconds>\d{0,9}))?S)?)?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_DURATION = 2**63 * 10**9  # its seconds are a `long` of Java
_SECONDS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def nanoseconds(duration: str) -> int:
    """The length of a duration as java.time.Duration reads it. Raises ValueError."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError
    whole = sum(int(match[name] or 0) * seconds for name, seconds in _SECONDS.items()) * 10**9
    below = int((match["nanoseconds"] or "").ljust(9, "0"))
    total = whole - below if (match["seconds"] or "").startswith("-") else whole + below
    if abs(total) >= _LONGEST_DURATION:
        raise ValueError
    return -total if match["sign"] == "-" else total


def _moment(value: object) -> str:
    """A date and time as Kestra writes it: in UTC, with no more digits than it needs."""
    return formatted(moment(_of_form(_INSTANT)(text_of(value).upper())), "iso_instant")


def moment(text: str) -> datetime:
    """A date and time in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _of_form(pattern: str, check: Callable[[str], object] = str) -> Callable[[object], str]:
    """A reader for types whose values stay text, but must match a pattern and be what `check` accepts."""

    def read(value: object) -> str:
        text = text_of(value)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError
        check(text)
        return text

    return read


def _duration(value: object) -> str:
    nanoseconds(text_of(value))
    return text_of(value)


def _file(value: object) -> str:
    text = text_of(value).strip()
    try:
        parsed_address(text)
    except ValueError as error:
        raise _Refused(str(error)) from error
    return text


_URI = (
    r"[A-Za-z][A-Za-z0-9+.-]*:(?!(?://)?(?:#|$))"
    r"""(?:[^\s\x00-\x1f\x7f<>"{}|\\^\x60%#]|%[0-9A-Fa-f]{2})+(?:#(?:[^\s\x00-\x1f\x7f<>"{}|\\^\x60%#]|%[0-9A-Fa-f]{2})*)?"""
)
_EMAIL = r"|[a-zA-Z0-9_!#$%&’*+/=?\x60{|}~^.-]+@[a-zA-Z0-9.-]+"  # noqa: RUF001 - EmailInput.EMAIL_PATTERN, which takes no text too
_READ: dict[InputType, tuple[Callable[[object], object], str]] = {
    InputType.STRING: (text_of, "text"),
    InputType.SELECT: (text_of, "text"),
    InputType.ENUM: (text_of, "text"),
    InputType.INT: (_whole_number, "a whole number"),
    InputType.FLOAT: (_number, "a number"),
    InputType.BOOL: (_truth, "true or false"),
    InputType.BOOLEAN: (_truth, "true or false"),
    InputType.MULTISELECT: (_list, "a list"),
    InputType.ARRAY: (_list, "a list"),
    InputType.JSON: (_json, "JSON"),
    InputType.YAML: (_yaml, "YAML"),
    InputType.DATETIME: (_moment, "a date and time with its zone, such as 2026-01-31T12:00:00Z"),
    InputType.DATE: (_of_form(_DATE, date.fromisoformat), "a date such as 2026-01-31"),
    InputType.TIME: (_of_form(_TIME, time.fromisoformat), "a time such as 12:30:00"),
    InputType.DURATION: (_duration, "an ISO 8601 duration, such as PT30M"),
    InputType.URI: (_of_form(_URI), "an address such as https://example.com"),
    InputType.EMAIL: (_of_form(_EMAIL), "an e-mail address"),
    InputType.FILE: (_file, "the address of a file"),
}
