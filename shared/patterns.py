"""Globs: which paths a pattern of file names matches.

`*` and `?` do not match a slash, `**` does; `[ab]` and `[!ab]` match one character of a set.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[[^\]/]+\])|(?P<text>.)", re.DOTALL
)

_REGEX = {"folders": "(?:.*/)?", "all": ".*", "some": "[^/]*", "one": "[^/]"}


def matches(glob: str, path: str) -> bool:
    """Whether a glob matches the whole path."""
    regex = "".join(_regex(part) for part in _PART.finditer(glob))
    return re.fullmatch(regex, path, re.DOTALL) is not None


def matches_anywhere(glob: str, path: str) -> bool:
    """Whether a glob matches the whole path; a glob without a slash matches a file name in any folder."""
    return matches(glob if "/" in glob else f"**/{glob}", path)


def _regex(part: re.Match[str]) -> str:
    kind = part.lastgroup or "text"
    if kind == "set":
        return re.escape(part.group()).replace("\\[!", "[^").replace("\\[", "[").replace("\\]", "]").replace("\\-", "-")
    return _REGEX.get(kind) or re.escape(part.group())
