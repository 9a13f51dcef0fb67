"""Expressions: `{{ … }}` in a text, and the values it may see → text.

Kestra's expressions are Pebble's; these are the part of them that Jinja's sandbox renders the same way, and no more: a
rendering ends by construction. Only the listed syntax nodes, functions and filters exist, there are no loops, and
everything that can grow a text is bounded. Python objects are out of reach: a name after a dot is the name of a
value, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from shared.expression_environment import ENVIRONMENT, FILTERS, TESTS, ExpressionError, check_size, coalesce, concat

MAX_NODES = 5_000
MAX_EXPRESSION = 10_000

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr,
    nodes.Name, nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem,
    nodes.Call, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg, nodes.Pos, nodes.Concat, nodes.FloorDiv,
)  # fmt: skip
_OWN = {"coalesce": coalesce, "concat": concat}


def render(text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> str:
    """Render all expressions of a text, once: what an expression yields is not looked at again.

    `values` are nested maps, lists, texts, numbers, booleans and None. Raises ExpressionError.
    """
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    try:
        template = ENVIRONMENT.from_string(_checked(text, functions))
        return _bounded(template.generate({**values, **functions, **_OWN}))
    except TemplateSyntaxError as error:
        raise ExpressionError(_explained(error.message or "the expression is malformed")) from error
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise ExpressionError(str(error)) from error
    except (
        RecursionError,
        SyntaxError,
        MemoryError,
    ) as error:  # two of them from compiling it
        raise ExpressionError("the expression is nested too deeply") from error


def references(text: str, name: str) -> set[tuple[str, ...]]:
    """What a text's expressions ask of the value `name`: the names after it, as far as they are written out.

    `{{ outputs.a.vars.x ~ outputs['b'][vars.i] }}` asks of `outputs` for `("a", "vars", "x")` and `("b",)`. A text
    that is malformed asks for nothing: rendering it says what is wrong.
    """
    if name not in text:
        return set()
    try:
        tree = ENVIRONMENT.parse(_with_coalesce(text))
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
        check_size(size)
        rendered.append(part)
    return "".join(rendered)


def _checked(text: str, functions: Mapping[str, Callable[..., Any]]) -> nodes.Template:
    tree = ENVIRONMENT.parse(_with_coalesce(text))
    all_nodes = _all_nodes(tree)
    if len(all_nodes) > MAX_NODES:
        raise ExpressionError(f"the expressions of one text have more than {MAX_NODES} parts")
    for node in all_nodes:
        _check_node(node, functions)
    return _OwnCalls().visit(tree)  # type: ignore[no-any-return]  # a transformed template is a template


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
        case nodes.Filter(name=name) if name not in FILTERS:
            raise ExpressionError(f"there is no filter {name!r}; there is {', '.join(sorted(FILTERS))}")
        case nodes.Test(name=name) if name not in TESTS:
            raise ExpressionError(f"there is no test {name!r}; there is {', '.join(TESTS)}")
        case _ if not isinstance(node, (*_ALLOWED, nodes.Keyword)):
            raise ExpressionError(_explained(f"{type(node).__name__.lower()} is not supported in expressions"))


def _explained(message: str) -> str:
    if re.search(r"\b(for|macro|set|block|import|include)\b", message, re.IGNORECASE):
        return f"{message} (there are no loops, macros and assignments in expressions)"
    if "end of comment" in message:
        return f"{message} (put text that holds {{# between {{% raw %}} and {{% endraw %}})"
    return message


# --- `a ?? b`: Jinja knows no such operator, so it is read as one of equal arity that we do not offer.

_OPEN = re.compile(r"\{(?:%-?\s*raw\s*-?%\}|[{%#])")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_CLOSE = {"{{": "}}", "{%": "%}", "{#": "#}"}
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\?\?|//""", re.DOTALL)


def _with_coalesce(text: str) -> str:
    return "".join(_TOKEN.sub(_token, part) if is_expression else part for part, is_expression in _parts(text))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, and which of them are expressions; in one pass, whatever is left open."""
    place = 0
    while opened := _OPEN.search(text, place):
        yield text[place : opened.start()], False
        if len(opened.group()) > len("{{"):
            end_raw = _END_RAW.search(text, opened.end())
            end = end_raw.end() if end_raw else -1
        else:
            closing = _CLOSE[opened.group()]
            end = text.find(closing, opened.end()) + len(closing)
            end = end if end >= opened.end() + len(closing) else -1
        if end < 0:
            place = opened.start()
            break  # whatever is wrong with it, Jinja says
        is_expression = opened.group() in ("{{", "{%")
        if is_expression and end - opened.start() > MAX_EXPRESSION:
            raise ExpressionError(f"an expression has more than {MAX_EXPRESSION} characters")
        yield text[opened.start() : end], is_expression
        place = end
    yield text[place:], False


def _token(match: re.Match[str]) -> str:
    if match.group() == "//":
        raise ExpressionError("there is no operator // in expressions")
    return "//" if match.group() == "??" else match.group()


class _OwnCalls(NodeTransformer):
    """Operators that become calls of ours."""

    def visit_FloorDiv(self, node: nodes.FloorDiv) -> nodes.Node:  # noqa: N802 - the visitor's naming
        """`a ?? b`."""
        return self._call("coalesce", [node.left, node.right], node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - the visitor's naming
        """`a ~ b`."""
        return self._call("concat", node.nodes, node.lineno)

    def _call(self, name: str, arguments: list[nodes.Expr], lineno: int) -> nodes.Node:
        visited = [self.visit(argument) for argument in arguments]
        return nodes.Call(nodes.Name(name, "load"), visited, [], None, None, lineno=lineno)
