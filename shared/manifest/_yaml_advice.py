"""What to do about text that is not YAML: the parser's words say where it stopped, and seldom why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.manifest.types import CREDENTIALS

if TYPE_CHECKING:
    import yaml

_NAME = r"[\w.$-]+|'[^']*'|\"[^\"]*\""
_PREFIX = re.compile(rf"(?:-\s+|(?:{_NAME}):\s+)")
_PROPERTY = re.compile(rf"\s*(?:-\s+)*(?:{_NAME}):(?:\s|$)")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_BEGIN_NO_TEXT = frozenset("*&!%@`")
_OF_INDENTATION = ("did not find expected '-' indicator", "did not find expected key", "could not find expected ':'")


def advice(error: yaml.MarkedYAMLError, lines: Sequence[str], line: int, column: int) -> str:
    """What to do about the error at a place, both counted from 1; empty if nothing is known."""
    problem, context = error.problem or "", error.context or ""
    text = lines[line - 1]
    if "\t" in text[: len(text) - len(text.lstrip())] or (text[column - 1 : column] == "\t" and "token" in problem):
        return "a tab does not indent in YAML; write spaces"
    quotes = _Quotes(lines, line)
    begun = min(error.context_mark.line + 1, line) if error.context_mark else line
    suspect = next((each for each in (line, begun) if "{{" in lines[each - 1]), None)
    if suspect and not _is_quoted(value := _value(lines[suspect - 1])):
        begins = (
            "text that begins with {{ needs quotes" if value.startswith("{{") else "text with {{ … }} needs quotes here"
        )
        return begins + quotes.around(value)
    return (
        _of_a_quoted_text(problem, context, _value(text, column), quotes)
        or _of_a_colon(problem, text, column, quotes)
        or _of_a_sign(_value(text, column), text[column - 1 : column], quotes)
        or _of_structure(problem, context, begun)
    )


def _value(line: str, column: int | None = None) -> str:
    """The value in a line: what is left after dashes and names, as far as these end before the column."""
    line = re.sub(r"\s#.*$", "", line)
    begin = len(line) - len(line.lstrip())
    while (match := _PREFIX.match(line, begin)) and (column is None or match.end() < column):
        begin = match.end()
    return line[begin:].strip()


def _is_quoted(value: str) -> bool:
    return value[:1] in ("'", '"', "|", ">", "#")


def _of_a_quoted_text(problem: str, context: str, value: str, quotes: _Quotes) -> str:
    """A backslash that is no escape; and text after the quote that seems to end it."""
    if (
        context == "while parsing a quoted scalar"
        and value.startswith('"')
        and ("escape" in problem or "hex" in problem)
    ):
        inside = value.removeprefix('"').removesuffix('"')
        return "a backslash begins an escape in double quotes; use single quotes" + quotes.around(
            inside, is_written=True
        )
    match = _QUOTED.match(value)
    if match and value[match.end() :].strip() and any(each in problem for each in _OF_INDENTATION):
        is_command = value[match.end()].isspace() or value[-1] != value[0]
        whole = value if is_command else value[1:-1]
        return "the text goes on after its closing quote; put the whole of it in quotes" + quotes.around(whole)
    return ""


def _of_a_colon(problem: str, text: str, column: int, quotes: _Quotes) -> str:
    if "mapping values are not allowed" not in problem:
        return ""
    value, before = _value(text, column), text[: column - 1].strip()
    if value.startswith(before) and ": " not in before:  # the colon is that of the line's own name
        before_it = "this line is read as part of the text before it"
        return f"{before_it}; correct its indentation, or write that text as a block, after |"
    return f"text with a colon and a space needs quotes{quotes.around(value)}"


def _of_a_sign(value: str, at: str, quotes: _Quotes) -> str:
    sign = "[" if value.startswith("[ ") else next((each for each in (value[:1], at) if each in _BEGIN_NO_TEXT), "")
    return f"text that begins with {sign} needs quotes{quotes.around(value)}" if sign else ""


def _of_structure(problem: str, context: str, begun: int) -> str:
    if context in ("while parsing a flow sequence", "while parsing a flow mapping"):
        what, sign = ("list", "[") if "sequence" in context else ("map", "{")
        return f"close the {what} that begins with {sign} in line {begun}; text in it that has {sign} or , needs quotes"
    if any(each in problem for each in _OF_INDENTATION):
        return "check the indentation of this line and of the one before it"
    return ""


class _Quotes:
    """Writes the text of a line in quotes, as advice; not a credential."""

    def __init__(self, lines: Sequence[str], line: int) -> None:
        property_at = next((n for n in range(line - 1, 0, -1) if _PROPERTY.match(lines[n - 1])), line)
        around = "\n".join(lines[property_at - 1 : line])
        self._is_secret = any(name in around for name in CREDENTIALS)

    def around(self, value: str, *, is_written: bool = False) -> str:
        """The end of the advice; empty for a credential, and inside of brackets, where the end is not known."""
        is_open = value[:1] in ("[", "{", "") and not value.startswith(("{{", "[ ", "[{", '{"'))
        if self._is_secret or (is_open and not is_written):
            return ""
        return ": '" + value.replace("'", "''") + "'"
