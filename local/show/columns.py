"""Text in columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from local.printable import printable

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of the same number of cells as lines, one below the other; safe for a terminal."""
    rows = [tuple(map(printable, row)) for row in cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def age(time: timedelta) -> str:
    """A time in its largest unit, such as `3 min`."""
    seconds = max(0, int(time.total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def clock(time: timedelta) -> str:
    """A time as clocks show it, such as `1:05` or `2:00:05`."""
    seconds = max(0, int(time.total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def size(count: int) -> str:
    """A number of bytes in units that people read, such as `1.5 MB`."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004 - units of storage are decimal
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
