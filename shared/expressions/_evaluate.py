"""Evaluates the syntax trees of expressions by walking them; no code is generated.

An evaluation ends: the tree is bounded (`render.py`), and so is each operator and filter; a loop goes through a list
that is there before it begins, and each of its rounds is charged. Python objects are out of reach: a name after a dot
is the name of a value in a map, never an attribute.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from jinja2 import nodes

from shared.expressions._operators import CALCULATING, COALESCING, OPERATORS, truth
from shared.expressions._scopes import Scopes, loop_of, rounds_of
from shared.expressions.filters import FILTERS, TESTS
from shared.expressions.functions import FUNCTIONS, OTHER_ARGUMENTS, name_advice, part_advice
from shared.expressions.values import (
    ExpressionError,
    LazyValue,
    Missing,
    MissingError,
    Parts,
    Unknown,
    check_exist,
    spend,
    text_of,
    weight,
)

_WORK_OF_RESULT = 5  # of a filter or an operator; it is kept in memory, perhaps in a list with many others
_WORK_OF_ROUND = 100  # of a loop, for each node in its body
WORK_OF_RENDER = 1_000  # of the function, for each text, list and map
MOST_RENDERS_INSIDE = 16  # VariableConfiguration.DEFAULT_MAX_RENDER_DEPTH of Kestra
RENDERS_ITSELF = f"texts that render() renders call it themselves, {MOST_RENDERS_INSIDE} deep: does one render itself?"


class Evaluator:
    """Evaluates trees with some values and functions. The nodes must have been checked, as `render.py` does."""

    def __init__(self, scopes: Scopes, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._scopes = scopes
        self._functions = functions

    def texts(self, body: list[nodes.Node]) -> Iterator[str]:
        """The texts that a body renders to, in order. Raises ExpressionError."""
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        yield part.data if isinstance(part, nodes.TemplateData) else text_of(self._value(part))
                case nodes.If():
                    yield from self.texts(self._branch(node))
                case nodes.For():
                    for rendered in self._rounds(node, self._value(node.iter)):
                        yield from self.texts(rendered)
                case nodes.Assign(target=nodes.Name(name=name)):
                    self._scopes.set(name, self._set_value(node))

    def _rounds(self, node: nodes.For, value: Any) -> Iterator[list[nodes.Node]]:  # noqa: ANN401 - values of any type
        """What a loop renders, as ForNode.java of Pebble; each round has begun. Of null not even `{% else %}`."""
        if value is None:
            return
        rounds = rounds_of(value)
        work = _WORK_OF_ROUND * (1 + _size(node.body))
        with self._scopes.of_a_loop():
            for index, entry in enumerate(rounds):
                spend(work)
                self._begin_round(node, loop_of(index, len(rounds)), entry)
                yield node.body
        if not rounds:
            yield node.else_

    def _begin_round(self, node: nodes.For, loop: Any, entry: Any) -> None:  # noqa: ANN401 - values of any type
        self._scopes.put("loop", loop)
        self._scopes.put(node.target.name, entry)  # type: ignore[attr-defined] # the parser makes no other target

    def _set_value(self, node: nodes.Assign) -> Any:  # noqa: ANN401 - values of any type
        value = self._value(node.node)
        check_exist(value)
        return value

    def _branch(self, node: nodes.If) -> list[nodes.Node]:
        for branch in (node, *node.elif_):
            if self._holds(branch.test):
                return branch.body
        return node.else_

    def _value(self, node: Any) -> Any:  # noqa: ANN401 - Jinja's types of children are too wide; values of any type
        return self._EVALUATE[type(node)](self, node)

    def _holds(self, node: nodes.Node) -> bool:
        return truth(self._value(node))

    def _named(self, node: nodes.Name) -> Any:  # noqa: ANN401 - values of any type, here and below
        name = node.name
        if self._scopes.has(name):
            return self._scopes.value(name)
        if name in self._functions:
            return self._functions[name]
        return Missing(lambda: f"{name!r} does not exist{name_advice(name)}")

    def _called(self, node: nodes.Call) -> Any:  # noqa: ANN401
        args, kwargs = self._arguments(node)
        name: str = node.node.name  # type: ignore[attr-defined] # only names can be called
        try:
            return self._functions[name](*args, **kwargs)
        except (AttributeError, TypeError) as error:
            check_exist(*args, *kwargs.values())
            raise ExpressionError(misuse_of_function(name, self._functions[name], kwargs)) from error

    def _filtered(self, node: nodes.Filter) -> Any:  # noqa: ANN401
        """The result of a filter or an operator, whose work is charged."""
        if node.name in COALESCING:
            return self._coalesced(node)
        value = self._value(node.node)
        args, kwargs = self._arguments(node)
        try:
            result = APPLY[node.name](value, *args, **kwargs)
        except (AttributeError, TypeError) as error:
            check_exist(*args, *kwargs.values())
            raise ExpressionError(misuse_of_filter(node.name)) from error
        except MissingError as error:
            raise ExpressionError(str(error)) if node.name in CALCULATING else error from error
        spend(1 + _WORK_OF_RESULT * weight(result))
        return result

    def _coalesced(self, node: nodes.Filter) -> Any:  # noqa: ANN401
        """`a ?? b`: `b` if `a` is null or any name in it does not exist, as NullCoalescingExpression.java of Kestra."""
        try:
            value = self._value(node.node)
        except MissingError:
            return self._value(node.args[0])
        is_taken = not isinstance(value, Missing) and (value is not None or node.name == "???")
        return value if is_taken else self._value(node.args[0])

    def _arguments(self, node: nodes.Call | nodes.Filter) -> tuple[list[Any], dict[str, Any]]:
        keywords: list[Any] = node.kwargs  # of one type, though Jinja declares two
        return [self._value(each) for each in node.args], {each.key: self._value(each.value) for each in keywords}

    _EVALUATE: ClassVar[Mapping[type[nodes.Node], Callable[[Evaluator, Any], Any]]] = {
        nodes.Const: lambda _, node: node.value,
        nodes.Name: _named,
        nodes.Getattr: lambda self, node: part_of(self._value(node.node), node.attr),
        nodes.Getitem: lambda self, node: part_of(self._value(node.node), self._value(node.arg)),
        nodes.Call: lambda self, node: self._called(node),
        nodes.Filter: lambda self, node: self._filtered(node),
        nodes.Test: lambda self, node: TESTS[node.name](self._value(node.node)),
        nodes.CondExpr: lambda self, node: self._value(node.expr1 if self._holds(node.test) else node.expr2),
        nodes.And: lambda self, node: self._holds(node.left) and self._holds(node.right),
        nodes.Or: lambda self, node: self._holds(node.left) or self._holds(node.right),
        nodes.Not: lambda self, node: not self._holds(node.node),
        nodes.List: lambda self, node: [self._value(each) for each in node.items],
        nodes.Dict: lambda self, node: {self._value(each.key): self._value(each.value) for each in node.items},
    }

    EXPRESSIONS: ClassVar[tuple[type[nodes.Node], ...]] = tuple(_EVALUATE)
    """The kinds of nodes that have a value."""


def _size(body: list[nodes.Node]) -> int:
    """The number of the nodes in a body."""
    todo, count = list(body), 0
    while todo:
        count += 1
        todo.extend(todo.pop().iter_child_nodes())
    return count


def check_recursive(recursive: object) -> None:
    """Raise ExpressionError if the argument `recursive` of `render()` is something else than true or false."""
    if not (recursive is None or isinstance(recursive, bool)):
        raise ExpressionError("the argument `recursive` of render() is true or false")


APPLY: Mapping[str, Callable[..., Any]] = {**OPERATORS, **{name: known.apply for name, known in FILTERS.items()}}


def misuse_of_function(name: str, function: Callable[..., Any], kwargs: Mapping[str, Any]) -> str:
    """What is wrong with a call that a function refuses."""
    unknown = [key for key in kwargs if not fits(function, [], {key: None}, is_partial=True)]
    if unknown and (advice := OTHER_ARGUMENTS.get((name, unknown[0]))):
        return f"the function {name!r} has no argument {unknown[0]!r}: {advice}"
    usage = f"; it is used as in {FUNCTIONS[name][1]}" if name in FUNCTIONS else ""
    if unknown:
        return f"the function {name!r} has no argument {unknown[0]!r}{usage}"
    return f"the function {name!r} cannot take these values{usage}"


def misuse_of_filter(name: str) -> str:
    """What is wrong with the use of a filter or an operator that refuses its values."""
    if name in OPERATORS:
        return f"{name.strip()} cannot take these values"
    return f"the filter {name!r} cannot take these values; it is used as in {FILTERS[name].example}"


def fits(function: Callable[..., Any], args: list[Any], kwargs: Mapping[str, Any], *, is_partial: bool = False) -> bool:
    """Whether a function can be called with these arguments, whatever their values; with `is_partial`, and others."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some functions of Python itself
        return True
    try:
        (signature.bind_partial if is_partial else signature.bind)(*args, **kwargs)
    except TypeError:
        return False
    return True


def part_of(whole: Any, name: Any) -> Any:  # noqa: ANN401, PLR0911 - one return for each kind of value
    """`a.b`, `a['b']` and `a[0]`: of maps and lists only. A part of what does not exist does not exist either."""
    for each in (whole, name):
        if isinstance(each, Missing):
            return each
    if isinstance(name, Unknown):
        return name
    if isinstance(whole, LazyValue):
        try:
            return whole.part(name)
        except KeyError:
            return _missing_part(whole, name)
    if isinstance(whole, Mapping) and isinstance(name, str | int) and name in whole:
        return whole[name]
    if isinstance(whole, list) and isinstance(name, int) and -len(whole) <= name < len(whole):
        return whole[name]
    return _missing_part(whole, name)


def _missing_part(whole: object, name: object) -> Missing:
    return Missing(lambda: _missing_message(whole, str(name)))


def _missing_message(whole: object, name: str) -> str:
    if isinstance(whole, LazyValue) and (message := whole.missing(name)):
        return message
    return f"{name!r} does not exist{part_advice(name, whole.parts if isinstance(whole, Unknown | Parts) else whole)}"
