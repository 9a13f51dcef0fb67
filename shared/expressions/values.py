"""The values of expressions, their text and their JSON; and the budget of work that expressions share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from shared.expressions.date_patterns import iso

MAX_OUTPUT = 1024 * 1024
MAX_ITEMS = 10_000
MAX_WORK = 1_000_000_000  # about ten seconds
_WORK_OF_JSON = 50  # of each text, bracket and comma
_WORK_OF_ENTRY = 500  # in a list or a map, if all of it is gone through


class ExpressionError(Exception):
    """An expression cannot be rendered; the message gives the reason in one line."""


class MissingError(ExpressionError):
    """A name that does not exist is used; `??` and `???` take their other operand then."""


class LazyValue(ABC):
    """A value whose text and parts are computed when they are used."""

    @abstractmethod
    def as_text(self) -> str:
        """The text of `{{ value }}`."""

    @abstractmethod
    def part(self, name: object) -> object:
        """The value of `{{ value[name] }}`. Raises KeyError if there is no such part."""

    def missing(self, name: str) -> str | None:  # noqa: ARG002 - for those that know more
        """The message about a part that does not exist; None for the usual one."""
        return None


class Unknown(LazyValue):
    """The value of a name that is not known yet, when a text is only checked; its `parts` have names that are known."""

    def __init__(self, parts: Mapping[str, object] | None = None) -> None:
        self.parts = parts

    def as_text(self) -> str:
        """Nothing. Raises ExpressionError if a part can never have a text."""
        for part in (self.parts or {}).values():
            text_of(part)
        return ""

    def part(self, name: object) -> object:
        """A part, which is not known either. Raises KeyError if there can never be such a part."""
        if self.parts is None or isinstance(name, Unknown):
            return UNKNOWN
        return self.parts[name]  # type: ignore[index] # no other name is in it


UNKNOWN = Unknown()


class Parts(LazyValue):
    """A value that has parts, but no text of its own."""

    def __init__(self, parts: Mapping[str, object]) -> None:
        self.parts = parts

    def as_text(self) -> str:
        """Raise ExpressionError: only the parts have a text."""
        raise ExpressionError(f"name one of its values: {', '.join(self.parts)}")

    def part(self, name: object) -> object:
        """A part. Raises KeyError if there is none of this name."""
        return self.parts[name]  # type: ignore[index] # no other name is in it


class Advised(dict[str, Any]):
    """A map with `advice` on what to use instead of the names that it has in Kestra, but not here."""

    def __init__(self, values: Mapping[str, Any], advice: Mapping[str, str]) -> None:
        super().__init__(values)
        self.advice = advice


class Missing:
    """The value of a name that does not exist.

    It can be tested, handed on, and asked for its parts, which do not exist either. Any other use raises
    ExpressionError with the message that `explain` returns; it is only called then, as it may compare many names.
    """

    def __init__(self, explain: Callable[[], str]) -> None:
        self._explain = explain

    def explained(self) -> str:
        """What does not exist."""
        return self._explain()

    def fail(self, *_: object) -> NoReturn:
        """Raise ExpressionError, which says what does not exist."""
        raise MissingError(self._explain())

    __str__ = __iter__ = __len__ = __bool__ = __contains__ = __hash__ = fail
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = fail

    def __repr__(self) -> str:
        return "Missing"


def check_exist(*values: object) -> None:
    """Raise ExpressionError for the first of the values that does not exist."""
    for value in values:
        if isinstance(value, Missing):
            value.fail()


@dataclass(frozen=True)
class Filter:
    """A filter, and how it is documented: its purpose, and an example with its result.

    `check` raises ExpressionError for arguments that are wrong whatever the value is.
    """

    apply: Callable[..., Any]
    purpose: str
    example: str
    result: str
    check: Callable[..., object] | None = None


class Budget:
    """The work that the texts that share it may take: about one unit for each character that is handled."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work

    def spend(self, work: int) -> None:
        """Take work from the budget. Raises ExpressionError when nothing is left."""
        self._left -= work
        if self._left < 0:
            raise ExpressionError("the expressions take too much work; do this in the commands")

    @contextmanager
    def charged(self) -> Iterator[None]:
        """Charge the work of what is rendered meanwhile to this budget."""
        token = _budget.set(self)
        try:
            yield
        finally:
            _budget.reset(token)


_budget: ContextVar[Budget] = ContextVar("budget")


def spend(work: int) -> None:
    """Take work from the budget in use (`Budget.charged`). Raises ExpressionError when nothing is left.

    Where no expression is rendered, as for the text of an item, nothing is charged.
    """
    if budget := _budget.get(None):
        budget.spend(work)


def spend_on(value: object) -> None:
    """Take the work of going through all of a value, and what it contains, from the budget.

    A list may contain the same list twice, and that another one twice: it is as large as it would be in JSON.
    """
    todo = [value]
    while todo:
        entry = todo.pop()
        spend(_WORK_OF_ENTRY + weight(entry))
        if isinstance(entry, list | dict):
            todo.extend(entry.values() if isinstance(entry, dict) else entry)


def weight(value: object) -> int:
    """The work of handling a value."""
    match value:
        case str():
            return len(value)
        case list() | dict():
            return 20 * len(value)
    return 1


def check_size(size: int) -> None:
    """Raise ExpressionError for a text that is too long, given its number of characters."""
    if size > MAX_OUTPUT:
        raise ExpressionError(f"the text is longer than {MAX_OUTPUT} characters")


def check_items(count: int) -> None:
    """Raise ExpressionError for a list that is too long, given its number of entries."""
    if count > MAX_ITEMS:
        raise ExpressionError(f"the list has more than {MAX_ITEMS} entries")


def text_of(value: Any) -> str:  # noqa: ANN401 - values of any type
    """The text of a value as in Kestra: maps and lists as JSON, true and false in lower case, nothing for null.

    Raises ExpressionError for what has no text: functions, and names that do not exist.
    """
    if isinstance(value, str | None):
        return value or ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json_of(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, LazyValue):
        return value.as_text()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        raise ExpressionError(f"name one of its values: {', '.join(value) or 'it has none'}")
    check_exist(value)
    raise ExpressionError("a function is named without its parentheses")


def json_of(value: Any) -> str:  # noqa: ANN401 - values of any type
    """The JSON of a value as in Kestra, without spaces."""
    parts: list[str] = []
    size = 0
    for part in _ENCODER.iterencode(value):
        parts.append(part)
        size += len(part)
        check_size(size)
        spend(_WORK_OF_JSON + len(part))
    return "".join(parts)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else text_of(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain, separators=(",", ":"))


def is_empty(value: Any) -> bool:  # noqa: ANN401 - values of any type
    """Whether a value is null, only white space, a list or map without entries, or does not exist."""
    if value is None or isinstance(value, Missing):
        return True
    return not value.strip() if isinstance(value, str) else isinstance(value, list | Mapping) and not len(value)
