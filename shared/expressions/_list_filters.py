"""Filters of lists and maps, and of values of any kind."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from shared.expressions.values import (
    ExpressionError,
    Filter,
    check_items,
    check_size,
    is_empty,
    json_of,
    spend,
    text_of,
)

_SHOWN = 40


def _of(kind: type, name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    """The filter for one kind of values; it returns null for null."""

    @functools.wraps(apply)  # so that its arguments are known
    def checked(value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - values of any type
        if value is None:
            return None
        if not isinstance(value, kind):
            raise ExpressionError(f"{text_of(value)[:_SHOWN]!r} is not {name}")
        return apply(value, *args, **kwargs)

    return checked


def _default(value: Any, default: Any) -> Any:  # noqa: ANN401 - values of any type
    return default if is_empty(value) else value


def _join(value: list[Any], separator: str = "") -> str:
    """As Pebble's JoinFilter.java, which appends every entry, also null, to a StringBuilder."""
    parts, size = [], 0
    for part in value:
        parts.append("null" if part is None else text_of(part))
        size += len(parts[-1]) + len(separator)
        check_size(size)
    return separator.join(parts)


def _length(value: Any) -> int:  # noqa: ANN401 - values of any type
    if isinstance(value, bool | int | float):
        raise ExpressionError("a number has no length; `| string` turns it into text")
    return 0 if value is None else len(value)


def _first(value: str | list[Any]) -> Any:  # noqa: ANN401 - values of any type
    if not value:
        raise ExpressionError("the list or the text is empty")
    return value[0]


def _last(value: str | list[Any]) -> Any:  # noqa: ANN401 - values of any type
    return _first(value[-1:])


def _slice(value: str | list[Any], fromIndex: int, toIndex: int | None = None) -> Any:  # noqa: ANN401, N803 - Kestra's names
    return value[fromIndex:toIndex]


def _sorted(value: list[Any], *, reverse: bool = False) -> list[Any]:
    if any(isinstance(each, list | Mapping) for each in value):
        raise ExpressionError("lists and maps have no order; sort texts or numbers")
    spend(20 * len(value))
    return sorted(value, reverse=reverse)


def _reverse_sorted(value: list[Any]) -> list[Any]:
    return _sorted(value, reverse=True)


def _values(value: Mapping[str, Any]) -> list[Any]:
    return list(value.values())


def _distinct(value: list[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for entry in value:
        found.setdefault(json_of(entry), entry)
    return list(found.values())


def _merged(value: list[Any] | dict[str, Any], items: Any) -> Any:  # noqa: ANN401 - values of any type
    match value, items:
        case (list(), list()):
            check_items(len(value) + len(items))
            return [*value, *items]
        case (dict(), dict()):
            check_items(len(value) + len(items))
            return {**value, **items}
    raise ExpressionError("merge takes two lists, or two maps")


def _chunks(value: list[Any], size: int) -> list[list[Any]]:
    if size < 1:
        raise ExpressionError("chunk takes a size of at least 1")
    return [value[start : start + size] for start in range(0, len(value), size)]


def _flattened(value: list[Any]) -> list[Any]:
    """Of lists in the list, their entries; not of the lists in those (FlattenFilter.java of Kestra)."""
    parts = [each if isinstance(each, list) else [each] for each in value]
    check_items(sum(map(len, parts)))
    return list(itertools.chain.from_iterable(parts))


def _absolute(value: float) -> float:
    return abs(value)


LIST_FILTERS: Mapping[str, Filter] = {
    "default": Filter(_default, "another value for one that does not exist or is empty", "vars.x | default('a')", "a"),
    "length": Filter(_length, "the number of characters or entries", "'abc' | length", "3"),
    "toJson": Filter(json_of, "as JSON", "{'a': [1, true]} | toJson", '{"a":[1,true]}'),
    "json": Filter(json_of, "the old name of `toJson`", "[1, true] | json", "[1,true]"),
    **{
        name: Filter(_of(kind, kind_name, apply), purpose, example, result)  # type: ignore[arg-type]
        for name, kind, kind_name, apply, purpose, example, result in (
            ("first", str | list, "a list or a text", _first, "the first entry or character", "[1, 2] | first", "1"),
            ("last", str | list, "a list or a text", _last, "the last entry or character", "[1, 2] | last", "2"),
            ("slice", str | list, "a list or a text", _slice, "between two positions", "'abcd' | slice(1, 3)", "bc"),
            ("join", list, "a list", _join, "the entries joined into one text", "[1, 2] | join(', ')", "1, 2"),
            ("sort", list, "a list", _sorted, "sorted", "[2, 1] | sort", "[1,2]"),
            ("rsort", list, "a list", _reverse_sorted, "sorted in descending order", "[1, 2] | rsort", "[2,1]"),
            ("reverse", list, "a list", lambda value: value[::-1], "in opposite order", "[1, 2] | reverse", "[2,1]"),
            ("distinct", list, "a list", _distinct, "without repeated entries", "[1, 2, 1] | distinct", "[1,2]"),
            ("chunk", list, "a list", _chunks, "lists of some entries each", "[1, 2, 3] | chunk(2)", "[[1,2],[3]]"),
            ("flatten", list, "a list", _flattened, "with the entries of its lists", "[[1], 2] | flatten", "[1,2]"),
            ("merge", list | dict, "a list or a map", _merged, "merged with another one", "[1] | merge([2])", "[1,2]"),
            ("keys", Mapping, "a map", list, "the names of a map", "{'a': 1} | keys", '["a"]'),
            ("values", Mapping, "a map", _values, "the values of a map", "{'a': 1} | values", "[1]"),
            ("abs", int | float, "a number", _absolute, "without its sign", "-7 | abs", "7"),
        )
    },
}  # fmt: skip
