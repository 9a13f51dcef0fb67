"""From the tokens of a formula to its tree: operators bind as in C."""

from __future__ import annotations

from local.batch.autoscale._syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    Member,
    Method,
    Name,
    Number,
    Statement,
    Text,
    Unary,
)
from local.batch.autoscale._tokens import Token, tokenize
from local.batch.autoscale.errors import FormulaError, Position

_BINARY = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
"""From the loosest to the tightest."""


def parse_statements(formula: str) -> list[Statement]:
    """Read a formula; FormulaError says where it is wrong."""
    try:
        return _Parser(tokenize(formula)).statements()
    except RecursionError as error:
        raise FormulaError(Position(1, 1), "The formula is nested too deeply") from error


class _Parser:
    """Reads from the first token to the last."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def statements(self) -> list[Statement]:
        """Read all statements; a semicolon parts them, and may stand after the last."""
        found = []
        while self._token.kind != "end":
            if self._takes(";"):
                continue
            found.append(self._statement())
            if self._token.kind != "end":
                self._expect(";")
        return found

    def _statement(self) -> Statement:
        first, after = self._token, self._tokens[self._next + 1 : self._next + 2]
        if first.kind == "name" and after and after[0].text == "=":
            self._next += 2
            return Statement(first.position, first.text, self._expression())
        return Statement(first.position, None, self._expression())

    def _expression(self) -> Expression:
        condition = self._binary(0)
        if self._takes("?"):
            when_true = self._expression()
            self._expect(":")
            condition = Conditional(condition.position, condition, when_true, self._expression())
        return condition

    def _binary(self, level: int) -> Expression:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._token.kind == "mark" and self._token.text in _BINARY[level]:
            operator = self._take()
            left = Binary(operator.position, operator.text, left, self._binary(level + 1))
        return left

    def _unary(self) -> Expression:
        operators = []
        while self._token.text in ("-", "!"):
            operators.append(self._take())
        operand = self._postfix()
        for operator in reversed(operators):
            operand = Unary(operator.position, operator.text, operand)
        return operand

    def _postfix(self) -> Expression:
        value = self._primary()
        while self._takes("."):
            name = self._take()
            if name.kind != "name":
                raise self._unexpected(name)
            if self._takes("("):
                value = Method(name.position, value, name.text, self._arguments())
            else:
                value = Member(name.position, value, name.text)
        return value

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "number":
            return Number(token.position, float(token.text))
        if token.kind == "text":
            return Text(token.position, token.text[1:-1])
        if token.kind == "name":
            called = self._takes("(")
            return Call(token.position, token.text, self._arguments()) if called else Name(token.position, token.text)
        if token.text == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        raise self._unexpected(token)

    def _arguments(self) -> tuple[Expression, ...]:
        if self._takes(")"):
            return ()
        arguments = [self._expression()]
        while self._takes(","):
            arguments.append(self._expression())
        self._expect(")")
        return tuple(arguments)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        if token.kind == "end":
            raise self._unexpected(token)
        self._next += 1
        return token

    def _takes(self, mark: str) -> bool:
        if self._token.kind != "mark" or self._token.text != mark:
            return False
        self._next += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise FormulaError(self._token.position, f"Expected '{mark}' before '{self._token.text}'")

    def _unexpected(self, token: Token) -> FormulaError:
        return FormulaError(token.position, f"Unexpected '{token.text}'")
