"""The names that a text sets itself (`{% set %}`, `{% for %}`), over the values that it is given.

As in Pebble: only a loop has names of its own, a condition has none; `set` changes a name where it is, and makes a new
one in the innermost loop, where it stays from one round to the next.
https://github.com/PebbleTemplates/pebble/blob/master/pebble/src/main/java/io/pebbletemplates/pebble/template/ScopeChain.java
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.expressions.values import ExpressionError, LazyValue, Parts, check_exist, text_of

_SHOWN = 40


class Scopes:
    """The names that a text can use, except its functions. The `values` themselves never change."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._scopes: list[dict[str, Any]] = [{}]

    def visible(self) -> ChainMap[str, Any]:
        """All names, from the innermost to the values that were given."""
        return ChainMap(*reversed(self._scopes), self._values)  # type: ignore[arg-type] # which is only read

    def has(self, name: str) -> bool:
        """Whether there is a name."""
        return name in self._values or any(name in scope for scope in self._scopes)

    def value(self, name: str) -> Any:  # noqa: ANN401 - values of any type, here and below
        """The value of a name that there is."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._values[name]

    def set(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Give a name a value, as `{% set %}`."""
        outer = self._scopes[0] if name in self._values else self._scopes[-1]
        next((scope for scope in reversed(self._scopes) if name in scope), outer)[name] = value

    def put(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Give a name a value in the innermost loop."""
        self._scopes[-1][name] = value

    @contextmanager
    def of_a_loop(self) -> Iterator[None]:
        """Begin a loop, whose names end with it."""
        self._scopes.append({})
        try:
            yield
        finally:
            self._scopes.pop()


def rounds_of(value: Any) -> list[Any]:  # noqa: ANN401
    """The entries of a list, or of a map, each of which has a `key` and a `value`. Raises ExpressionError for others.

    A map that is written in the expression itself is not in the order of Kestra, whose HashMap has an order of its own.
    """
    check_exist(value)
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and not isinstance(value, LazyValue):
        return [Parts({"key": key, "value": each}) for key, each in value.items()]
    shown = "" if isinstance(value, LazyValue) else f", not through {text_of(value)[:_SHOWN]!r}"
    raise ExpressionError(f"for goes through a list or a map{shown}")


def loop_of(index: int, length: int) -> Parts:
    """The value `loop`, as Pebble has it: the first index is 0, and `revindex` counts the rounds that are left."""
    return Parts({
        "index": index,
        "length": length,
        "first": index == 0,
        "last": index == length - 1,
        "revindex": length - index - 1,
    })  # fmt: skip
