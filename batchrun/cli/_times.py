"""Points in time as a person writes them on a command line."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>s|min|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str) -> datetime:
    """So long ago (`90min`, `2h`, `7d`), or a date or time in ISO 8601, in UTC if it names no zone.

    Raises ArgumentTypeError.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(seconds=int(ago["number"]) * _SECONDS[ago["unit"]])
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no time: write 90min, 2h, 7d, 2026-11-28, or 2026-11-28T14:30"
        raise argparse.ArgumentTypeError(message) from None
