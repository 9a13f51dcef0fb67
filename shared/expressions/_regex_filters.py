r"""Filters with regular expressions, which are Java's: `shared/regexes.py`. Their time is charged.

RegexMatchFilter.java, RegexReplaceFilter.java and RegexExtractFilter.java of Kestra 2 find a part of the text; so does
`replace` with `regexp=true`. What would match something else here than in Java is refused: `$` before a line break at
the end of the text, and `(?i)` with letters outside ASCII.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from shared.expressions.values import ExpressionError, Filter, check_exist, check_items, check_size, spend, text_of
from shared.regexes import compiled

_META = frozenset(".|*+?()[{^$\\")
_WORK_OF_ONE_PASS = 2  # for each character and each instruction of the expression, if the engine is at its slowest
_WORK_OF_A_SECOND = 1_000_000_000
_LINE_BREAKS = ("\n", "\r", "\x85", "\u2028", "\u2029")
_END = re.compile(r"(?<!\\)(?:\\\\)*\$")


def _expression(text: str, regex: str) -> Any:  # noqa: ANN401 - RE2's type is private
    """The compiled expression, for one pass through a text, which is charged. Raises ExpressionError."""
    if text.endswith(_LINE_BREAKS) and _END.search(regex):
        raise ExpressionError("here $ does not match before the line break at the end of the text; `| trim` it first")
    if "(?i" in regex and not regex.isascii():
        raise ExpressionError("here (?i) would also change letters outside ASCII; write both cases, as in [éÉ]")
    try:
        expression = compiled(regex)
    except ValueError as error:
        raise ExpressionError(str(error)) from error
    spend(_WORK_OF_ONE_PASS * len(text) * expression.programsize)
    return expression


def _matches(text: str, regex: str) -> Iterator[Any]:
    """The matches, one after the other, as Java's Matcher.find() finds them.

    One match takes time that is linear in the text, many may not: the time that they take is charged.
    """
    since, before = time.thread_time(), None
    for match in _expression(text, regex).finditer(text):
        spend(int((time.thread_time() - since) * _WORK_OF_A_SECOND))
        if match.span() != before:  # the engine tells of an empty match twice
            yield match
        since, before = time.thread_time(), match.span()


def split(text: str, delimiter: str, limit: int = 0) -> list[str]:
    """Split as Java does: without a limit, empty texts at the end are left out; with one, the last part holds the rest.

    https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html#split(java.lang.CharSequence,int)
    """
    if delimiter in _META:
        raise ExpressionError(f"split takes a regular expression; for the character itself write '\\\\{delimiter}'")
    parts: list[str] = []
    place, most = 0, limit - 1 if limit > 0 else None
    for match in _matches(text, delimiter):
        if len(parts) == most:
            break
        if match.span() != (0, 0):  # not an empty one at the beginning of the text
            parts.append(text[place : match.start()])
            check_items(len(parts))
            place = match.end()
    if not parts:
        return [text]
    parts.append(text[place:])
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    return parts


def replaced(text: str, regex: str, replacement: str) -> str:
    """Every match replaced, as Java's Matcher.replaceAll()."""
    parts: list[str | None] = []
    template: list[str | int] | None = None
    place = size = 0
    for match in _matches(text, regex):
        template = _template(replacement, match.re) if template is None else template
        groups = [each if isinstance(each, str) else match.group(each) for each in template]
        parts += [text[place : match.start()], *groups]
        place = match.end()
        size += sum(len(each or "") for each in groups)
        check_size(size)
    return "".join(each or "" for each in [*parts, text[place:]])


_REFERENCE = re.compile(
    r"\\(?P<literal>.)|\$(?P<number>[0-9])|\$\{(?P<name>[A-Za-z][A-Za-z0-9]*)\}|(?P<text>[^\\$]+)", re.DOTALL
)


def _template(replacement: str, regex: Any) -> list[str | int]:  # noqa: ANN401 - RE2's type is private
    r"""A replacement's texts and groups: `$1`, `${name}`, and `\$` for the character itself.

    https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Matcher.html#appendReplacement
    """
    found: list[str | int] = []
    place = 0
    while place < len(replacement):
        match = _REFERENCE.match(replacement, place)
        if not match:
            raise ExpressionError(
                r"$ in a replacement begins the number of a group; for the character itself write \\$"
            )
        place = match.end()
        if match["number"]:
            group, place = _group(replacement, int(match["number"]), place, regex.groups)
            found.append(group)
        elif match["name"]:
            if match["name"] not in regex.groupindex:
                raise ExpressionError(f"the regular expression has no group {match['name']!r}")
            found.append(regex.groupindex[match["name"]])
        else:
            found.append(match["literal"] or match["text"])
    return found


def _group(replacement: str, group: int, place: int, count: int) -> tuple[int, int]:
    """The number of a group, with as many digits as there are groups for, and the place after it."""
    if group > count:
        raise ExpressionError(f"the regular expression has no group {group}; it has {count}")
    while replacement[place : place + 1].isdecimal() and group * 10 + int(replacement[place]) <= count:
        group, place = group * 10 + int(replacement[place]), place + 1
    return group, place


def _check_regex(regex: Any, *_: Any, **__: Any) -> None:  # noqa: ANN401
    _required(regex=regex)
    _expression("", text_of(regex))


def _required(**arguments: Any) -> None:  # noqa: ANN401 - values of any type, here and below
    for name, value in arguments.items():
        check_exist(value)
        if value is None:
            raise ExpressionError(f"the argument {name!r} is required")


def _match(value: Any, regex: Any) -> bool:  # noqa: ANN401
    _required(regex=regex)
    if value is None:
        return False
    text = text_of(value)
    return _expression(text, text_of(regex)).search(text) is not None


def _replace(value: Any, regex: Any, replacement: Any) -> str | None:  # noqa: ANN401
    if value is None:
        return None
    _required(regex=regex, replacement=replacement)
    return replaced(text_of(value), text_of(regex), text_of(replacement))


def _extract(value: Any, regex: Any, group: Any = None) -> str | None:  # noqa: ANN401
    """The first match or a group of it; null if there is none."""
    if value is None:
        return None
    _required(regex=regex)
    number = int(group or 0)
    if number < 0:
        raise ExpressionError("the number of a group is not negative")
    text = text_of(value)
    match = _expression(text, text_of(regex)).search(text)
    if match is None:
        return None
    if number > match.re.groups:
        raise ExpressionError(f"the regular expression has no group {number}; it has {match.re.groups}")
    found: str | None = match.group(number)
    return found


REGEX_FILTERS: Mapping[str, Filter] = {
    "regexMatch": Filter(
        _match,
        "whether a part matches a regular expression",
        "'abc-123' | regexMatch('[0-9]+')",
        "true",
        _check_regex,
    ),
    "regexReplace": Filter(
        _replace,
        "with every match replaced",
        "'2026-01-31' | regexReplace('([0-9]+)-([0-9]+)', '$2/$1')",
        "01/2026-31",
        _check_regex,
    ),
    "regexExtract": Filter(
        _extract,
        "the first match, or a group of it",
        "'order-12-done' | regexExtract('([a-z]+)-([0-9]+)', 2)",
        "12",
        _check_regex,
    ),
}
