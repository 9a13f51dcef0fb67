"""The filter `jq`, for paths only, by a walk of our own: `.a.b[0]`, `.a["b"]`, `.[]`, `.[1:3]`, `.a?`, and `|`.

As JqFilter.java of Kestra (jq 1.6, by jackson-jq) it returns the list of all results, reads a text as JSON, and returns
null for null. What the paths yield is that of https://jqlang.org/manual/v1.6/: a part of null, a name that is not there
and an index beyond the end are null; a name of a list is a mistake, and `?` leaves mistakes out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from shared.expressions.values import (
    UNKNOWN,
    ExpressionError,
    Filter,
    LazyValue,
    Unknown,
    check_items,
    check_size,
    spend,
    text_of,
)

_Step = Callable[[Any], Iterable[Any]]

_LONGEST = 1_000
_TEXT = r'"(?:[^"\\]|\\["\\/bfnrtu])*"'
_FIRST = re.compile(rf"\s*\.(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>{_TEXT})|(?=\s*(?:\[|\||\Z)))")
_NEXT = re.compile(
    rf"\s*(?:\.(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>{_TEXT}))|\[\s*(?:(?P<key>{_TEXT})|(?P<index>-?\d{{1,9}})"
    r"|(?P<slice>(?P<start>-?\d{1,9})?\s*:\s*(?P<end>-?\d{1,9})?)|(?P<all>))\s*\]|(?P<optional>\?)|(?P<pipe>\|))"
)
_FUNCTION = re.compile(r"[a-z_]\w*")
_SHOWN = 40


class _PartError(ExpressionError):
    """A value has no such parts."""


def _jq(value: Any, expression: str) -> Any:  # noqa: ANN401 - values of any type, here and below
    if value is None:
        return None
    steps = _steps(expression)
    if isinstance(value, str):
        value = _json(value)
    found = [value]
    for step in steps:
        found = [part for each in found for part in step(each)]
        check_items(len(found))
        spend(20 * (1 + len(found)))
    return found


def _json(text: str) -> Any:  # noqa: ANN401
    check_size(len(text))
    spend(20 * len(text))
    try:
        return json.loads(text)
    except ValueError as error:
        raise ExpressionError(f"jq reads a text as JSON, and this is not valid JSON: {error}") from error


@lru_cache(maxsize=256)
def _steps(expression: str) -> tuple[_Step, ...]:
    """The steps of a path. Raises ExpressionError for any other program."""
    found: list[_Step] = []
    place, pattern = 0, _FIRST
    while expression[place:].strip() or pattern is _FIRST:
        match = pattern.match(expression, place) if len(expression) <= _LONGEST else None
        if not match:
            raise _refusal(expression, place)
        place = match.end()
        if match.groupdict().get("optional"):
            if found:
                found[-1] = _without_mistakes(found[-1])
        elif step := _step(match):
            found.append(step)
        pattern = _FIRST if match.groupdict().get("pipe") else _NEXT
    return tuple(found)


def _step(match: re.Match[str]) -> _Step | None:
    groups = match.groupdict()
    for name in ("name", "text", "key"):
        if groups.get(name) is not None:
            key = groups[name] if name == "name" else json.loads(groups[name])
            return lambda value: [_named(value, key)]
    if groups.get("index") is not None:
        index = int(groups["index"])
        return lambda value: [_at(value, index)]
    if groups.get("slice") is not None:
        start, end = (None if groups[name] is None else int(groups[name]) for name in ("start", "end"))
        return lambda value: [_sliced(value, start, end)]
    return _all_of if groups.get("all") is not None else None


def _refusal(expression: str, place: int) -> ExpressionError:
    rest = expression[place:].strip()
    function = _FUNCTION.match(rest)
    shown = f"the function {function.group()!r}" if function else repr(rest[:_SHOWN])
    what = f"{shown} cannot be used here" if rest else "a path is missing"
    return ExpressionError(
        f'jq takes paths only, such as .a.b[0] and .a["b-c"] and .[] and .[1:3] and .a | .b: {what};'
        " use filters, as in `vars.list | jq('.') | length`, a loop, or run jq in the commands"
    )


def _named(value: Any, name: str) -> Any:  # noqa: ANN401
    if value is None or (isinstance(value, Unknown) and value.parts is None):
        return value
    if isinstance(value, LazyValue):
        try:
            return value.part(name)
        except KeyError:
            return None
    if isinstance(value, Mapping):
        return value.get(name)
    raise _PartError(f"jq: {_kind(value)} has no part {name!r}; it is not a map")


def _at(value: Any, index: int) -> Any:  # noqa: ANN401
    if value is None or isinstance(value, Unknown):
        return UNKNOWN if isinstance(value, Unknown) else None
    if not isinstance(value, list):
        raise _PartError(f"jq: {_kind(value)} has no entry {index}; it is not a list")
    return value[index] if -len(value) <= index < len(value) else None


def _sliced(value: Any, start: int | None, end: int | None) -> Any:  # noqa: ANN401
    if value is None or isinstance(value, Unknown):
        return UNKNOWN if isinstance(value, Unknown) else None
    if not isinstance(value, list | str):
        raise _PartError(f"jq: {_kind(value)} has no slices; it is neither a list nor a text")
    return value[start:end]


def _all_of(value: Any) -> Iterable[Any]:  # noqa: ANN401
    if isinstance(value, Unknown):
        return [UNKNOWN]
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and not isinstance(value, LazyValue):
        return list(value.values())
    raise _PartError(f"jq: [] goes through a list or a map, not through {_kind(value)}")


def _without_mistakes(step: _Step) -> _Step:
    def tried(value: Any) -> Iterator[Any]:  # noqa: ANN401
        try:
            yield from step(value)
        except _PartError:
            return

    return tried


def _kind(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, LazyValue):
        return "this value"
    return "null" if value is None else repr(text_of(value)[:_SHOWN])


JQ_FILTERS: Mapping[str, Filter] = {
    "jq": Filter(
        _jq,
        "the list of all values at a path of jq (paths only)",
        "{'a': [{'b': 1}, {'b': 2}]} | jq('.a[].b')",
        "[1,2]",
        check=_steps,
    )
}
