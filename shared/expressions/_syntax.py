"""Parses Kestra's expressions, whose syntax is Pebble's, into a syntax tree of Jinja's.

Jinja's parser reads texts, tags, names and literals, which are the same in Pebble. Operators are parsed here, because
Pebble has others with other precedences: in `a ~ b | upper` the filter applies to both sides.
https://github.com/PebbleTemplates/pebble (`CoreExtension`, `ExpressionParser`), and Kestra's own `??`, `???` and `isIn`
(Extension.java of https://github.com/kestra-io/kestra): Kestra 1 reads `a ?? b | upper` as `(a ?? b) | upper`,
Kestra 2 as `a ?? (b | upper)`, since its commit f55795da1 of 2026-05-20.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from jinja2 import Environment, nodes
from jinja2.lexer import Lexer, Token
from jinja2.parser import Parser

from shared.expressions.values import ExpressionError

MAX_TOKENS = 20_000


def parse(text: str, major: int = 1) -> nodes.Template:
    """The syntax tree of a text, as it is read by a major version of Kestra.

    Raises jinja2.TemplateSyntaxError, ExpressionError, RecursionError, ValueError.
    """
    return PebbleParser(_ENVIRONMENT, text, _OPERATORS if major == 1 else _OPERATORS_OF_2).parse()


_UNARY = 500
_CONSTANTS = {"null": None, "NULL": None, "NONE": None, "TRUE": True, "FALSE": False}
_FOREIGN = {"floordiv": "//", "pow": "**", "semicolon": ";", "assign": "="}


class PebbleLexer(Lexer):
    """Jinja's lexer, which also knows `?`, `??`, `???` and `..`."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for state in ("block_begin", "variable_begin"):
            first = self.rules[state][0]
            question = first._replace(pattern=re.compile(r"\?{1,3}"), tokens="question", command=None)
            dots = first._replace(pattern=re.compile(r"\.\."), tokens="dots", command=None)
            self.rules[state] = [first, dots, *self.rules[state][1:], question]

    def wrap(
        self, stream: Iterable[tuple[int, str, str]], name: str | None = None, filename: str | None = None
    ) -> Iterator[Token]:
        """The tokens. Raises ExpressionError as soon as there are too many."""
        for number, token in enumerate(super().wrap(stream, name, filename)):
            if number == MAX_TOKENS:
                raise ExpressionError(f"the expressions of one text have more than {MAX_TOKENS} words and signs")
            yield token


def applied(name: str, left: nodes.Node, *right: nodes.Expr) -> nodes.Expr:
    """An operator's node: the filter of that name."""
    return nodes.Filter(left, name, list(right), [], None, None, lineno=left.lineno)


def _named(name: str) -> Callable[[nodes.Expr, nodes.Expr], nodes.Expr]:
    return lambda left, right: applied(name, left, right)


def _not(make: Callable[[nodes.Expr, nodes.Expr], nodes.Expr]) -> Callable[[nodes.Expr, nodes.Expr], nodes.Expr]:
    return lambda left, right: nodes.Not(make(left, right), lineno=left.lineno)


@dataclass(frozen=True)
class _Operator:
    """A binary operator; the one with the higher `precedence` binds first."""

    precedence: int
    make: Callable[[nodes.Expr, nodes.Expr], nodes.Expr]


_FILTER, _TEST = 100, 20

_OPERATORS: Mapping[str, _Operator] = {
    "name:or": _Operator(10, lambda left, right: nodes.Or(left, right, lineno=left.lineno)),
    "name:and": _Operator(15, lambda left, right: nodes.And(left, right, lineno=left.lineno)),
    "name:contains": _Operator(20, _named(" contains")),
    "name:in": _Operator(20, _named(" in")),
    "name:isIn": _Operator(120, _named(" isIn")),
    "name:not in": _Operator(20, _not(_named(" in"))),
    "eq": _Operator(30, _named("==")),
    "name:equals": _Operator(30, _named("==")),
    "ne": _Operator(30, _not(_named("=="))),
    "lt": _Operator(30, _named("<")),
    "lteq": _Operator(30, _named("<=")),
    "gt": _Operator(30, _named(">")),
    "gteq": _Operator(30, _named(">=")),
    "add": _Operator(40, _named("+")),
    "sub": _Operator(40, _named("-")),
    "mul": _Operator(60, _named("*")),
    "div": _Operator(60, _named("/")),
    "mod": _Operator(60, _named("%")),
    "tilde": _Operator(110, _named("~")),
    "dots": _Operator(120, _named("..")),
    "question:??": _Operator(120, _named("??")),
    "question:???": _Operator(120, _named("???")),
}


_CHANGED = ("question:??", "question:???", "name:isIn")
_OPERATORS_OF_2 = {**_OPERATORS, **{name: replace(_OPERATORS[name], precedence=30) for name in _CHANGED}}


