"""What expressions can do: Jinja's sandbox, cut down to values, operators, tests and filters that are bounded."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.runtime import ChainableUndefined
from jinja2.sandbox import SandboxedEnvironment

MAX_OUTPUT = 1024 * 1024
TESTS = ("defined", "undefined", "none", "null", "even", "odd")


class ExpressionError(Exception):
    """An expression cannot be rendered; the message says why, in one line."""


class Thing(ABC):
    """A value that is more than data: it decides itself what its text and its parts are."""

    @abstractmethod
    def as_text(self) -> str:
        """What `{{ thing }}` is."""

    @abstractmethod
    def part(self, name: object) -> object:
        """What `{{ thing[name] }}` is. Raises KeyError."""

    def __str__(self) -> str:
        return self.as_text()


class _Strict(ChainableUndefined):
    """A name that does not exist: it may be asked for parts of it and tested, but not used."""

    def _fail(self, *_: object, **__: object) -> NoReturn:
        raise UndefinedError(f"{self._undefined_name!r} does not exist")

    __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = __contains__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __pos__ = __call__ = _fail


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset(["*", "+"])

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - values of any type
        """`a.b` is a value of the map `a`, never an attribute of a Python object."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - values of any type
        """`a['b']` and `a[0]`: of maps and lists only."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, Thing):
            return self._part(obj, argument)
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(name=str(argument))

    def _part(self, thing: Thing, name: object) -> Any:  # noqa: ANN401 - values of any type
        try:
            return thing.part(name)
        except KeyError:
            return self.undefined(name=str(name))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - values of any type
        """Numbers are multiplied and added; texts may be added, but not repeated."""
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)  # raises, and says which name does not exist
        are_numbers = all(isinstance(side, int | float) for side in (left, right))
        if operator == "*" and not are_numbers:
            raise SecurityError("only numbers can be multiplied")
        if operator == "+" and not are_numbers and not (isinstance(left, str) and isinstance(right, str)):
            raise SecurityError("+ takes two numbers or two texts; use ~ to join other values")
        if isinstance(left, str):
            check_size(len(left) + len(right))
        return super().call_binop(context, operator, left, right)


def check_size(size: int) -> None:
    """Raise ExpressionError for a text that is larger than any that may come out."""
    if size > MAX_OUTPUT:
        raise ExpressionError(f"the text grows over {MAX_OUTPUT} characters")


def coalesce(value: Any, default: Any) -> Any:  # noqa: ANN401 - values of any type
    """`value ?? default`: the default for what does not exist or is null."""
    return default if value is None or isinstance(value, Undefined) else value


def concat(*values: Any) -> str:  # noqa: ANN401 - values of any type
    """`a ~ b ~ c`, no larger than a text may be."""
    texts: list[str] = []
    size = 0
    for value in values:
        texts.append(_text(value))
        size += len(texts[-1])
        check_size(size)
    return "".join(texts)


def _json(value: Any) -> str:  # noqa: ANN401 - values of any type
    parts: list[str] = []
    size = 0
    for part in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value):
        parts.append(part)
        size += len(part)
        check_size(size)
    return "".join(parts)


def _replace(value: Any, old: Any, new: str | None = None) -> str:  # noqa: ANN401 - values of any type
    """Pebble's `replace({'a': 'b'})`, and Jinja's `replace('a', 'b')`."""
    text = _text(value)
    for find, put in (old if isinstance(old, Mapping) else {old: new}).items():
        if not find:
            raise ExpressionError("replace needs a text to look for")
        check_size(len(text) + text.count(_text(find)) * len(_text(put)))
        text = text.replace(_text(find), _text(put))
    return text


def _join(value: Any, separator: str = "") -> str:  # noqa: ANN401 - values of any type
    parts = [_text(part) for part in value]
    check_size(sum(map(len, parts)) + len(parts) * len(separator))
    return separator.join(parts)


def _text(value: Any) -> str:  # noqa: ANN401 - values of any type
    return _finalize(value) if isinstance(value, bool | dict | list) or value is None else str(value)


def _finalize(value: Any) -> Any:  # noqa: ANN401 - values of any type
    """Values as text, as Kestra writes them: maps and lists are JSON, true and false are lower case, null is empty."""
    if isinstance(value, dict | list | bool):
        return _json(value)
    if isinstance(value, Thing):
        return value.as_text()
    if isinstance(value, str | int | float | datetime | Undefined):
        return value
    if value is None:
        return ""
    raise ExpressionError("a function stands here without its parentheses")


def _default(value: Any, default: Any = "") -> Any:  # noqa: ANN401 - values of any type
    return default if isinstance(value, Undefined) or value is None or value == "" else value


def _date(value: Any, pattern: str = "yyyy-MM-dd'T'HH:mm:ssXXX") -> str:  # noqa: ANN401 - values of any type
    """Java's date patterns, as far as they are numbers."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    return _JAVA_PATTERN.sub(lambda match: _java_part(match, moment.astimezone(UTC)), pattern)


_JAVA_PATTERN = re.compile(r"'([^']*)'|yyyy|MM|dd|HH|mm|ss|SSS|XXX|[A-Za-z]+")
_JAVA_PARTS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def _java_part(match: re.Match[str], moment: datetime) -> str:
    part = match.group()
    if part.startswith("'"):
        return match.group(1) or "'"
    if part == "SSS":
        return f"{moment.microsecond // 1000:03}"
    if part == "XXX":
        return "Z"
    if part not in _JAVA_PARTS:
        raise ExpressionError(
            f"the date pattern {part!r} is not supported; there is {', '.join(_JAVA_PARTS)}, SSS and XXX"
        )
    return moment.strftime(_JAVA_PARTS[part])


FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "trim": lambda value: _text(value).strip(),
    "replace": _replace,
    "split": lambda value, separator: _text(value).split(separator),
    "join": _join,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "length": len,
    "date": _date,
    "toJson": _json,
}

# Not optimized: folding constants would evaluate a failing expression again at every level around it.
ENVIRONMENT = _Environment(
    optimized=False, undefined=_Strict, finalize=_finalize, autoescape=False, keep_trailing_newline=True
)
ENVIRONMENT.filters = FILTERS
ENVIRONMENT.tests = {name: test for name, test in ENVIRONMENT.tests.items() if name in TESTS}
ENVIRONMENT.tests["null"] = ENVIRONMENT.tests["none"]
ENVIRONMENT.globals = {}
