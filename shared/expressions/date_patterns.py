"""Writes and reads dates by Java's date patterns, and by the names that Kestra has for some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo


def iso(moment: datetime) -> str:
    """A moment in Kestra's default format."""
    return formatted(moment, "iso")


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
}


class DateError(ValueError):
    """A date cannot be read or written; the message gives the reason in one line."""


def formatted(moment: datetime, pattern: str) -> str:
    """A moment by a pattern or by one of Kestra's names. Raises DateError."""
    if pattern in _NAMED:
        return _NAMED[pattern](moment)
    parts = _parts(PATTERNS.get(pattern, pattern))
    return "".join(_written(moment, letter, count) if count else letter for letter, count in parts)


def parsed(text: str, pattern: str, zone_of: Callable[[str], tzinfo]) -> datetime:
    """The moment that a text gives by a pattern, without a time zone if the pattern has none. Raises DateError."""
    match = re.fullmatch(_expression(PATTERNS.get(pattern, pattern)), text, re.ASCII)
    if not match:
        raise DateError(f"{text!r} is not a date of the format {pattern!r}")
    found = match.groupdict()
    try:
        return _moment(found, zone_of)
    except ValueError as error:
        raise DateError(f"{text!r} is not a date: {error}") from error


def _expression(pattern: str) -> str:
    """The regular expression of a pattern. Each letter may occur once, which bounds the ways that it can match."""
    expression, letters = "", set()
    for letter, count in _parts(pattern):
        if letter in letters and count:
            raise DateError(f"the date pattern has the letter {letter!r} twice")
        expression += f"(?P<{letter}>{_readable(letter, count)})" if count else re.escape(letter)
        letters |= {letter} if count else set()
    return expression


_PART = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z']+)|(?P<open>')")


def _parts(pattern: str) -> Iterator[tuple[str, int]]:
    """Letters with their count; literal text with the count 0."""
    for match in _PART.finditer(pattern):
        if match["letters"]:
            yield match["letters"][0], len(match["letters"])
        elif match["other"]:
            if reserved := re.search(r"[\[\]{}#]", match["other"]):
                raise DateError(f"{reserved[0]!r} is reserved in date patterns; put text between '…'")
            yield match["other"], 0
        elif match["open"]:
            raise DateError("the date pattern has a ' that is not closed")
        else:
            yield match["quoted"].replace("''", "'") or "'", 0


def _unsupported(letter: str, count: int) -> DateError:
    hint = "; for the year write yyyy" if letter == "Y" else ""
    return DateError(f"the date pattern {letter * count!r} is not supported{hint}")


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "d": lambda moment: moment.day,
    "D": lambda moment: moment.timetuple().tm_yday,
    "H": lambda moment: moment.hour,
    "h": lambda moment: moment.hour % 12 or 12,
    "K": lambda moment: moment.hour % 12,
    "k": lambda moment: moment.hour or 24,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
    "M": lambda moment: moment.month,
    "L": lambda moment: moment.month,
    "Q": lambda moment: (moment.month + 2) // 3,
}

_LONGEST_NUMBER = {"D": 3}


def _written(moment: datetime, letter: str, count: int) -> str:  # noqa: PLR0911 - a case for each kind of letter
    match letter:
        case "y" | "u":
            return f"{moment.year % 100:02}" if count == 2 else f"{moment.year:0{count}}"  # noqa: PLR2004 - yy
        case "M" | "L" if count in (3, 4):
            return _name(MONTHS[moment.month - 1], count)
        case "E" if count <= 4:  # noqa: PLR2004 - EEEE
            return _name(DAYS[moment.weekday()], count)
        case "S" if count <= 9:  # noqa: PLR2004 - nanoseconds
            return f"{moment.microsecond:06}000"[:count]
        case "a" if count == 1:
            return "AM" if moment.hour < 12 else "PM"  # noqa: PLR2004 - noon
        case "X" | "x" | "Z":
            return _offset(moment, letter, count)
        case "z" if count <= 3:  # noqa: PLR2004 - zzz
            return moment.tzname() or ""
        case "V" if count == 2:  # noqa: PLR2004 - VV
            return _zone_name(moment)
        case _ if letter in _NUMBERS and count <= _LONGEST_NUMBER.get(letter, 2):
            return f"{_NUMBERS[letter](moment):0{count}}"
    raise _unsupported(letter, count)


def _name(name: str, count: int) -> str:
    return name if count == 4 else name[:3]  # noqa: PLR2004 - four letters are the whole name


def _offset(moment: datetime, letter: str, count: int) -> str:
    """The offset from UTC.

    `X`, `XX`, `XXX` are written as `+02`, `+0200`, `+02:00`, without an offset as `Z`; `x` the same but never as `Z`;
    `Z` to `ZZZ` as `+0200`, `ZZZZZ` as `XXX`.
    """
    if letter == "Z":
        letter, count = {1: ("x", 2), 2: ("x", 2), 3: ("x", 2), 5: ("X", 3)}.get(count, (letter, count))
    if letter == "Z" or count > 3:  # noqa: PLR2004 - offsets with seconds are not supported
        raise _unsupported(letter, count)
    offset = moment.strftime("%z")[:5] or "+0000"
    if letter == "X" and offset == "+0000":
        return "Z"
    hours, minutes = offset[:3], offset[3:]
    if count == 1:
        return hours if minutes == "00" else offset
    return offset if count == 2 else f"{hours}:{minutes}"  # noqa: PLR2004 - XX


