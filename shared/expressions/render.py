"""Renders the expressions (`{{ … }}`) in a text with the values that they may see.

Kestra's expressions are Pebble's. They are parsed as Pebble parses them, into a syntax tree of Jinja's, and evaluated
by walking the tree. Rendering always ends: only the listed syntax nodes, functions and filters exist, loops go through
lists, everything that can grow is bounded, and the expressions of a run share a budget of work.

    _syntax.py        text → syntax tree
    _nodes.py         which syntax trees are allowed
    _evaluate.py      syntax tree → texts
    _scopes.py        the names that a text sets itself
    check.py          what is wrong with a text, as far as that can be said before all values are known (_checker.py)
    _operators.py     the operators
    functions.py      the functions (_calendar.py), and advice about names that do not exist
    filters.py        the filters and tests, of texts (_text_filters.py, _regex_filters.py), lists (_list_filters.py),
                      JSON (_jq.py) and dates (dates.py)
    values.py         values as text and as JSON; the budget
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from shared.expressions._evaluate import WORK_OF_RENDER, Evaluator, render_not_again
from shared.expressions._nodes import TOO_DEEP, all_nodes, explained, foreign_problems, node_problems
from shared.expressions._scopes import Scopes
from shared.expressions._syntax import parse
from shared.expressions.functions import PURE_FUNCTIONS
from shared.expressions.values import MAX_OUTPUT, Budget, ExpressionError, check_size, spend

MAX_SOURCE = MAX_OUTPUT
_LONGEST_KEPT = 20_000

_WORK_OF_TEXT, _WORK_OF_NODE = 20_000, 2_000  # of parsing them, in units of the budget
_WORK_OF_EVALUATION = 10  # of one node, whether or not its branch is taken

_TAG = re.compile(r"\{[{%#]")


def render(
    text: str,
    values: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    budget: Budget | None = None,
    major: int = 1,
) -> str:
    """Render all expressions of a text, once: the result of an expression is not rendered again, except by `render()`.

    `values` are nested maps, lists, texts, numbers, booleans, dates and None. Texts with the same `budget` share it.
    It is read as by a `major` version of Kestra.
    Raises ExpressionError.
    """
    if not _TAG.search(text):
        return text
    with (budget or Budget()).charged():
        return _rendered(text, values, functions, _Render, major)


class _Render:
    """The function `render()`: renders a text, or the texts in a list or a map, with the values of the text around it.

    The texts that it renders cannot call `render()` themselves, so that rendering ends.
    """

    def __init__(self, scopes: Scopes, functions: Mapping[str, Callable[..., Any]], major: int) -> None:
        self._major = major
        self._scopes = scopes
        self._functions = functions

    def __call__(self, template: Any, *, recursive: bool = False) -> Any:  # noqa: ANN401 - values of any type
        if recursive:
            raise ExpressionError("render() renders once; to render the result again write render(render(…))")
        spend(WORK_OF_RENDER)  # also of each entry: lists may contain each other many times
        match template:
            case str() if _TAG.search(template):
                return _rendered(
                    template, self._scopes.visible(), self._functions, lambda *_: render_not_again, self._major
                )
            case list():
                return [self(item) for item in template]
            case dict():
                return {name: self(item) for name, item in template.items()}
        return template


def _rendered(
    text: str,
    values: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    render_of: Callable[[Scopes, Mapping[str, Callable[..., Any]], int], Callable[..., Any]],
    major: int,
) -> str:
    scopes = Scopes(values)
    functions_here = {**PURE_FUNCTIONS, "render": render_of(scopes, functions, major), **functions}
    try:
        tree = _tree_of(text, frozenset(functions_here), major)
        spend(tree.work)
        return _bounded(Evaluator(scopes, functions_here).texts(tree.body))
    except TemplateSyntaxError as error:
        foreign, _ = foreign_problems(text)
        reason = foreign[0] if foreign else explained(error.message or "the expression is not valid")
        raise ExpressionError(reason) from error
    except (ArithmeticError, AttributeError, TypeError, ValueError, LookupError) as error:
        raise ExpressionError(explained(str(error))) from error
    except RecursionError as error:
        raise ExpressionError(TOO_DEEP) from error


def references(text: str, name: str, unknown: str | None = None) -> set[tuple[str, ...]]:
    """The parts of the value `name` that a text's expressions use: the names after it, as far as they are constant.

    `{{ outputs.a.vars.x ~ outputs['b'][vars.i] }}` uses `("a", "vars", "x")` and `("b",)` of `outputs`; or, with
    something that stands for what is `unknown`, the whole path. A malformed text has no references: rendering it
    reports what is wrong.
    """
    if name not in text:
        return set()
    try:
        found_nodes = all_nodes(parse(text))
    except (TemplateSyntaxError, ExpressionError, RecursionError, ValueError):
        return set()
    inner: set[nodes.Node] = set()  # the parts of paths that were found
    paths = (_path_of(node, name, inner, unknown) for node in found_nodes if node not in inner)
    return {path for path in paths if path is not None}


def _path_of(node: nodes.Node, name: str, inner: set[nodes.Node], unknown: str | None) -> tuple[str, ...] | None:
    """The names after `name` in a chain of dots and brackets; the chain's own nodes are added to `inner`."""
    parts: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        part = node.attr if isinstance(node, nodes.Getattr) else node.arg
        if isinstance(part, nodes.Const):
            part = part.value
        if isinstance(part, str):
            parts.append(part)
        elif unknown is not None:
            parts.append(unknown)
        else:
            parts.clear()
        node = node.node
        inner.add(node)
    return tuple(reversed(parts)) if isinstance(node, nodes.Name) and node.name == name else None


def _bounded(parts: Iterable[str]) -> str:
    size, rendered = 0, []
    for part in parts:
        size += len(part)
        check_size(size)
        rendered.append(part)
    spend(size)
    return "".join(rendered)


@dataclass(frozen=True)
class _Tree:
    """A syntax tree whose nodes are checked, and the work of evaluating it."""

    body: list[nodes.Node]
    work: int


def _tree_of(text: str, functions: frozenset[str], major: int) -> _Tree:
    return (_kept if len(text) <= _LONGEST_KEPT else _checked)(text, functions, major)


def _checked(text: str, functions: frozenset[str], major: int) -> _Tree:
    if len(text) > MAX_SOURCE:
        raise ExpressionError(f"the text has more than {MAX_SOURCE} characters")
    spend(_WORK_OF_TEXT + len(text))
    tree = parse(text, major)
    found = all_nodes(tree)
    spend(_WORK_OF_NODE * len(found))
    for problem in node_problems(found, functions):
        raise ExpressionError(problem)
    return _Tree(tree.body, _WORK_OF_EVALUATION * len(found))


_kept = functools.lru_cache(maxsize=256)(_checked)  # the items of a fan-out share their texts
