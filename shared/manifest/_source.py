"""YAML or JSON text → plain data, and the place in the text of every property.

Scalars follow YAML 1.2's core schema, as Kestra reads them: `on` and `12:30` are text, dates are text. Numbers
remember how they were written, so that a property that expects text gets `3.10` and not `3.1`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.errors import ManifestError, Problem
from shared.manifest.types import PropertyPath

MAX_DEPTH = 50
MAX_NODES = 100_000
TEXT_OF_A_VALUE = 100  # so many characters of a text count as one more value

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as YAML counts lines
_TAG = "tag:yaml.org,2002:"


class WrittenInt(int):
    """An integer that remembers its text."""

    text: str


class WrittenFloat(float):
    """A number that remembers its text."""

    text: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml's, if it is installed
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way


_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])

_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))

_Loader.add_implicit_resolver(
    f"{_TAG}int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)

_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class Source:
    """A parsed document: `data` is made of dicts, lists, str, int, float, bool and None."""

    data: Any
    root: yaml.Node
    _by_name: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict, repr=False, compare=False)

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path`, with its place in the text (that of its name where `at_key`).

        If the path does not exist in the document, the place is that of its last part that does.
        """
        mark = self._mark(path, at_key=at_key)
        return Problem(message, property_path(path) or None, mark.line + 1, mark.column + 1)

    def _mark(self, path: PropertyPath, *, at_key: bool) -> yaml.Mark:
        node, key = self.root, self.root
        for part in path:
            match node:
                case yaml.MappingNode():
                    found = self._properties(node).get(str(part))
                case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
                    found = (node.value[part], node.value[part])
                case _:
                    found = None
            if found is None:
                break
            key, node = found
        return key.start_mark if at_key else node.start_mark

    def _properties(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The nodes of names and values by name; collected once, as there may be as many problems as properties."""
        if id(node) not in self._by_name:
            self._by_name[id(node)] = {pair[0].value: pair for pair in node.value}
        return self._by_name[id(node)]


def property_path(path: PropertyPath) -> str:
    """A path as people write it: `tasks[0].env.NAME`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def parse(text: str, *, as_json: bool = False) -> Source:
    """Parse one document.

    Raises ManifestError with line and column if the text is not valid YAML (or JSON), repeats a name, nests deeper than
    MAX_DEPTH, has more than MAX_NODES values once its aliases are written out, or uses tags.
    """
    if as_json:
        text = _checked_json(text)
    root = compose(text)
    problems: list[Problem] = []
    data = _data(root, problems)
    if problems:
        raise ManifestError(problems)
    return Source(data, root)


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


def _checked_json(text: str) -> str:
    """JSON text that YAML reads alike: with spaces for tabs, and characters for escaped surrogate pairs."""
    try:
        json.loads(text)
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
    message = "this is not valid YAML: " + ", ".join(part for part in (error.context, error.problem) if part)
    lines = _LINE_BREAK.split(text)
    if mark is None or mark.line >= len(lines):  # libyaml puts the end of the text on a line of its own
        return Problem(message, line=len(lines), column=len(lines[-1]) + 1)
    return Problem(message, line=mark.line + 1, column=mark.column + 1)


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


def _data(node: yaml.Node, problems: list[Problem]) -> Any:  # noqa: ANN401 - plain data of any shape
    match node:
        case yaml.MappingNode(tag=tag) if tag == f"{_TAG}map":
            return _mapping(node, problems)
        case yaml.SequenceNode(tag=tag) if tag == f"{_TAG}seq":
            return [_data(item, problems) for item in node.value]
        case yaml.ScalarNode():
            return _scalar(node, problems)
    problems.append(_at(node, "tags are not supported"))
    return None


def _mapping(node: yaml.MappingNode, problems: list[Problem]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(_at(key, "the name of a property must be text"))
            continue
        if key.value in data:
            problems.append(_at(key, f"the property {key.value!r} is set twice"))
        data[key.value] = _data(value, problems)
    return data


def _scalar(node: yaml.ScalarNode, problems: list[Problem]) -> Any:  # noqa: ANN401 - plain data of any shape
    text: str = node.value
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) <= 100:  # noqa: PLR2004 - no useful number is longer
            number = WrittenInt(text, 0) if text[:2] in ("0x", "0o") else WrittenInt(text)
            number.text = text
            return number
        case "float":
            real = WrittenFloat(text)
            real.text = text
            return real
    problems.append(_at(node, "this is not a valid value of the type that its tag or its form has"))
    return None


def _at(node: yaml.Node, message: str) -> Problem:
    return Problem(message, line=node.start_mark.line + 1, column=node.start_mark.column + 1)


@dataclass(frozen=True)
class Layout:
    """Finds the place in the dropped file of a property of the flow.

    `moved` maps paths in the flow to paths in the file, for all that is below them too. All other properties have the
    same path in both.
    """

    source: Source
    moved: Mapping[PropertyPath, PropertyPath] = field(default_factory=dict)

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property of the flow at `path`, at its place in the file."""
        return self.source.problem(self._in_file(path), message, at_key=at_key)

    def _in_file(self, path: PropertyPath) -> PropertyPath:
        for length in range(len(path), 0, -1):
            if (moved := self.moved.get(path[:length])) is not None:
                return (*moved, *path[length:])
        return path
