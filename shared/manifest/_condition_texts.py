"""Texts in conditions of triggers, as parts of one expression."""

from __future__ import annotations

import re

_EXPRESSION = re.compile(r"\s*\{\{-?((?:(?!\{\{|\}\}).)*?)-?\}\}\s*", re.DOTALL)
_TAGS = ("{{", "{%", "{#")


def in_expression(text: str) -> str:
    """A text as a part of an expression. Raises ValueError if it is neither a text nor one expression."""
    if matched := _EXPRESSION.fullmatch(text):
        return f"({matched[1].strip()})"
    if any(tag in text for tag in _TAGS):
        raise ValueError("expected a text, or one expression in {{ }}; write what else is meant into `when`")
    if "'" in text and '"' in text:
        raise ValueError("a text cannot have both kinds of quotes")
    return f'"{text}"' if "'" in text else f"'{text}'"


def checked(text: str) -> str:
    """The text, if it can be a part of an expression. Raises ValueError."""
    in_expression(text)
    return text
