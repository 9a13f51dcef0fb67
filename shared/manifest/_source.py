"""YAML or JSON text → plain data, and the place in the text of every property.

Scalars are those of YAML 1.2's core schema: `on` and `12:30` are text, dates are text. As in Kestra's parser, a number
with a leading zero is octal (`_decodeNumberIntOctal` in
https://github.com/FasterXML/jackson-dataformats-text/blob/2.x/yaml/src/main/java/com/fasterxml/jackson/dataformat/yaml/YAMLParser.java).
Numbers remember how they were written, so that a property that expects text gets `3.10` and not `3.1`. `<<` merges
maps: https://yaml.org/type/merge.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from shared.errors import ManifestError, Problem
from shared.manifest._yaml import TAG, checked_json, compose
from shared.manifest.types import CREDENTIALS, PropertyPath


class WrittenInt(int):
    """An integer that remembers its text."""

    text: str


class WrittenFloat(float):
    """A number that remembers its text."""

    text: str


@dataclass(frozen=True)
class Source:
    """A parsed document: `data` is made of dicts, lists, str, int, float, bool and None.

    `problems` are what is wrong with single values. `unquoted` are the places of expressions without quotes, which are
    maps in YAML: in the data they are the text that was meant. `file` is the name that problems have of the document,
    if it is not the manifest itself.
    """

    data: Any
    root: yaml.Node
    text: str = ""
    is_json: bool = False
    file: str | None = None
    problems: tuple[Problem, ...] = ()
    unquoted: frozenset[tuple[int, int]] = frozenset()
    _by_name: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict, repr=False, compare=False)

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path`, with its place in the text (that of its name where `at_key`).

        If the path does not exist in the document, the place is that of its last part that does.
        """
        mark = self._mark(path, at_key=at_key)
        return Problem(message, property_path(path) or None, mark.line + 1, mark.column + 1, self.file)

    def written(self, path: PropertyPath) -> str | None:
        """How a list or a map is written, if it is in brackets and in one line of YAML."""
        node, _ = self._found(path)
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            text = self.text[node.start_mark.index : node.end_mark.index]
            return None if "\n" in text or self.is_json else text
        return None

    def is_unquoted(self, problem: Problem) -> bool:
        """Whether a problem is at the place of an expression without quotes."""
        return (problem.line, problem.column) in self.unquoted

    def _mark(self, path: PropertyPath, *, at_key: bool) -> yaml.Mark:
        node, key = self._found(path)
        return key.start_mark if at_key else node.start_mark

    def _found(self, path: PropertyPath) -> tuple[yaml.Node, yaml.Node]:
        """The node at a path, or at as much of it as exists; and that of its name."""
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
        return node, key

    def _properties(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The nodes of names and values by name; collected once, as there may be as many problems as properties."""
        if id(node) not in self._by_name:
            self._by_name[id(node)] = {pair[0].value: pair for pair in _pairs(node) if _is_text(pair[0])}
        return self._by_name[id(node)]


def property_path(path: PropertyPath) -> str:
    """A path as people write it: `tasks[0].env.NAME`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def parse(text: str, *, as_json: bool = False) -> Source:
    """Parse one document. Raises ManifestError as `read_source` does, and for problems of single values."""
    source = read_source(text, as_json=as_json)
    if source.problems:
        raise ManifestError(list(source.problems))
    return source


def read_source(text: str, *, as_json: bool = False, file: str | None = None) -> Source:
    """Parse one document, as far as its values can be read.

    Raises ManifestError with line and column if the text is not valid YAML (or JSON), nests deeper than MAX_DEPTH, or
    has more than MAX_NODES values once its aliases are written out.
    """
    try:
        text = checked_json(text) if as_json else text
        root = compose(text)
    except ManifestError as error:
        raise ManifestError([replace(problem, file=file) for problem in error.problems]) from error
    reading = _Reading(text)
    data = reading.value(root, ())
    problems = tuple(replace(problem, file=file) for problem in reading.problems)
    return Source(data, root, text, as_json, file, problems, frozenset(reading.unquoted))


MERGE = "<<"
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_LONGEST_NUMBER = 100  # no useful number is longer


class _Reading:
    """Reads the values of a document; collects what is wrong with them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.problems: list[Problem] = []
        self.unquoted: set[tuple[int, int]] = set()

    def value(self, node: yaml.Node, path: PropertyPath) -> Any:  # noqa: ANN401 - plain data of any shape
        """The data of a node."""
        match node:
            case yaml.MappingNode() if _is_unquoted_expression(node):
                return self._unquoted(node, path)
            case yaml.MappingNode(tag=tag) if tag == f"{TAG}map":
                return self._mapping(node, path)
            case yaml.SequenceNode(tag=tag) if tag == f"{TAG}seq":
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, path)
        self._fail(node, path, "tags are not supported")
        return None

    def _unquoted(self, node: yaml.MappingNode, path: PropertyPath) -> str:
        """The expression that was meant."""
        text = self._text[node.start_mark.index : node.end_mark.index]
        self.unquoted.add((node.start_mark.line + 1, node.start_mark.column + 1))
        how = "" if path[-1:] and path[-1] in CREDENTIALS else f": {quoted(text)}"
        self._fail(node, path, f"an expression without quotes is a map in YAML; put it in quotes{how}")
        return text

    def _mapping(self, node: yaml.MappingNode, path: PropertyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not _is_text(key):
                self._fail(key, path, "the name of a property must be text")
            elif _is_merge(key):
                if not _maps_to_merge(value):
                    self._fail(
                        value, (*path, MERGE), "`<<` merges a map, or a list of maps: write it as an alias, `*name`"
                    )
            elif key.value in data:
                self._fail(key, (*path, key.value), f"the property {key.value!r} is set twice")
            else:
                data[key.value] = self.value(value, (*path, key.value))
        merged = {key.value: value for key, value in _pairs(node)}
        return data | {name: self.value(value, (*path, name)) for name, value in merged.items() if name not in data}

    def _scalar(self, node: yaml.ScalarNode, path: PropertyPath) -> Any:  # noqa: ANN401, PLR0911 - plain data of any kind
        text: str = node.value
        match node.tag.removeprefix(TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" if path[-1:] and path[-1] in CREDENTIALS:
                return text  # which is refused, and repeated nowhere
            case "int" | "float" if len(text) > _LONGEST_NUMBER:
                digits = f"a number of {len(text):,} characters is too long"
                self._fail(node, path, f"{digits}; if it is text, put it in quotes")
                return text
            case "int" | "float" as kind:
                try:
                    return _whole_number(text) if kind == "int" else _real_number(text)
                except ValueError:
                    self._fail(node, path, f"{text!r} is not a number, as its tag says")
                    return text
        self._fail(node, path, "tags are not supported")
        return text

    def _fail(self, node: yaml.Node, path: PropertyPath, message: str) -> None:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.problems.append(Problem(message, property_path(path) or None, line, column))


def _whole_number(text: str) -> WrittenInt | str:
    """A whole number, as text remembered; text that only looks like an octal number, such as 089, is text."""
    base = 0 if text[:2] in ("0x", "0o") else 8 if _OCTAL.fullmatch(text) else 10
    if base == 10 and len(text.lstrip("-+")) > 1 and text.lstrip("-+").startswith("0"):  # noqa: PLR2004 - decimal
        return text
    number = WrittenInt(text, base)
    number.text = text
    return number


def _real_number(text: str) -> WrittenFloat:
    number = WrittenFloat(text)
    number.text = text
    return number


def _is_text(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode)


def _is_merge(key: yaml.Node) -> bool:
    """Whether the name of a property is `<<`, without quotes."""
    return isinstance(key, yaml.ScalarNode) and key.value == MERGE and not key.style


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The names and values of a map: those that it merges first, so that its own win, and of those the first."""
    for key, value in node.value:
        if _is_merge(key):
            for merged in reversed(_maps_to_merge(value)):
                yield from _pairs(merged)
    yield from ((key, value) for key, value in node.value if _is_text(key) and not _is_merge(key))


def _maps_to_merge(node: yaml.Node) -> list[yaml.MappingNode]:
    """The maps that the value of a `<<` names; none if it is neither a map nor a list of maps."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    maps = [each for each in nodes if isinstance(each, yaml.MappingNode)]
    return maps if len(maps) == len(nodes) else []


def _is_unquoted_expression(node: yaml.MappingNode) -> bool:
    """Whether a map is written as `{{ … }}`."""
    match node.value:
        case [(yaml.MappingNode(flow_style=True), yaml.ScalarNode(value=""))]:
            return bool(node.flow_style)
    return False


def quoted(text: str) -> str:
    """A text in quotes, as YAML takes it."""
    if "'" not in text or "\n" in text:
        return f"'{text}'" if '"' in text and "\n" not in text else json.dumps(text, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if '"' not in text else "'" + text.replace("'", "''") + "'"
