"""Which syntax trees are expressions of Kestra that exist here; and what to say of the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from jinja2 import nodes

from shared.errors import did_you_mean
from shared.expressions._evaluate import Evaluator
from shared.expressions._operators import COALESCING, OPERATORS
from shared.expressions.filters import FILTERS, OTHER_FILTERS, TESTS
from shared.expressions.functions import FUNCTIONS, OTHER_FUNCTIONS
from shared.expressions.values import ExpressionError

MAX_NODES = 5_000
MAX_DEPTH = 300  # a fixed bound, as Python's own (RecursionError) depends on the depth of the caller
TOO_DEEP = "the expression is nested too deeply"

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Keyword, nodes.Pair,
    *Evaluator.EXPRESSIONS,
)  # fmt: skip
_KNOWN_FILTERS = {*FILTERS, *OPERATORS, *COALESCING}


def all_nodes(root: nodes.Node) -> list[nodes.Node]:
    """The nodes of a tree in the order of the text. Raises ExpressionError if it is too large or too deep."""
    found: list[nodes.Node] = []
    todo = [(root, 0)]
    while todo:
        node, depth = todo.pop()
        found.append(node)
        todo.extend((child, depth + 1) for child in reversed(list(node.iter_child_nodes())))
        if len(found) > MAX_NODES:
            raise ExpressionError(f"the expressions of one text have more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise ExpressionError(TOO_DEEP)
    return found


def node_problems(found: list[nodes.Node], functions: Collection[str]) -> Iterator[str]:
    """What is wrong with the nodes themselves, whatever the values are: kinds, functions, filters and tests."""
    return filter(None, (_problem(node, functions) for node in found))


def _problem(  # noqa: PLR0911 - one return for each kind of node
    node: nodes.Node, functions: Collection[str]
) -> str | None:
    match node:
        case _ if not isinstance(node, _ALLOWED):
            return explained(f"{type(node).__name__.lower()} is not supported in expressions")
        case nodes.Call(node=nodes.Name(name=name)) if name not in functions:
            return _missing("function", name, functions, OTHER_FUNCTIONS)
        case nodes.Call() if not isinstance(node.node, nodes.Name):
            return "only functions can be called, not values"
        case nodes.Filter(name=name) if name not in _KNOWN_FILTERS:
            return _missing("filter", name, FILTERS, OTHER_FILTERS)
        case nodes.Test(name=name) if name not in TESTS:
            return _missing("test", name, TESTS, {})
        case nodes.Call() | nodes.Filter():
            return _problem_of_arguments(node)
    return None


def _problem_of_arguments(node: nodes.Call | nodes.Filter) -> str | None:
    if node.dyn_args or node.dyn_kwargs:
        return "arguments cannot be unpacked"
    names = [argument.key for argument in node.kwargs]
    return "an argument is given twice" if len(names) > len(set(names)) else None


def _missing(kind: str, name: str, known: Collection[str], elsewhere: Mapping[str, str]) -> str:
    message = f"there is no {kind} {name!r}"
    if name in elsewhere:
        return f"{message}: {elsewhere[name]}"
    if hint := did_you_mean(name, known):
        return message + hint
    for other, names, form in (
        ("function", FUNCTIONS, "{}(…)"),
        ("filter", FILTERS, "… | {}"),
        ("test", TESTS, "… is {}"),
    ):
        if kind != other and name in names:
            return f"{message}, but a {other}: write `{form.format(name)}`"
    return f"{message}; there is {', '.join(sorted(known))}"


_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?(?:\{%-?\s*endraw\s*-?%\}|\Z)", re.DOTALL)
_OF_GO = (
    r"\{\{-?\s*(?:(?:[a-z]+\s+)?[.$][^{}]*|(?:range|with|if|index|template|define|printf?|println)\s[^{}]*|end|else)"
    r"\s*-?\}\}"
)
_GO_TEMPLATES = re.compile(rf"{_OF_GO}(?:[^{{}}\n]*{_OF_GO})*")
_LENGTH_IN_SHELL = re.compile(r"\$\{#[^{}]*\}")
_NO_TAGS = re.compile(
    r"^(?:macro|assignblock|block|callblock|filterblock|with|import|include|fromimport|extends|do|continue"
    r"|break|scope|autoescape|scopedevalcontextmodifier)\b.* is not supported|unknown tag"
)


def foreign_problems(text: str) -> tuple[list[str], str]:
    """What is written in a text for Docker, Kubernetes or a shell, and must be kept as it is; and the text without it.

    Only of interest in a text that has a problem: what is no mistake is not foreign.
    """
    outside = _RAW.sub(lambda match: " " * len(match.group()), text)
    found = [
        f"an expression of another language; to keep it as it is, write `{_kept(each.group())}`"
        for each in _GO_TEMPLATES.finditer(outside)
    ]
    rest = _GO_TEMPLATES.sub("", outside)
    if rest.rfind("{#") > rest.rfind("#}"):
        found += [
            f"{{# begins a comment; to keep it as it is, write `{_kept(each.group())}`"
            for each in _LENGTH_IN_SHELL.finditer(rest)
        ] or ["{# begins a comment, which has no end; put text that holds {# between {% raw %} and {% endraw %}"]
        rest = rest.replace("{#", "")
    return found, rest


def _kept(text: str) -> str:
    return f"{{% raw %}}{text}{{% endraw %}}"


def explained(message: str) -> str:
    """A parser's message, with what to do about it if that is known."""
    if "Exceeds the limit" in message:
        return "a number has more digits than can be read; put it in quotes if it is text"
    if "Missing end of raw" in message:
        return "{% raw %} has no end; write {% endraw %} after the text that is to be kept"
    if "unknown tag 'endraw'" in message:
        return "{% endraw %} has no beginning; write {% raw %} before the text that is to be kept"
    if _NO_TAGS.search(message):
        return f"{message} (of Kestra's tags there are if, for, set and raw in expressions)"
    return message
