"""What expressions can do: Jinja's sandbox, cut down to values, operators, tests and filters that are bounded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jinja2 import Undefined, UndefinedError
from jinja2.runtime import ChainableUndefined
from jinja2.sandbox import SandboxedEnvironment

from shared.expression_filters import FILTERS
from shared.expression_names import advice
from shared.expression_operators import OPERATORS
from shared.expression_parser import PebbleLexer
from shared.expression_values import ExpressionError, Thing, is_empty, spend, text_of, weight

TESTS: Mapping[str, Callable[[Any], bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "null": lambda value: value is None,
    "empty": is_empty,
    "even": lambda value: _whole(value) % 2 == 0,
    "odd": lambda value: _whole(value) % 2 == 1,
    "iterable": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, Mapping),
}


def _whole(value: Any) -> int:  # noqa: ANN401 - values of any type
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"{text_of(value)!r} is neither even nor odd")
    return value


class _Strict(ChainableUndefined):
    """A name that does not exist: it may be asked for parts of it and tested, but not used."""

    def _fail(self, *_: object, **__: object) -> NoReturn:
        name = str(self._undefined_name)
        raise UndefinedError(f"{name!r} does not exist{advice(name, self._undefined_obj)}")

    __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = __contains__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __call__ = _fail


class _Environment(SandboxedEnvironment):
    @functools.cached_property
    def lexer(self) -> PebbleLexer:
        """The lexer of Pebble's operators."""
        return PebbleLexer(self)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - values of any type
        """`a.b` is a value of the map `a`, never an attribute of a Python object."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - values of any type
        """`a['b']` and `a[0]`: of maps and lists only."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(argument, Undefined):
            return argument
        if isinstance(obj, Thing):
            return self._part(obj, argument)
        if isinstance(obj, Mapping) and isinstance(argument, str | int) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))

    def _part(self, thing: Thing, name: object) -> Any:  # noqa: ANN401 - values of any type
        try:
            return thing.part(name)
        except KeyError:
            return self.undefined(obj=thing, name=str(name))


def _counted(apply: Callable[..., Any], refusal: str) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - values of any type
        try:
            result = apply(*arguments, **named)
        except (AttributeError, TypeError) as error:
            raise ExpressionError(refusal) from error
        spend(1 + weight(result))
        return result

    return counted


def _filters() -> dict[str, Callable[..., Any]]:
    filters = {name: _counted(apply, f"{name} cannot take these values") for name, apply in OPERATORS.items()}
    for name, known in FILTERS.items():
        refusal = f"the filter {name!r} cannot take these values; it is used as in {known.example}"
        filters[name] = _counted(known.apply, refusal)
    return filters


# Not optimized: folding constants would evaluate a failing expression again at every level around it.
ENVIRONMENT = _Environment(
    optimized=False, undefined=_Strict, finalize=text_of, autoescape=False, keep_trailing_newline=True
)
ENVIRONMENT.filters = _filters()
ENVIRONMENT.tests = dict(TESTS)
ENVIRONMENT.globals = {}
