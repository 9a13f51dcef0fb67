"""Text of others, made safe for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with every character that a terminal would obey instead of show escaped, such as `\x1b`."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
