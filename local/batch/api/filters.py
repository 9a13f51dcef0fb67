r"""OData $filter expressions, as far as Batch has them.

https://learn.microsoft.com/azure/batch/batch-efficient-list-queries: comparisons of a property with a literal (`eq ne
gt ge lt le`), `startswith(property, 'text')`, `and`, `or`, `not`, parentheses. Literals are 'text', numbers, true,
false and DateTime'2026-01-01T00:00:00Z'. A property of a property is `executionInfo/exitCode`. Which properties a
listing can be filtered by, and how, stands in `filterable.py`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.batch.api.filterable import Filterable, PropertyType
from local.batch.errors import BatchError, invalid_query

Filter = Callable[[object], bool]
Literal = str | int | bool | datetime
_TYPES = {
    str: PropertyType.TEXT,
    bool: PropertyType.BOOLEAN,
    int: PropertyType.INTEGER,
    datetime: PropertyType.DATETIME,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
MAX_DEPTH = 100
"""So deep may parentheses and `not` be nested: here, the service's own limit is not documented."""
_TOKEN = re.compile(
    r"\s*(?:(?P<datetime>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z_][\w/]*)"
    r"|(?P<mark>[(),]))\s*",
    re.IGNORECASE,
)


def parse_filter(text: str, properties: Mapping[str, Filterable]) -> Filter:
    """Return a filter by some of these properties as a function of a resource.

    BatchError InvalidQueryParameterValue says what is wrong with it.
    """
    parser = _Parser(text, properties)
    condition = parser.disjunction()
    parser.expect_end()
    return condition


class _Parser:
    """Recursive descent, one method for each level of binding."""

    def __init__(self, text: str, properties: Mapping[str, Filterable]) -> None:
        self._text = text
        self._properties = properties
        self._tokens = self._tokenize(text)
        self._next = 0
        self._depth = 0

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
        if self._depth == MAX_DEPTH:
            raise self._refusal(f"It is nested more than {MAX_DEPTH} levels deep.")
        self._depth += 1
        try:
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Filter:
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
        name = self._take("word")
        self._expect_mark(",")
        path, prefix = self._operand(name, "startswith")
        self._expect_mark(")")
        return lambda resource: str(_value(resource, path) or "").startswith(str(prefix))

    def _comparison(self) -> Filter:
        name, word = self._take("word"), self._take("word").lower()
        if word not in _COMPARISONS:
            raise self._refusal(f"'{word}' is not one of {', '.join(_COMPARISONS)}.")
        compare = _COMPARISONS[word]
        path, literal = self._operand(name, word)
        return lambda resource: _holds(compare, _value(resource, path), literal)

    def _operand(self, name: str, operation: str) -> tuple[tuple[str, ...], Literal]:
        """Read what a property is compared with; return where its value is found, and the value to compare it with."""
        known = self._properties.get(name)
        if known is None:
            raise self._refusal(f"It cannot be filtered by '{name}', only by {', '.join(self._properties)}.")
        if operation not in known.operators:
            raise self._refusal(f"'{name}' takes only {', '.join(sorted(known.operators))}.")
        literal = self._literal()
        if _TYPES[type(literal)] is not known.compared_with:
            raise self._refusal(f"'{name}' is compared with {known.compared_with.value}.")
        if known.values:
            literal = str(literal).lower()
            if literal not in known.values:
                raise self._refusal(f"'{literal}' is not one of {', '.join(known.values)}.")
        return known.attributes, literal

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
        constants = {"true": True, "false": False}
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


def _value(resource: object, path: tuple[str, ...]) -> object:
    value: object = resource
    for name in path:
        value = getattr(value, name, None)
    return value


def _holds(compare: Callable[[Any, Any], bool], value: object, literal: Literal) -> bool:
    try:
        return compare(value, literal)
    except TypeError:  # a missing value is neither before nor after anything
        return False
