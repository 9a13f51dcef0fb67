"""Expressions: `{{ … }}` in a text, and the values it may see → text.

Kestra's expressions are Pebble's. They are read as Pebble reads them, and evaluated in Jinja's sandbox. A rendering
ends by construction: only the listed syntax nodes, functions and filters exist, there are no loops, everything that
can grow is bounded, and what the expressions of a run do together has a budget. Python objects are out of reach: a
name after a dot is the name of a value, nothing else.

    expression_parser.py       Pebble's syntax
    expression_environment.py  the sandbox, tests, names that do not exist
    expression_names.py        what to do about a name that does not exist
    expression_values.py       values as text and JSON; the budget
    expression_operators.py    what operators do
    expression_functions.py    functions
    expression_filters.py      filters, of texts, lists and dates
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.runtime import ChainableUndefined
from jinja2.sandbox import SandboxedEnvironment

from shared.errors import did_you_mean
from shared.expressions import filters as expression_filters
from shared.expressions import functions as expression_functions
from shared.expressions._operators import OPERATORS
from shared.expressions._syntax import PebbleLexer, PebbleParser
from shared.expressions.filters import FILTERS
from shared.expressions.functions import advice
from shared.expressions.values import (
    MAX_OUTPUT,
    Budget,
    ExpressionError,
    LazyValue,
    check_size,
    is_empty,
    spend,
    text_of,
    weight,
)

MAX_NODES = 5_000
MAX_SOURCE = MAX_OUTPUT
_LONGEST_KEPT = 20_000

_WORK_OF_TEXT, _WORK_OF_NODE = 20_000, 2_000  # of reading them, in units of the budget

_TAG = re.compile(r"\{[{%#]")


_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Keyword,
    nodes.Name, nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem,
    nodes.Call, nodes.Filter, nodes.Test, nodes.And, nodes.Or, nodes.Not,
)  # fmt: skip


def render(
    text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], budget: Budget | None = None
) -> str:
    """Render all expressions of a text, once: what an expression yields is not looked at again, but by `render()`.

    `values` are nested maps, lists, texts, numbers, booleans, dates and None. Texts with the same `budget` share it.
    Raises ExpressionError.
    """
    if not _TAG.search(text):
        return text
    with (budget or Budget()).charged():
        return _rendered(text, values, {"render": _Render(values, functions), **functions})


class _Render:
    """`render(x)`: the expressions in a text, or in the texts of a list or map, rendered as the text itself is.

    What is rendered so cannot call `render()` again, so that it ends.
    """

    def __init__(self, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> None:
        self._values = values
        self._functions = {"render": self._not_again, **functions}

    def __call__(self, template: Any, *, recursive: bool = False) -> Any:  # noqa: ANN401 - values of any type
        if recursive:
            raise ExpressionError("render() renders once; write render(render(…)) for another level")
        match template:
            case str():
                return _rendered(template, self._values, self._functions) if _TAG.search(template) else template
            case list():
                return [self(item) for item in template]
            case dict():
                return {name: self(item) for name, item in template.items()}
        return template

    @staticmethod
    def _not_again(*_: Any, **__: Any) -> str:  # noqa: ANN401 - whatever it is called with
        raise ExpressionError("what render() renders cannot call render() itself; write render(render(…))")


def _rendered(text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> str:
    try:
        template = _compiled(text, frozenset(functions))
        return _bounded(template.generate({**values, **functions}))
    except TemplateSyntaxError as error:
        raise ExpressionError(_explained(error.message or "the expression is malformed")) from error
    except (TemplateError, ArithmeticError, AttributeError, TypeError, ValueError, LookupError) as error:
        raise ExpressionError(str(error)) from error
    except (RecursionError, SyntaxError, MemoryError) as error:  # two of them from compiling it
        raise ExpressionError("the expression is nested too deeply") from error


def references(text: str, name: str) -> set[tuple[str, ...]]:
    """What a text's expressions ask of the value `name`: the names after it, as far as they are written out.

    `{{ outputs.a.vars.x ~ outputs['b'][vars.i] }}` asks of `outputs` for `("a", "vars", "x")` and `("b",)`. A text
    that is malformed asks for nothing: rendering it says what is wrong.
    """
    if name not in text:
        return set()
    try:
        all_nodes = _all_nodes(_parsed(text))
    except (TemplateSyntaxError, ExpressionError, RecursionError, ValueError):
        return set()
    found: set[tuple[str, ...]] = set()
    inner: set[nodes.Node] = set()
    for node in all_nodes:
        if node not in inner and (path := _path_of(node, name, inner)) is not None:
            found.add(path)
    return found


def _path_of(node: nodes.Node, name: str, inner: set[nodes.Node]) -> tuple[str, ...] | None:
    """The names after `name` in a chain of dots and brackets; the chain's own nodes are added to `inner`."""
    parts: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        part = node.attr if isinstance(node, nodes.Getattr) else node.arg
        if isinstance(part, nodes.Const):
            part = part.value
        if isinstance(part, str):
            parts.append(part)
        else:
            parts.clear()
        node = node.node
        inner.add(node)
    return tuple(reversed(parts)) if isinstance(node, nodes.Name) and node.name == name else None


