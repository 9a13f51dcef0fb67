"""YAML or JSON text → the tree of its nodes, bounded in depth and size; and what is said of text that is neither."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from shared.errors import ManifestError, Problem
from shared.manifest._yaml_advice import advice

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
        raise ManifestError([_unreadable(error, text)]) from error
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
    text = _SURROGATES.sub(_joined, text.replace("\t", " "))
    if lone := next((match for match in _LONE_SURROGATE.finditer(text) if match.group() != "\\\\"), None):
        before = text[: lone.start()].split("\n")
        message = f"{lone.group()} is one half of a surrogate pair, and no character"
        raise ManifestError([Problem(message, line=len(before), column=len(before[-1]) + 1)])
    return text


# An escaped backslash is matched too: the text after it is not an escape.
_SURROGATES = re.compile(r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


_LONE_SURROGATE = re.compile(r"\\\\|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


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
    if error.context_mark and error.context in _BEGUN:
        line, column = error.context_mark.line + 1, error.context_mark.column + 1
    message = "this is not valid YAML: " + ", ".join(part for part in (error.context, error.problem) if part)
    hint = advice(error, lines, line, column)
    return Problem(f"{message}; {hint}" if hint else message, line=line, column=column)


_BEGUN = ("while scanning an alias", "while scanning an anchor", "while scanning a simple key")
"""What is found wrong at its end, and has its place where it begins."""


def _unreadable(error: yaml.reader.ReaderError, text: str) -> Problem:
    """The problem of a character that YAML does not have."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    before = _LINE_BREAK.split(text[: found.start() if found else error.position])
    return Problem(f"this is not valid YAML: {error.reason}", line=len(before), column=len(before[-1]) + 1)


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
