"""Which values a document can hold: those that are JSON, can be read again, and are not nested too deeply."""

from __future__ import annotations

import json

MAX_DEPTH = 50  # writing and reading documents is recursive


def check_storable(value: object) -> None:
    """Raise ValueError for a value of plain data that no document can hold. The message says of the value why not."""
    if _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has one half of a surrogate pair, which is no character") from error
    except ValueError as error:
        raise ValueError("it has a number that is too large for JSON, or is none") from error


def _is_deeper(value: object, levels: int) -> bool:
    """Whether a value is nested deeper than `levels`; does not look any deeper, because Python could not."""
    match value:
        case dict():
            return levels == 0 or any(_is_deeper(each, levels - 1) for each in value.values())
        case list() | tuple():
            return levels == 0 or any(_is_deeper(each, levels - 1) for each in value)
    return False
