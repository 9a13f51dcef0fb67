"""The properties of one task, rendered: texts with expressions → texts, and what is wrong with them.

A `Rendering` collects problems instead of raising them, so that a person sees all of them at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from shared.documents.names import is_inside, is_safe
from shared.errors import Problem
from shared.expressions.render import references, render
from shared.expressions.values import Budget, ExpressionError
from shared.manifest.read import Manifest
from shared.plan.lookups import NotKnownYet

if TYPE_CHECKING:
    from pydantic import BaseModel

PropertyPath = tuple[str | int, ...]


_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_KNOWN_YET = "not-known-yet"
_NAMES_OF_ITEM = ("item", "taskrun", "workingDir", "outputDir", "outputs")
_RENDERS = re.compile(r"\brender\s*\(")
_UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Bindings:
    """What expressions may see; names that are `unknown` exist, but their values are not known yet."""

    values: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    budget: Budget
    unknown: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def names_used(text: str, name: str) -> frozenset[tuple[str, ...]]:
    """What a text's expressions ask of the value `name`: see `expressions.references`."""
    return frozenset(references(text, name))


def texts_rendered(text: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A text, and those of the variables and inputs that it hands to `render()`."""
    yield text
    if _RENDERS.search(text):
        for name in ("vars", "inputs"):
            for path in names_used(text, name):
                yield from (each for _, each in _texts(_value_at(values[name], path), ()))


def _value_at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - values of any type
    for part in path:
        value = value.get(part) if isinstance(value, dict) else value
    return value


@lru_cache(maxsize=4096)
def _depends_on_item(text: str) -> bool:
    """Whether a text may be another one for each item of a fan-out."""
    return _RENDERS.search(text) is not None or any(names_used(text, name) for name in _NAMES_OF_ITEM)


class Rendering:
    """Renders the properties of the thing at `path` in the manifest; what goes wrong is added to `problems`.

    It `is_complete` as long as no text was passed over.

    Texts that use a name whose value is not known yet are passed over: they are looked at again in the round that they
    belong to. The rendering for one item of a fan-out is based on that of the `whole`, which renders once what is the
    same for all items.
    """

    def __init__(
        self,
        manifest: Manifest,
        path: PropertyPath,
        visible: Bindings,
        whole: Rendering | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self.is_complete = True
        self._manifest = manifest
        self._path = path
        self._visible = visible
        self._whole = whole
        self._texts: dict[tuple[PropertyPath, str], str] = {}

    def fail(self, path: PropertyPath, message: str) -> None:
        """Note a problem with the property at `path`, counted from the thing itself."""
        self.problems.append(self._manifest.problem((*self._path, *path), message))

    def text(self, path: PropertyPath, value: str) -> str:
        """One text; empty if it cannot be rendered."""
        try:
            return self.known_text(path, value)
        except NotKnownYet:
            self.is_complete = False
            return _NOT_KNOWN_YET

    def known_text(self, path: PropertyPath, value: str) -> str:
        """The same. Raises NotKnownYet if something that it needs is not known yet."""
        if self._whole and not _depends_on_item(value):
            return self._whole.known_text(path, value)
        if (path, value) not in self._texts:
            self._texts[path, value] = self._rendered(path, value)
        return self._texts[path, value]

    def _rendered(self, path: PropertyPath, value: str) -> str:
        texts = texts_rendered(value, self._visible.values) if self._visible.unknown else ()
        if any(names_used(text, name) for text in texts for name in self._visible.unknown):
            raise NotKnownYet
        try:
            return self._usable(
                path, render(value, self._visible.values, self._visible.functions, self._visible.budget)
            )
        except ExpressionError as error:
            self.fail(path, str(error))
            return ""

    def _usable(self, path: PropertyPath, text: str) -> str:
        """The text, unless it holds what neither a shell nor UTF-8 can."""
        if _UNUSABLE.search(text):
            self.fail(path, "the text holds a NUL or half a surrogate pair")
            return ""
        return text

    def optional(self, path: PropertyPath, value: str | None) -> str | None:
        """One text that may be left out; what renders to nothing is left out."""
        return (self.text(path, value) or None) if value is not None else None

    def texts(self, path: PropertyPath, values: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text((*path, index), value) for index, value in enumerate(values))

    def env(self, path: PropertyPath, values: Mapping[str, str]) -> dict[str, str]:
        """Environment variables: names are checked, values rendered."""
        for name in values:
            if not _ENV_NAME.fullmatch(name):
                self.fail((*path, name), "not a name of an environment variable: expected letters, digits and _")
        return {name: self.text((*path, name), value) for name, value in values.items()}

    def files(self, path: PropertyPath, values: Mapping[str, str]) -> dict[str, str]:
        """Files by relative path: both names and contents are rendered."""
        rendered = [
            ((*path, name), self.text((*path, name), name), self.text((*path, name), text))
            for name, text in values.items()
        ]
        return self._checked(rendered)

    def files_of_json(self, path: PropertyPath, value: str) -> dict[str, str]:
        """The same of a text that renders to a JSON map; what it holds is not rendered again."""
        problems = len(self.problems)
        try:
            files = json.loads(self.known_text(path, value))
        except NotKnownYet:
            return {}
        except (ValueError, RecursionError):
            files = None
        if len(self.problems) > problems:
            return {}
        if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
            self.fail(path, "expected a map of names and texts, or a text that renders to such a map in JSON")
            return {}
        return self._checked([(path, name, self._usable(path, text)) for name, text in files.items()])

    def _checked(self, files: list[tuple[PropertyPath, str, str]]) -> dict[str, str]:
        checked: dict[str, str] = {}
        for path, name, text in files:
            file_name = self._relative(path, name)
            if any(is_inside(file_name, other) or is_inside(other, file_name) for other in checked):
                self.fail(path, f"{file_name!r} is there already, as a file or as a folder of one")
            checked[file_name] = text
        return checked

    def patterns(self, path: PropertyPath, values: tuple[str, ...]) -> tuple[str, ...]:
        """Globs relative to the working directory, without anything that Batch would expand on the node."""
        rendered = [self._relative((*path, index), pattern) for index, pattern in enumerate(self.texts(path, values))]
        for index, pattern in enumerate(rendered):
            if "$" in pattern:
                self.fail((*path, index), f"{pattern!r}: $ is not allowed, Batch would expand it")
        # What a final `**` matches in Batch is not documented; `**/*` is every file below.
        return tuple(re.sub(r"(^|/)\*\*$", r"\1**/*", pattern) for pattern in rendered)

    def _relative(self, path: PropertyPath, name: str) -> str:
        """A path in the working directory, without a leading `./`."""
        name = re.sub(r"^(\./)+", "", name)
        if not is_safe(name):
            self.fail(path, f"{name!r} is not a relative path inside the working directory")
        return name


def placed_texts(properties: BaseModel) -> Iterator[tuple[PropertyPath, str]]:
    """Every text in a thing of the manifest and its path in it, the names of maps included."""
    yield from _texts(properties.model_dump(by_alias=True), ())


def _texts(value: object, path: PropertyPath) -> Iterator[tuple[PropertyPath, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, item in value.items():
                yield (*path, name), name
                yield from _texts(item, (*path, name))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index))
