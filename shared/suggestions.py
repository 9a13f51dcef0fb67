"""The nearest known name for one that is not known. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 40  # comparing takes time in proportion to the square


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, if there is any near enough."""
    if len(name) > _LONGEST:
        return ""
    nearest = difflib.get_close_matches(name, [each for each in known if len(each) <= _LONGEST], n=1)
    return f'; did you mean "{nearest[0]}"?' if nearest else ""
