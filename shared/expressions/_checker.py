"""Walks through a syntax tree some of whose values are not known, and notes what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from jinja2 import nodes

from shared.expressions._evaluate import (
    APPLY,
    WORK_OF_RENDER,
    Evaluator,
    check_recursive,
    fits,
    misuse_of_filter,
    misuse_of_function,
    part_of,
)
from shared.expressions._nodes import TOO_DEEP, explained
from shared.expressions._operators import CALCULATING, COALESCING, OPERATORS, truth
from shared.expressions._scopes import Scopes, loop_of
from shared.expressions.filters import FILTERS, TESTS
from shared.expressions.values import (
    UNKNOWN,
    ExpressionError,
    LazyValue,
    Missing,
    MissingError,
    Unknown,
    check_exist,
    spend,
    text_of,
)

_TAKE_MISSING = frozenset({"default", " contains", " in"})
_ERRORS = (ExpressionError, RecursionError, ArithmeticError, AttributeError, TypeError, ValueError, LookupError)
_LOOP = Unknown(dict.fromkeys(loop_of(0, 0).parts, UNKNOWN))
_Check = Callable[[str, Mapping[str, Any], Mapping[str, Callable[..., Any]]], Iterable[str]]


class Checker(Evaluator):
    """Evaluates a tree some of whose values are not known, and collects its `problems`."""

    def __init__(
        self,
        values: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        check: _Check,
        rendered: set[str],
    ) -> None:
        super().__init__(Scopes(values), {"render": self._render, "renderOnce": self._render_once, **functions})
        self._check_again = check
        self._rendered = rendered  # the texts given to `render()` so far, by this text and those around it
        self._unsure = 0  # how many of the branches and loops around may not be gone through
        self._others = functions
        self.problems: list[str] = []
        self._missing: set[str] = set()  # those of the problems that tell of a name that does not exist

    def check(self, body: list[nodes.Node]) -> None:
        """Walk through a body."""
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        if not isinstance(part, nodes.TemplateData):
                            self._check_text(self._value(part))
                case nodes.If():
                    self._check_branches(node)
                case nodes.For():
                    self._check_loop(node)
                case nodes.Assign(target=nodes.Name(name=name)):
                    value = self._value(node)
                    self._scopes.set(name, UNKNOWN if self._unsure else value)

    def _check_rounds(self, node: nodes.For, value: object) -> None:
        try:
            for body in self._rounds(node, value):
                self.check(body)
        except _ERRORS as error:
            self._note(error)

    def _check_text(self, value: object) -> None:
        try:
            text_of(value)
        except _ERRORS as error:
            self._note(error)

    def _check_branches(self, node: nodes.If) -> None:
        is_unsure = False
        for branch in (node, *node.elif_):
            holds = self._known_truth(branch.test)
            is_unsure = is_unsure or holds is None
            if holds is not False:
                self._check_unsure(branch.body, is_unsure=is_unsure)
            if holds:
                return
        self._check_unsure(node.else_, is_unsure=is_unsure)

    def _check_unsure(self, body: list[nodes.Node], *, is_unsure: bool) -> None:
        """Walk through a body, which may not be rendered if it `is_unsure`: what it sets is not known then."""
        self._unsure += is_unsure
        self.check(body)
        self._unsure -= is_unsure

    def _check_loop(self, node: nodes.For) -> None:
        value = self._value(node.iter)
        if not isinstance(value, Unknown):
            self._check_rounds(node, value)
            return
        with self._scopes.of_a_loop():
            for assigned in (found for each in node.body for found in each.find_all(nodes.Assign)):
                self._scopes.set(assigned.target.name, UNKNOWN)  # type: ignore[attr-defined] # by an earlier round
            self._begin_round(node, _LOOP, UNKNOWN)
            self._check_unsure(node.body, is_unsure=True)
        self._check_unsure(node.else_, is_unsure=True)

    def _value(self, node: Any) -> Any:  # noqa: ANN401 - values of any type, here and below
        """The value of a node; not known if there is a problem, which is noted."""
        try:
            return self._EVALUATE[type(node)](self, node) if type(node) in self._EVALUATE else UNKNOWN
        except _ERRORS as error:
            self._note(error)
        return UNKNOWN

    def _note(self, error: Exception) -> None:
        if isinstance(error, MissingError):
            self._missing.add(str(error))
        if isinstance(error, RecursionError):
            self.problems.append(TOO_DEEP)
        else:
            self.problems.append(str(error) if isinstance(error, ExpressionError) else explained(str(error)))

    def _known_truth(self, node: nodes.Node) -> bool | None:
        """Whether a condition holds; None if that is not known."""
        value = self._value(node)
        try:
            return None if isinstance(value, Unknown) else truth(value)
        except ExpressionError as error:
            self._note(error)
        return None

    def _decided(self, node: nodes.And | nodes.Or, *, by: bool) -> Any:  # noqa: ANN401
        """The value of `and`, which is decided by a false operand, or of `or`, which is decided by a true one."""
        left = self._known_truth(node.left)
        if left is by:
            return by
        right = self._known_truth(node.right)
        if right is by:
            return by
        return UNKNOWN if None in (left, right) else not by

    def _negated(self, node: nodes.Not) -> Any:  # noqa: ANN401
        holds = self._known_truth(node.node)
        return UNKNOWN if holds is None else not holds

    def _chosen(self, node: nodes.CondExpr) -> Any:  # noqa: ANN401
        """The chosen value; where the choice is not known, one that does not exist, if either does not."""
        holds = self._known_truth(node.test)
        if holds is not None:
            return self._value(node.expr1 if holds else node.expr2)
        both = [self._value(node.expr1), self._value(node.expr2)]
        return next((value for value in both if isinstance(value, Missing)), UNKNOWN)

    def _called(self, node: nodes.Call) -> Any:  # noqa: ANN401
        args, kwargs = self._arguments(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        function = self._functions.get(name)
        if function is None:
            return UNKNOWN
        if not fits(function, args, kwargs):
            self._note_missing([*args, *kwargs.values()])
            raise ExpressionError(misuse_of_function(name, function, kwargs))
        found = self._applied(
            args, kwargs, lambda: function(*args, **kwargs), misuse_of_function(name, function, kwargs)
        )
        if found is UNKNOWN:
            self._note_missing([*args, *kwargs.values()])
        return found

    def _filtered(self, node: nodes.Filter) -> Any:  # noqa: ANN401
        if node.name in COALESCING:
            return self._coalesced(node)
        value = self._value(node.node)
        args, kwargs = self._arguments(node)
        apply = APPLY.get(node.name)
        if apply is None:
            return UNKNOWN
        if not fits(apply, [value, *args], kwargs):
            raise ExpressionError(misuse_of_filter(node.name))
        operands = [value, *args]
        self._check_arguments(node.name, args, kwargs)
        if self._lacks(node.name, operands):
            return UNKNOWN
        return self._applied(operands, kwargs, lambda: apply(value, *args, **kwargs), misuse_of_filter(node.name))

    def _check_arguments(self, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> None:
        check = FILTERS[name].check if name in FILTERS else None
        if check and not any(isinstance(each, LazyValue | Missing) for each in [*args, *kwargs.values()]):
            check(*args, **kwargs)

    def _lacks(self, name: str, operands: list[Any]) -> bool:
        """Whether a filter or an operator needs what does not exist, or what can have no text; this is noted."""
        if name in _TAKE_MISSING:
            return False
        needed = operands if name in OPERATORS else operands[:1]
        missing = [operand for operand in needed if isinstance(operand, Missing)]
        noted = missing[:1] if name == "-" else missing  # `outputs.my-task` is one mistake
        self._note_missing(noted, is_caught=name not in CALCULATING)
        if name == "~":
            for operand in (operand for operand in operands if isinstance(operand, LazyValue)):
                self._check_text(operand)
        return bool(missing)

    def _coalesced(self, node: nodes.Filter) -> Any:  # noqa: ANN401
        before = len(self.problems)
        value = self._value(node.node)
        found = [problem for problem in self.problems[before:] if problem not in self._missing]
        if len(found) < len(self.problems) - before:  # what does not exist on the left is no mistake
            self.problems[before:] = found
            value = UNKNOWN
        if isinstance(value, Unknown):
            self._value(node.args[0])
            return UNKNOWN
        is_taken = not isinstance(value, Missing) and (value is not None or node.name == "???")
        return value if is_taken else self._value(node.args[0])

    def _applied(self, operands: list[Any], named: Mapping[str, Any], apply: Callable[[], Any], misuse: str) -> Any:  # noqa: ANN401
        """The result of a function, a filter or an operator; not known if one of its operands is not."""
        all_operands = [*operands, *named.values()]
        if any(isinstance(operand, Unknown) for operand in all_operands):
            return UNKNOWN
        try:
            return apply()
        except ExpressionError:
            self._note_missing(all_operands)
            if any(isinstance(operand, Missing) for operand in all_operands):
                return UNKNOWN
            raise
        except (AttributeError, TypeError) as error:
            check_exist(*all_operands)
            raise ExpressionError(misuse) from error

    def _note_missing(self, operands: list[Any], *, is_caught: bool = True) -> None:
        messages = [operand.explained() for operand in operands if isinstance(operand, Missing)]
        self._missing.update(messages if is_caught else ())
        self.problems += messages

    def _tested(self, node: nodes.Test) -> Any:  # noqa: ANN401
        value = self._value(node.node)
        return UNKNOWN if isinstance(value, Unknown) or node.name not in TESTS else TESTS[node.name](value)

    def _listed(self, node: nodes.List) -> Any:  # noqa: ANN401
        found = [self._value(each) for each in node.items]
        return UNKNOWN if any(isinstance(each, Unknown) for each in found) else found

    def _mapped(self, node: nodes.Dict) -> Any:  # noqa: ANN401
        pairs = [(self._value(each.key), self._value(each.value)) for each in node.items]
        return UNKNOWN if any(isinstance(each, Unknown) for pair in pairs for each in pair) else dict(pairs)

    def _render(self, toRender: Any, recursive: Any = True) -> Any:  # noqa: ANN401, N803 - as Kestra's
        """`render()`: checks the text, too, each text once; what it renders to is not known."""
        check_recursive(recursive)
        return self._render_once(toRender)

    def _render_once(self, toRender: Any) -> Any:  # noqa: ANN401, N803 - as Kestra's
        spend(WORK_OF_RENDER)  # also of each entry: lists may contain each other many times
        match toRender:
            case str() if toRender not in self._rendered:
                self._rendered.add(toRender)
                self.problems += self._check_again(toRender, self._scopes.visible(), self._others)
            case list():
                for each in toRender:
                    self._render_once(each)
            case dict():
                for each in (*toRender, *toRender.values()):
                    self._render_once(each)
        return toRender if isinstance(toRender, Missing) else UNKNOWN

    _EVALUATE: ClassVar[Mapping[type[nodes.Node], Callable[..., Any]]] = {
        **Evaluator._EVALUATE,  # noqa: SLF001 - of the class that this one extends
        nodes.Assign: lambda self, node: self._set_value(node),
        nodes.Getattr: lambda self, node: part_of(self._value(node.node), node.attr),
        nodes.Test: lambda self, node: self._tested(node),
        nodes.CondExpr: lambda self, node: self._chosen(node),
        nodes.And: lambda self, node: self._decided(node, by=False),
        nodes.Or: lambda self, node: self._decided(node, by=True),
        nodes.Not: lambda self, node: self._negated(node),
        nodes.List: lambda self, node: self._listed(node),
        nodes.Dict: lambda self, node: self._mapped(node),
    }
