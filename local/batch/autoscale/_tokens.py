"""The words and marks of a formula."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.batch.autoscale.errors import FormulaError, Position

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>"[^"\n]*")
    |(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>&&|\|\||[<>=!]=|[-+*/<>!?:;,.()=])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A word or a mark: its kind is one of `number`, `text`, `name`, `mark` and, after the last, `end`."""

    kind: str
    text: str
    position: Position


def tokenize(formula: str) -> list[Token]:
    """Return the tokens of a formula, an `end` last, without blanks and comments; FormulaError at what is none."""
    tokens, offset = [], 0
    while offset < len(formula):
        match = _TOKEN.match(formula, offset)
        if match is None or match.lastgroup is None:
            raise FormulaError(_position(formula, offset), f"Unexpected character '{formula[offset]}'")
        if match.lastgroup != "blank":
            tokens.append(Token(match.lastgroup, match[0], _position(formula, offset)))
        offset = match.end()
    return [*tokens, Token("end", "the end of the formula", _position(formula, offset))]


def _position(formula: str, offset: int) -> Position:
    before = formula[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