class PebbleParser(Parser):
    """Jinja's parser with Pebble's expressions."""

    def __init__(self, environment: Environment, source: str, operators: Mapping[str, _Operator]) -> None:
        super().__init__(environment, source)
        self._operators = operators

    def parse_expression(self, with_condexpr: bool = True) -> nodes.Expr:  # noqa: ARG002 - Jinja's signature
        """Parse one expression: operators by precedence, and `condition ? a : b`."""
        condition = self._operation(0)
        if not self.stream.skip_if("question:?"):
            self._refuse_foreign()
            return condition
        yes = self.parse_expression()
        self.stream.expect("colon")
        no = self.parse_expression()
        return nodes.CondExpr(condition, yes, no, lineno=condition.lineno)

    def parse_statements(self, end_tokens: tuple[str, ...], drop_needle: bool = False) -> list[nodes.Node]:
        """Parse the body of a tag as Jinja does; `elseif` is read as `elif`."""
        if "name:elif" in end_tokens:
            end_tokens = (*end_tokens, "name:elseif")
        found = super().parse_statements(end_tokens, drop_needle)
        if self.stream.current.test("name:elseif"):
            self.stream.current = self.stream.current._replace(value="elif")
        return found

    def parse_for(self) -> nodes.For:
        """Parse `{% for name in values %} … {% else %} … {% endfor %}`, as Pebble's ForTokenParser.java."""
        lineno = next(self.stream).lineno
        target = self._new_name()
        self.stream.expect("name:in")
        values = self.parse_expression()
        body = self.parse_statements(("name:endfor", "name:else"))
        is_last = next(self.stream).value == "endfor"
        other = [] if is_last else self.parse_statements(("name:endfor",), drop_needle=True)
        return nodes.For(target, values, body, other, None, False, lineno=lineno)

    def parse_set(self) -> nodes.Assign:
        """Parse `{% set name = value %}`, as Pebble's SetTokenParser.java."""
        lineno = next(self.stream).lineno
        target = self._new_name()
        if not self.stream.skip_if("assign"):
            self.fail("a name is set as in `{% set name = 'value' %}`", lineno)
        return nodes.Assign(target, self.parse_expression(), lineno=lineno)

    def _new_name(self) -> nodes.Name:
        token = self.stream.expect("name")
        if token.value.lower() in ("true", "false", "null", "none"):
            self.fail(f"{token.value!r} is a value, and no name can be given to another one", token.lineno)
        return nodes.Name(token.value, "store", lineno=token.lineno)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        """Parse a name or a literal."""
        token = self.stream.current
        if token.type == "name" and token.value in _CONSTANTS:
            next(self.stream)
            return nodes.Const(_CONSTANTS[token.value], lineno=token.lineno)
        if token.type == "string" and "#{" in token.value:
            self.fail("`#{…}` in a text is not supported; join texts, as in `'a-' ~ flow.id`", token.lineno)
        return super().parse_primary(with_namespace)

    def _operation(self, least: int) -> nodes.Expr:
        left = self._operand()
        while True:
            token = self.stream.current
            if token.type == "pipe" and least <= _FILTER:
                left = self.parse_filter(left) or left
            elif token.test("name:is") and least <= _TEST:
                left = self._test(left)
            elif (operator := self._operator()) and least <= operator.precedence:
                next(self.stream)
                left = operator.make(left, self._operation(operator.precedence + 1))
            else:
                return left

    def _operator(self) -> _Operator | None:
        token = self.stream.current
        if token.test("name:not") and self.stream.look().test("name:in"):
            next(self.stream)
            self.stream.current = self.stream.current._replace(value="not in")
            token = self.stream.current
        has_names = token.type in ("name", "question")
        return self._operators.get(f"{token.type}:{token.value}" if has_names else token.type)

    def _operand(self) -> nodes.Expr:
        token = self.stream.current
        if token.test("name:not"):
            next(self.stream)
            return nodes.Not(self._operation(_UNARY), lineno=token.lineno)
        if token.type in ("sub", "add"):
            next(self.stream)
            sign = nodes.Const(-1 if token.type == "sub" else 1, lineno=token.lineno)
            return applied("*", self._operation(_UNARY), sign)
        return self.parse_postfix(self.parse_primary())

    def _test(self, value: nodes.Expr) -> nodes.Expr:
        lineno = next(self.stream).lineno
        is_negated = self.stream.skip_if("name:not")
        name = self.stream.expect("name").value
        test = nodes.Test(value, name, [], [], None, None, lineno=lineno)
        return nodes.Not(test, lineno=lineno) if is_negated else test

    def _refuse_foreign(self) -> None:
        token = self.stream.current
        if token.type in _FOREIGN:
            self.fail(f"there is no operator {_FOREIGN[token.type]} in expressions", token.lineno)
        if token.test("name:if"):
            self.fail("there is no `a if condition else b`; write it as in `1 < 2 ? 'a' : 'b'`", token.lineno)


class _Environment(Environment):
    @functools.cached_property
    def lexer(self) -> PebbleLexer:
        """The lexer of Pebble's operators."""
        return PebbleLexer(self)


_ENVIRONMENT = _Environment(keep_trailing_newline=True)  # for lexing and parsing only
