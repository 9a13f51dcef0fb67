"""YAML or JSON text → the tree of its nodes, bounded in depth and size; and what is said of text that is neither."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from shared.errors import ManifestError, Problem
from shared.manifest.types import CREDENTIALS

MAX_DEPTH = 50
MAX_NODES = 100_000
TEXT_OF_A_VALUE = 100  # so many characters of a text count as one more value

TAG = "tag:yaml.org,2002:"
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as YAML counts lines


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml's, if it is installed
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way


_Loader.add_implicit_resolver(f"{TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])

_Loader.add_implicit_resolver(f"{TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))

_Loader.add_implicit_resolver(
    f"{TAG}int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)

_Loader.add_implicit_resolver(
    f"{TAG}float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)


def compose(text: str) -> yaml.Node:
    """The tree of the document's values, with their places; bounded in depth and size. Raises ManifestError."""
    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ManifestError([_syntax_problem(error, text)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ManifestError([Problem(f"this is not valid YAML: {error.reason}", line=line, column=1)]) from error
    if root is None:
        raise ManifestError([Problem("the manifest is empty", line=1, column=1)])
    _check_size(root)
    return root


def checked_json(text: str) -> str:
    """JSON text that YAML reads alike: with spaces for tabs, and characters for escaped surrogate pairs."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        problem = Problem(f"this is not valid JSON: {error.msg}", line=error.lineno, column=error.colno)
        raise ManifestError([problem]) from error
    except RecursionError as error:
        raise ManifestError([_too_deep(1, 1)]) from error
    return _SURROGATES.sub(_joined, text.replace("\t", " "))


# An escaped backslash is matched too: the text after it is not an escape.
_SURROGATES = re.compile(r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def _joined(match: re.Match[str]) -> str:
    """The character that a surrogate pair encodes, as YAML has no such pairs."""
    escape = match.group()
    return escape if escape == "\\\\" else str(json.loads(f'"{escape}"'))


def _check_depth(text: str) -> None:
    """Fail for a depth at which the composer, which is recursive, would fail."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = event.start_mark
            raise ManifestError([_too_deep(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1)])


def _too_deep(line: int, column: int) -> Problem:
    return Problem(f"values are nested deeper than {MAX_DEPTH} levels", line=line, column=column)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    lines = _LINE_BREAK.split(text)
    if mark is None or mark.line >= len(lines):  # libyaml puts the end of the text on a line of its own
        line, column = len(lines), len(lines[-1]) + 1
    else:
        line, column = mark.line + 1, mark.column + 1
    message = "this is not valid YAML: " + ", ".join(part for part in (error.context, error.problem) if part)
    begun = error.context_mark.line + 1 if error.context_mark else line
    if error.context in ("while scanning an alias", "while scanning an anchor") and error.context_mark:
        column = error.context_mark.column + 1
    hint = _hint(error.problem or "", lines[line - 1], column, lines[min(begun, line) - 1])
    return Problem(f"{message}; {hint}" if hint else message, line=line, column=column)


_UNQUOTED = re.compile(r"(?:[-?]\s+|[\w.$-]+:\s+)*(?P<value>[^\s'\"|>#].*?)\s*")


def _hint(problem: str, line: str, column: int, begun: str) -> str:
    """What to do about text that is not YAML, if that is known; `begun` is the line where its map or list begins."""
    at = line[column - 1 : column]
    if "\t" in line[: len(line) - len(line.lstrip())] or (at == "\t" and "token" in problem):
        return "a tab does not indent in YAML; write spaces"
    suspect = next((each for each in (line, begun) if "{{" in each), line)
    match = _UNQUOTED.fullmatch(suspect.strip())
    value = match["value"] if match else ""
    if "{{" in suspect and match:
        reason = (
            "text that begins with {{ needs quotes" if value.startswith("{{") else "text with {{ … }} needs quotes here"
        )
        return f"{reason}{_in_quotes(value, line)}"
    if "mapping values are not allowed" in problem and match:
        return f"text with a colon and a space needs quotes{_in_quotes(value, line)}"
    sign = "[" if value.startswith("[ ") else next((each for each in (value[:1], at) if each in _BEGIN_NO_TEXT), "")
    return f"text that begins with {sign} needs quotes{_in_quotes(value, line)}" if sign else ""


_BEGIN_NO_TEXT = frozenset("*&!%@`")


def _in_quotes(value: str, line: str) -> str:
    """The advice how to write a value; none for a credential, and inside of brackets, where its end is not known."""
    if any(name in line for name in CREDENTIALS) or (
        value[:1] in ("[", "{", "") and not value.startswith("{{") and not value.startswith("[ ")
    ):
        return ""
    return ": " + ("'" + value.replace("'", "''") + "'")


def _check_size(root: yaml.Node) -> None:
    """Measure the document as if every alias were written out, without writing them out."""
    measured: dict[int, tuple[int, int]] = {}  # by node: how many values, how many levels

    def measure(node: yaml.Node) -> tuple[int, int]:
        if id(node) not in measured:
            measured[id(node)] = (MAX_NODES + 1, 0)  # an alias to a value that contains itself is endless
            below = [measure(child) for child in _children(node)]
            values, levels = zip(*below, strict=True) if below else ((), (0,))
            text = len(node.value) // TEXT_OF_A_VALUE if isinstance(node, yaml.ScalarNode) else 0
            measured[id(node)] = (1 + text + sum(values), 1 + max(levels))
        return measured[id(node)]

    values, levels = measure(root)
    if values > MAX_NODES:
        message = f"the manifest has more than {MAX_NODES} values once its aliases are written out"
        raise ManifestError([Problem(message, line=1, column=1)])
    if levels > MAX_DEPTH:
        raise ManifestError([_too_deep(1, 1)])


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
