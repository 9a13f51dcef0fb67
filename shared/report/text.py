"""How the report writes times, sizes, numbers, and texts of others."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timedelta
from urllib.parse import quote

from shared.documents.usage import Amount

_TERMINAL_SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and the like: titles, links
    r"|[ -/]*[0-~])"
)
LONGEST_ID = 20
_CENT = 0.1
NOT_KNOWN = "\N{EN DASH}"
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # Cc, without tabs and line breaks
    r"\ud800-\udfff\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"  # Cs, Co
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what changes the direction
)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(span: timedelta | None) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `2 h`: the two largest units; a dash where the time is not known."""
    if span is None:
        return NOT_KNOWN
    seconds = max(0.0, span.total_seconds())
    if seconds < 9.95:  # noqa: PLR2004 - below ten seconds a tenth can be seen
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


def size(count: int) -> str:
    """`131 B`, `1.2 KiB`, `3.4 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004 - a unit holds 1,024 of the one before
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def number(value: float) -> str:
    """`12,345`, `0.12346`: whole numbers in full, others with five digits."""
    if not math.isfinite(value):
        return NOT_KNOWN
    if value == int(value) and abs(value) < 1e15:  # noqa: PLR2004 - as far as a float counts in ones
        return f"{int(value):,}"
    return f"{value:,.5g}"


def money(cost: Amount) -> str:
    """`12.30 USD`, `0.0042 USD`: small amounts with two digits that count."""
    amount = cost.amount
    if amount and amount < _CENT:
        digits = min(6, 1 - math.floor(math.log10(amount)))
        return f"{amount:.{digits}f} {cost.currency}"
    return f"{amount:,.2f} {cost.currency}"


def count(amount: int, noun: str) -> str:
    """`1 task`, `5,000 tasks`."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def times(amount: int) -> str:
    """How often something is said, behind it; nothing if it is said once."""
    return f" ({amount:,} times)" if amount > 1 else ""


def day_and_time(moment: datetime) -> str:
    """`2026-11-22 12:13:14`."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def clock(moment: datetime | None) -> str:
    """`12:13:14`; a dash where the time is not known."""
    return f"{moment:%H:%M:%S}" if moment else NOT_KNOWN


def plain(value: object) -> str:
    """A printed value or an item of a list: a text unchanged, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def without_middle(name: str) -> str:
    """`tvmps_a9cf5e…61_d`: ids of nodes are long, and differ at both ends."""
    return name if len(name) <= LONGEST_ID else f"{name[:12]}…{name[-4:]}"


def href(blob: str) -> str:
    """A relative link to a blob below the run's folder; no part of it can become a scheme, a query or a fragment."""
    return quote(blob, safe="/~")


def visible(text: str) -> str:
    r"""The text with control characters and characters that change the direction escaped, e.g. `\x1b`, `\u202e`."""
    return _HIDDEN.sub(lambda char: char[0].encode("unicode_escape").decode("ascii"), text)


def without_terminal_sequences(text: str) -> str:
    r"""The text as a terminal would show it, without colours; of a line that was overwritten (`\r`), the last state."""
    lines = _TERMINAL_SEQUENCE.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
