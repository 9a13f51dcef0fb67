"""Finds what is wrong with a text's expressions, as far as that can be said before all values are known.

The tree is walked as for rendering. A value that is not known yet is `Unknown`, and so is what is made of it; both
branches of a condition that is not known are walked. A mistake is noted, and the walk goes on: all mistakes of a text
are found, not only the first.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import TemplateSyntaxError

from shared.expressions._checker import Checker
from shared.expressions._nodes import TOO_DEEP, all_nodes, explained, foreign_problems, node_problems
from shared.expressions._syntax import parse
from shared.expressions.functions import PURE_FUNCTIONS
from shared.expressions.values import Budget, ExpressionError, spend

_PIECE = re.compile(r"\{\{(?:[^{}'\"]|'[^']*'|\"[^\"]*\"|\{[^{}]*\})*\}\}")
_SETS_NAMES = re.compile(r"\{%-?\s*(?:for|set)\b")
_NOT_IN_PIECES = ("{% raw %}", "{%- raw", "{#")
_WORK = 20_000


def problems_in(  # noqa: PLR0913, PLR0917 - as those of `render`, and what was found before
    text: str,
    values: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    budget: Budget,
    known: Iterable[str] = (),
    major: int = 1,
) -> list[str]:
    """Every mistake in the expressions of a text, once. `values` may be, or contain, `Unknown`.

    `known` are mistakes that were found before, by rendering the text. It is read as by a `major` version of Kestra.
    """
    with budget.charged():
        try:
            found = list(_problems(text, values, functions, major))
            others = [each for each in known if each not in found]
            foreign, rest = foreign_problems(text) if found else ([], text)
            if foreign:
                found = [*foreign, *_problems(rest, values, functions, major)]
            found = [*others, *found]
        except ExpressionError as error:
            found = [*known, str(error)]
    return list(dict.fromkeys(found))


def _problems(
    text: str,
    values: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    major: int,
    rendered: set[str] | None = None,
) -> Iterator[str]:
    rendered = set() if rendered is None else rendered
    spend(_WORK + len(text))
    try:
        tree = parse(text, major)
        found = all_nodes(tree)
    except TemplateSyntaxError as error:
        yield explained(error.message or "the expression is not valid")
        yield from _problems_of_pieces(text, values, functions, major)
        return
    except RecursionError:
        yield TOO_DEEP
        return
    except ValueError as error:
        yield explained(str(error))
        return
    functions = {**PURE_FUNCTIONS, **functions}
    yield from node_problems(found, {"render", "renderOnce", *functions})
    checker = Checker(values, functions, functools.partial(_problems, major=major, rendered=rendered), rendered)
    checker.check(tree.body)
    yield from checker.problems


def _problems_of_pieces(
    text: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], major: int
) -> Iterator[str]:
    """The problems of the single expressions of a text that cannot be parsed as a whole."""
    if any(sign in text for sign in _NOT_IN_PIECES) or _SETS_NAMES.search(text):
        return
    for piece in _PIECE.findall(text):
        if piece != text:
            yield from _problems(piece, values, functions, major)
