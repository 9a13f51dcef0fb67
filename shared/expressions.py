"""Expressions: `{{ … }}` in a text, and the values it may see → text.

Kestra's expressions are Pebble's; these are the part of them that Jinja's sandbox renders the same way, and no more: a
rendering ends by construction. Only the listed syntax nodes, functions and filters exist, there are no loops, and
everything that can grow a text is bounded. Python objects are out of reach: a name after a dot is the name of a
value, nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import ChainableUndefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_OUTPUT = 1024 * 1024

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr,
    nodes.Name, nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem,
    nodes.Call, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg, nodes.Pos, nodes.Concat, nodes.FloorDiv,
)  # fmt: skip
_TESTS = ("defined", "undefined", "none", "null", "even", "odd")
_COALESCE = "coalesce"


class ExpressionError(Exception):
    """An expression cannot be rendered; the message says why, in one line."""


def render(text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> str:
    """Render all expressions of a text, once: what an expression yields is not looked at again.

    `values` are nested maps, lists, texts, numbers, booleans and None. Raises ExpressionError.
    """
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    try:
        template = _ENVIRONMENT.from_string(_checked(text, functions))
        return _bounded(template.generate({**values, **functions, _COALESCE: _coalesce}))
    except TemplateSyntaxError as error:
        raise ExpressionError(_explained(error.message or "the expression is malformed")) from error
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise ExpressionError(str(error)) from error
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deeply") from error


def references(text: str, name: str) -> set[tuple[str, ...]]:
    """What a text's expressions ask of the value `name`: the names after it, as far as they are written out.

    `{{ outputs.a.vars.x ~ outputs['b'][vars.i] }}` asks of `outputs` for `("a", "vars", "x")` and `("b",)`. A text
    that is malformed asks for nothing: rendering it says what is wrong.
    """
    if name not in text:
        return set()
    try:
        tree = _ENVIRONMENT.parse(_with_coalesce(text))
    except (TemplateSyntaxError, ExpressionError, RecursionError):
        return set()
    found: set[tuple[str, ...]] = set()
    inner: set[nodes.Node] = set()
    for node in _all_nodes(tree):
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
        if size > MAX_OUTPUT:
            raise ExpressionError(f"the text grows over {MAX_OUTPUT} characters")
        rendered.append(part)
    return "".join(rendered)


def _checked(text: str, functions: Mapping[str, Callable[..., Any]]) -> nodes.Template:
    tree = _ENVIRONMENT.parse(_with_coalesce(text))
    for node in _all_nodes(tree):
        _check_node(node, functions)
    return _CoalesceCalls().visit(tree)  # type: ignore[no-any-return]  # a transformed template is a template


def _all_nodes(node: nodes.Node) -> list[nodes.Node]:
    found, todo = [], [node]
    while todo:
        found.append(todo.pop())
        todo.extend(found[-1].iter_child_nodes())
    return found


def _check_node(node: nodes.Node, functions: Mapping[str, Callable[..., Any]]) -> None:
    match node:
        case nodes.Call(node=nodes.Name(name=name)) if name in functions and not node.dyn_args and not node.dyn_kwargs:
            pass
        case nodes.Call(node=nodes.Name(name=name)):
            raise ExpressionError(f"there is no function {name}(); there is {', '.join(sorted(functions))}")
        case nodes.Call():
            raise ExpressionError("only functions can be called, not values")
        case nodes.Filter(name=name) if name not in _FILTERS:
            raise ExpressionError(f"there is no filter {name!r}; there is {', '.join(sorted(_FILTERS))}")
        case nodes.Test(name=name) if name not in _TESTS:
            raise ExpressionError(f"there is no test {name!r}; there is {', '.join(_TESTS)}")
        case _ if not isinstance(node, (*_ALLOWED, nodes.Keyword)):
            raise ExpressionError(_explained(f"{type(node).__name__.lower()} is not supported in expressions"))


def _explained(message: str) -> str:
    if re.search(r"\b(for|macro|set|block|import|include)\b", message, re.IGNORECASE):
        return f"{message} (there are no loops, macros and assignments in expressions)"
    if "end of comment" in message:
        return f"{message} (put text that holds {{# between {{% raw %}} and {{% endraw %}})"
    return message


# --- `a ?? b`: Jinja knows no such operator, so it is read as one of equal arity that we do not offer.

_EXPRESSION = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}|\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\?\?|//""", re.DOTALL)


def _with_coalesce(text: str) -> str:
    def expression(match: re.Match[str]) -> str:
        whole = match.group()
        return whole if whole.startswith("{#") or "endraw" in whole else _TOKEN.sub(token, whole)

    def token(match: re.Match[str]) -> str:
        if match.group() == "//":
            raise ExpressionError("there is no operator // in expressions")
        return "//" if match.group() == "??" else match.group()

    return _EXPRESSION.sub(expression, text)


class _CoalesceCalls(NodeTransformer):
    def visit_FloorDiv(self, node: nodes.FloorDiv) -> nodes.Node:  # noqa: N802 - the visitor's naming
        """`a ?? b` becomes a call of ours."""
        left, right = self.visit(node.left), self.visit(node.right)
        return nodes.Call(nodes.Name(_COALESCE, "load"), [left, right], [], None, None, lineno=node.lineno)


def _coalesce(value: Any, default: Any) -> Any:  # noqa: ANN401 - values of any type
    return default if value is None or isinstance(value, Undefined) else value


# --- The environment.


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
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(name=str(argument))

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
        return super().call_binop(context, operator, left, right)


def _bounded_text(size: int) -> None:
    if size > MAX_OUTPUT:
        raise ExpressionError(f"the text grows over {MAX_OUTPUT} characters")


def _replace(value: Any, old: Any, new: str | None = None) -> str:  # noqa: ANN401 - values of any type
    """Pebble's `replace({'a': 'b'})`, and Jinja's `replace('a', 'b')`."""
    text = _text(value)
    for find, put in (old if isinstance(old, Mapping) else {old: new}).items():
        if not find:
            raise ExpressionError("replace needs a text to look for")
        _bounded_text(len(text) + text.count(_text(find)) * len(_text(put)))
        text = text.replace(_text(find), _text(put))
    return text


def _join(value: Any, separator: str = "") -> str:  # noqa: ANN401 - values of any type
    parts = [_text(part) for part in value]
    _bounded_text(sum(map(len, parts)) + len(parts) * len(separator))
    return separator.join(parts)


def _text(value: Any) -> str:  # noqa: ANN401 - values of any type
    return _finalize(value) if isinstance(value, bool | dict | list) or value is None else str(value)


def _finalize(value: Any) -> Any:  # noqa: ANN401 - values of any type
    """Values as text, as Kestra writes them: maps and lists are JSON, true and false are lower case, null is empty."""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
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


_FILTERS: dict[str, Callable[..., Any]] = {
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
    "toJson": lambda value: json.dumps(value, ensure_ascii=False, default=str),
}

# Not optimized: folding constants would evaluate a failing expression again at every level around it.
_ENVIRONMENT = _Environment(
    optimized=False, undefined=_Strict, finalize=_finalize, autoescape=False, keep_trailing_newline=True
)
_ENVIRONMENT.filters = _FILTERS
_ENVIRONMENT.tests = {name: test for name, test in _ENVIRONMENT.tests.items() if name in _TESTS}
_ENVIRONMENT.tests["null"] = _ENVIRONMENT.tests["none"]
_ENVIRONMENT.globals = {}