def _bounded(parts: Any) -> str:  # noqa: ANN401 - Jinja's stream of texts
    size, rendered = 0, []
    for part in parts:
        size += len(part)
        check_size(size)
        rendered.append(part)
    spend(size)
    return "".join(rendered)


def _compiled(text: str, functions: frozenset[str]) -> Template:
    return _kept(text, functions) if len(text) <= _LONGEST_KEPT else _compile(text, functions)


def _compile(text: str, functions: frozenset[str]) -> Template:
    if len(text) > MAX_SOURCE:
        raise ExpressionError(f"the text has more than {MAX_SOURCE} characters")
    spend(_WORK_OF_TEXT + len(text))
    tree = _parsed(text)
    all_nodes = _all_nodes(tree)
    spend(_WORK_OF_NODE * len(all_nodes))
    for node in all_nodes:
        _check_node(node, functions)
    return ENVIRONMENT.from_string(tree)


_kept = functools.lru_cache(maxsize=256)(_compile)  # the items of a fan-out have the same texts


def _parsed(text: str) -> nodes.Template:
    return PebbleParser(ENVIRONMENT, text).parse()


def _all_nodes(node: nodes.Node) -> list[nodes.Node]:
    found, todo = [], [node]
    while todo:
        found.append(todo.pop())
        todo.extend(found[-1].iter_child_nodes())
        if len(found) > MAX_NODES:
            raise ExpressionError(f"the expressions of one text have more than {MAX_NODES} parts")
    return found


def _check_node(node: nodes.Node, functions: frozenset[str]) -> None:
    match node:
        case nodes.Call(node=nodes.Name(name=name)) if not node.dyn_args and not node.dyn_kwargs:
            if name not in functions:
                raise ExpressionError(_missing("function", name, functions, expression_functions.OTHER_FUNCTIONS))
        case nodes.Call():
            raise ExpressionError("only functions can be called, not values")
        case nodes.Filter(name=name) if name not in OPERATORS and name not in FILTERS:
            raise ExpressionError(_missing("filter", name, FILTERS, expression_filters.OTHER_FILTERS))
        case nodes.Test(name=name) if name not in TESTS:
            raise ExpressionError(_missing("test", name, TESTS, {}))
        case nodes.Filter() | nodes.Call() if node.dyn_args or node.dyn_kwargs:
            raise ExpressionError("arguments cannot be unpacked")
        case _ if not isinstance(node, _ALLOWED):
            raise ExpressionError(_explained(f"{type(node).__name__.lower()} is not supported in expressions"))


def _missing(kind: str, name: str, known: Any, elsewhere: Mapping[str, str]) -> str:  # noqa: ANN401 - names
    if name in elsewhere:
        return f"there is no {kind} {name!r}: {elsewhere[name]}"
    hint = did_you_mean(name, list(known))
    return f"there is no {kind} {name!r}{hint or '; there is ' + ', '.join(sorted(known))}"


def _explained(message: str) -> str:
    if re.search(r"\b(for|macro|set|block|import|include|assign)", message, re.IGNORECASE):
        return f"{message} (there are no loops, macros and assignments in expressions; to repeat a task use `foreach`)"
    if "end of comment" in message:
        return f"{message} (put text that holds {{# between {{% raw %}} and {{% endraw %}})"
    return message


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
        if isinstance(obj, LazyValue):
            return self._part(obj, argument)
        if isinstance(obj, Mapping) and isinstance(argument, str | int) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))

    def _part(self, thing: LazyValue, name: object) -> Any:  # noqa: ANN401 - values of any type
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
