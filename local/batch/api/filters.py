r"""OData $filter expressions, as far as Batch has them.

https://learn.microsoft.com/azure/batch/batch-efficient-list-queries: comparisons of a property with a literal (`eq ne
gt ge lt le`), `startswith(property, 'text')`, `and`, `or`, `not`, parentheses. Literals are 'text', numbers, true,
false, null and datetime'2026-01-01T00:00:00Z'. A property of a property is `executionInfo/exitCode`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from local.batch.errors import BatchError, invalid_query

Filter = Callable[[object], bool]
Literal = str | int | bool | datetime | None

FILTERABLE = frozenset(
    {
        "allocationState",
        "allocationStateTransitionTime",
        "creationTime",
        "displayName",
        "executionInfo",
        "id",
        "lastModified",
        "name",
        "nodeInfo",
        "poolId",
        "previousState",
        "previousStateTransitionTime",
        "priority",
        "schedulingState",
        "state",
        "stateTransitionTime",
        "url",
        "vmSize",
    }
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<datetime>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z_][\w/]*)"
    r"|(?P<mark>[(),]))\s*",
    re.IGNORECASE,
)


def parse_filter(text: str) -> Filter:
    """Return the filter as a function of a resource; BatchError InvalidQueryParameterValue says what is wrong."""
    parser = _Parser(text)
    condition = parser.disjunction()
    parser.expect_end()
    return condition


class _Parser:
    """Recursive descent, one method for each level of binding."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenize(text)
        self._next = 0

    def disjunction(self) -> Filter:
        parts = [self._conjunction()]
        while self._take_word("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda resource: any(part(resource) for part in parts)

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise self._refusal(f"'{self._tokens[self._next][1]}' is not expected there.")

    def _conjunction(self) -> Filter:
        parts = [self._negation()]
        while self._take_word("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda resource: all(part(resource) for part in parts)

    def _negation(self) -> Filter:
        if self._take_word("not"):
            negated = self._negation()
            return lambda resource: not negated(resource)
        if self._take_mark("("):
            inner = self.disjunction()
            self._expect_mark(")")
            return inner
        if self._take_word("startswith"):
            return self._starts_with()
        return self._comparison()

    def _starts_with(self) -> Filter:
        self._expect_mark("(")
        path = self._property()
        self._expect_mark(",")
        prefix = self._literal()
        self._expect_mark(")")
        return lambda resource: str(_value(resource, path) or "").startswith(str(prefix))

    def _comparison(self) -> Filter:
        path = self._property()
        word = self._take("word").lower()
        if word not in _COMPARISONS:
            raise self._refusal(f"'{word}' is not one of {', '.join(_COMPARISONS)}.")
        compare, literal = _COMPARISONS[word], self._literal()
        return lambda resource: _holds(compare, _value(resource, path), literal)

    def _property(self) -> list[str]:
        name = self._take("word")
        if name.partition("/")[0] not in FILTERABLE:
            raise self._refusal(f"Listings cannot be filtered by '{name}'.")
        return [_snake_case(part) for part in name.split("/")]

    def _literal(self) -> Literal:
        if self._next >= len(self._tokens):
            raise self._refusal("A value is missing at its end.")
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "datetime":
            return self._datetime(text[len("datetime'") : -1])
        constants: dict[str, Literal] = {"true": True, "false": False, "null": None}
        if text.lower() in constants:
            return constants[text.lower()]
        raise self._refusal(f"'{text}' is not a value; text stands between single quotes.")

    def _datetime(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._refusal(f"'{text}' is not a time in ISO 8601.") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _take(self, kind: str) -> str:
        if self._next < len(self._tokens) and self._tokens[self._next][0] == kind:
            self._next += 1
            return self._tokens[self._next - 1][1]
        found = self._tokens[self._next][1] if self._next < len(self._tokens) else "the end"
        raise self._refusal(f"A property or an operator is expected, not {found}.")

    def _take_word(self, word: str) -> bool:
        return self._take_exact("word", word)

    def _take_mark(self, mark: str) -> bool:
        return self._take_exact("mark", mark)

    def _take_exact(self, kind: str, text: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == (kind, text):
            self._next += 1
            return True
        return False

    def _expect_mark(self, mark: str) -> None:
        if not self._take_mark(mark):
            raise self._refusal(f"'{mark}' is missing.")

    def _tokenize(self, text: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._refusal(f"It cannot be read from '{text[position:]}' on.")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return tokens

    def _refusal(self, reason: str) -> BatchError:
        return invalid_query("$filter", self._text, reason)


def _value(resource: object, path: list[str]) -> object:
    value: object = resource
    for name in path:
        value = getattr(value, name, None)
    return str(value) if isinstance(value, StrEnum) else value


def _holds(compare: Callable[[Any, Any], bool], value: object, literal: Literal) -> bool:
    try:
        return compare(value, literal)
    except TypeError:  # a missing value is neither before nor after anything
        return False


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
