"""Patterns of file names: which paths a glob matches, in the app itself.

`*` and `?` do not cross a slash, `**` does, `[ab]` and `[!ab]` are one character of a set.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[[^\]/]+\])|(?P<text>.)", re.DOTALL
)

_REGEX = {"folders": "(?:.*/)?", "all": ".*", "some": "[^/]*", "one": "[^/]"}


def matches(glob: str, path: str) -> bool:
    """Whether the whole path is matched."""
    regex = "".join(_regex(part) for part in _PART.finditer(glob))
    return re.fullmatch(regex, path, re.DOTALL) is not None


def matches_anywhere(glob: str, path: str) -> bool:
    """The same, but a glob without a slash matches a name in any folder."""
    return matches(glob if "/" in glob else f"**/{glob}", path)


def _regex(part: re.Match[str]) -> str:
    kind = part.lastgroup or "text"
    if kind == "set":
        return re.escape(part.group()).replace("\\[!", "[^").replace("\\[", "[").replace("\\]", "]").replace("\\-", "-")
    return _REGEX.get(kind) or re.escape(part.group())
