"""Texts that Kestra 1 and Kestra 2 read differently: `??`, `???` and `isIn` bind differently, see `_syntax.py`."""

from __future__ import annotations

import re

from jinja2 import TemplateSyntaxError, nodes

from shared.expressions._nodes import all_nodes
from shared.expressions._operators import COALESCING, OPERATORS
from shared.expressions._syntax import parse
from shared.expressions.values import ExpressionError

_MAY_DIFFER = re.compile(r"\?\?|\bisIn\b")


def two_readings(text: str) -> tuple[str, str] | None:
    """The first part of a text that Kestra 1 and Kestra 2 read differently, with the parentheses of both readings."""
    if not _MAY_DIFFER.search(text):
        return None
    try:
        first, second = parse(text), parse(text, 2)
        all_nodes(first), all_nodes(second)  # neither is too deep for what follows
        if first == second:
            return None
        one, other = _difference(first, second)
        return _written(one), _written(other)
    except (TemplateSyntaxError, ExpressionError, RecursionError, ValueError):
        return None  # it is told when it is rendered


def _difference(first: nodes.Node, second: nodes.Node) -> tuple[nodes.Node, nodes.Node]:
    """The smallest parts of two trees in which they differ."""
    while True:
        below = list(zip(first.iter_child_nodes(), second.iter_child_nodes(), strict=False))
        if not isinstance(first, nodes.Expr) or (type(first) is type(second) and _name(first) == _name(second)):
            different = [(one, other) for one, other in below if one != other]
            if len(different) == 1 or (different and not isinstance(first, nodes.Expr)):
                first, second = different[0]
                continue
        return first, second


def _name(node: nodes.Node) -> str | None:
    return getattr(node, "name", None)


def _written(node: nodes.Node) -> str:  # noqa: PLR0911 - one return for each kind of node, here and below
    """An expression as it is written, with parentheses around each operand that is an operation itself."""
    match node:
        case nodes.Const(value=value):
            return _constant(value)
        case nodes.Name(name=name):
            return name
        case nodes.Getattr(node=whole, attr=name):
            return f"{_operand(whole)}.{name}"
        case nodes.Getitem(node=whole, arg=part):
            return f"{_operand(whole)}[{_written(part)}]"
        case nodes.Call(node=function):
            return f"{_written(function)}({_arguments(node)})"
        case nodes.List(items=items):
            return f"[{', '.join(map(_written, items))}]"
        case nodes.Dict(items=pairs):
            return f"{{{', '.join(f'{_written(pair.key)}: {_written(pair.value)}' for pair in pairs)}}}"
    return _operation(node)


def _operation(node: nodes.Node) -> str:  # noqa: PLR0911
    match node:
        case nodes.Filter(node=nodes.Node() as value, name=name) if name in OPERATORS or name in COALESCING:
            return f"{_operand(value)} {name.strip()} {_operand(node.args[0])}"
        case nodes.Filter(node=nodes.Node() as value, name=name):
            return f"{_operand(value)} | {name}" + (f"({_arguments(node)})" if node.args or node.kwargs else "")
        case nodes.Test(node=value, name=name):
            return f"{_operand(value)} is {name}"
        case nodes.Not(node=value):
            return f"not {_operand(value)}"
        case nodes.And() | nodes.Or():
            return f"{_operand(node.left)} {type(node).__name__.lower()} {_operand(node.right)}"
        case nodes.CondExpr(test=test, expr1=yes, expr2=nodes.Node() as no):
            return f"{_operand(test)} ? {_operand(yes)} : {_operand(no)}"
    return "…"


def _constant(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()


def _arguments(node: nodes.Call | nodes.Filter) -> str:
    named = [f"{each.key}={_written(each.value)}" for each in node.kwargs if isinstance(each, nodes.Keyword)]
    return ", ".join([*map(_written, node.args), *named])


_OPERATIONS = (nodes.Filter, nodes.Test, nodes.Not, nodes.And, nodes.Or, nodes.CondExpr)


def _operand(node: nodes.Node) -> str:
    return f"({_written(node)})" if isinstance(node, _OPERATIONS) else _written(node)