def _zone_name(moment: datetime) -> str:
    return str(moment.tzinfo).removeprefix("UTC") or "UTC"


def _fraction(moment: datetime) -> str:
    return f".{moment.microsecond:06}".rstrip("0").rstrip(".")


def _local_time(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S") + _fraction(moment)


def _zoned(moment: datetime) -> str:
    """A moment with the zone's name in brackets, unless the zone is only an offset."""
    zone = _zone_name(moment)
    return f"{moment.date()}T{_local_time(moment)}{_offset(moment, 'X', 3)}{'' if zone[0] in '+-' else f'[{zone}]'}"


def _rfc_1123(moment: datetime) -> str:
    offset = _offset(moment, "X", 2)
    offset = "GMT" if offset == "Z" else offset
    return f"{formatted(moment, 'EEE, d MMM yyyy HH:mm:ss')} {offset}"


def _instant(moment: datetime) -> str:
    """A moment in UTC; its fraction has as many groups of three digits as are needed."""
    fraction = _fraction(moment)
    fraction = fraction.ljust(4, "0") if len(fraction) <= 4 else fraction.ljust(7, "0")  # noqa: PLR2004 - .123
    in_utc = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{in_utc.isoformat()}{fraction if moment.microsecond else ''}Z"


_NAMED: dict[str, Callable[[datetime], str]] = {
    "iso_date_time": _zoned,
    "iso_zoned_date_time": _zoned,
    "iso_instant": _instant,
    "iso_date": lambda moment: f"{moment.date()}{_offset(moment, 'X', 3)}",
    "iso_local_date": lambda moment: f"{moment.date()}",
    "iso_local_date_time": lambda moment: f"{moment.date()}T{_local_time(moment)}",
    "iso_time": lambda moment: f"{_local_time(moment)}{_offset(moment, 'X', 3)}",
    "iso_offset_time": lambda moment: f"{_local_time(moment)}{_offset(moment, 'X', 3)}",
    "iso_local_time": _local_time,
    "iso_ordinal_date": lambda moment: f"{formatted(moment, 'yyyy-DDDXXX')}",
    "iso_week_date": lambda moment: f"{moment:%G-W%V-%u}{_offset(moment, 'X', 3)}",
    "rfc_1123_date_time": _rfc_1123,
}

NAMES = (*PATTERNS, *_NAMED)


_ONE_OR_TWO = {1: r"\d{1,2}", 2: r"\d\d"}
_READABLE: dict[str, dict[int, str]] = {
    "y": {1: r"\d{1,4}", 2: r"\d\d", 4: r"\d{4}"},
    "M": {**_ONE_OR_TWO, 3: "|".join(name[:3] for name in MONTHS), 4: "|".join(MONTHS)},
    "E": {**dict.fromkeys((1, 2, 3), "|".join(name[:3] for name in DAYS)), 4: "|".join(DAYS)},
    "S": {count: rf"\d{{{count}}}" for count in range(1, 10)},
    "a": {1: "AM|PM"},
    "X": {1: r"Z|[+-]\d\d(?:\d\d)?", 2: r"Z|[+-]\d{4}", 3: r"Z|[+-]\d\d:\d\d"},
    "x": {1: r"[+-]\d\d(?:\d\d)?", 2: r"[+-]\d{4}", 3: r"[+-]\d\d:\d\d"},
    "Z": dict.fromkeys((1, 2, 3), r"[+-]\d{4}"),
    "V": {2: r"[\w/+-]{1,60}"},
    **dict.fromkeys("dHhms", _ONE_OR_TWO),
}

_READABLE["u"], _READABLE["L"] = _READABLE["y"], _READABLE["M"]


def _readable(letter: str, count: int) -> str:
    expression = _READABLE.get(letter, {}).get(count)
    if expression is None:
        raise DateError(f"the date pattern {letter * count!r} cannot be read, only written")
    return expression


def _moment(found: dict[str, str], zone_of: Callable[[str], tzinfo]) -> datetime:
    year = found.get("y") or found.get("u") or "1970"
    month = found.get("M") or found.get("L") or "1"
    hour = int(found.get("H") or found.get("h") or 0)
    if "h" in found and "H" not in found:
        hour = hour % 12 + (12 if found.get("a") == "PM" else 0)
    moment = datetime(  # noqa: DTZ001 - the zone is added below, if there is one
        int(year) + (2000 if len(year) == 2 else 0),  # noqa: PLR2004 - yy
        int(month) if month.isdigit() else [name[:3] for name in MONTHS].index(month[:3]) + 1,
        int(found.get("d") or 1),
        hour,
        int(found.get("m") or 0),
        int(found.get("s") or 0),
        int(found.get("S", "0")[:6].ljust(6, "0")),
    )
    offset = found.get("X") or found.get("x") or found.get("Z")
    if offset:
        return datetime.fromisoformat(f"{moment.isoformat()}{offset}")
    return moment.replace(tzinfo=zone_of(found["V"])) if "V" in found else moment
