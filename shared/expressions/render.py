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

from shared.expressions._evaluate import (
    MOST_RENDERS_INSIDE,
    RENDERS_ITSELF,
    WORK_OF_RENDER,
    Evaluator,
    check_recursive,
)
from shared.expressions._nodes import TOO_DEEP, all_nodes, explained, foreign_problems, node_problems
from shared.expressions._scopes import Scopes
from shared.expressions._syntax import parse
from shared.expressions.functions import PURE_FUNCTIONS
from shared.expressions.values import MAX_OUTPUT, Budget, ExpressionError, check_size, spend

MAX_SOURCE = MAX_OUTPUT
_LONGEST_KEPT = 20_000

_WORK_OF_TEXT, _WORK_OF_NODE = 20_000, 2_000  # of parsing them, in units of the budget
_WORK_OF_EVALUATION = 10  # of one node, whether or not its branch is taken

_MOST_ROUNDS = 100  # VariableRenderer.MAX_RENDERING_AMOUNT
_TAG = re.compile(r"\{[{%#]")
_RAW = re.compile(r"(\{%-*\s*raw\s*-*%}(.*?)\{%-*\s*endraw\s*-*%})")  # VariableRenderer.RAW_PATTERN


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
        return _rendered(text, values, functions, major)


class _Render:
    """The functions `render()` and `renderOnce()`: a text, or those in a list or a map, rendered with the same values.

    As RenderFunction.java and VariableRenderer.java of Kestra: the result is rendered again until nothing changes; what
    stands between `{% raw %}` and `{% endraw %}` stays as it is. Rendering ends because both the rounds and the depth
    of calls are limited.
    """

    def __init__(self, scopes: Scopes, functions: Mapping[str, Callable[..., Any]], major: int, depth: int) -> None:
        self._major = major
        self._scopes = scopes
        self._functions = functions
        self._depth = depth

    def until_unchanged(self, toRender: Any, recursive: Any = True) -> Any:  # noqa: ANN401, N803 - as Kestra's
        """The function `render()`."""
        check_recursive(recursive)
        return self._all(toRender, self._once if recursive is False else self._repeated)

    def once(self, toRender: Any) -> Any:  # noqa: ANN401, N803 - as Kestra's
        """The function `renderOnce()`."""
        return self._all(toRender, self._once)

    def _all(self, template: Any, rendered: Callable[[str], str]) -> Any:  # noqa: ANN401 - values of any type
        spend(WORK_OF_RENDER)  # also of each entry: lists may contain each other many times
        match template:
            case str() if _TAG.search(template):
                return rendered(template)
            case list():
                return [self._all(item, rendered) for item in template]
            case dict():
                return {self._all(name, rendered): self._all(item, rendered) for name, item in template.items()}
        return template

    def _once(self, template: str) -> str:
        if self._depth >= MOST_RENDERS_INSIDE:
            raise ExpressionError(RENDERS_ITSELF)
        return _rendered(template, self._scopes.visible(), self._functions, self._major, self._depth + 1)

    def _repeated(self, template: str) -> str:
        text = template
        for _ in range(_MOST_ROUNDS):
            raw = dict(enumerate(_RAW.findall(text)))
            numbers = iter(raw)
            rendered = self._once(_RAW.sub(lambda _, numbers=numbers: f"\0{next(numbers)}\0", text))  # type: ignore[misc]
            for number, (section, _) in raw.items():
                rendered = rendered.replace(f"\0{number}\0", section)
            if rendered == text or not _TAG.search(rendered):
                return _RAW.sub(r"\2", rendered)
            text = rendered
        raise ExpressionError(f"render() has rendered the text {_MOST_ROUNDS} times, and it still changes")


def _rendered(
    text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], major: int, depth: int = 0
) -> str:
    scopes = Scopes(values)
    again = _Render(scopes, functions, major, depth)
    renders = {"render": again.until_unchanged, "renderOnce": again.once}
    functions_here = {**PURE_FUNCTIONS, **renders, **functions}
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
