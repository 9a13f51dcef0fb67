"""The properties of one task, rendered: texts with expressions → texts, and what is wrong with them.

A `Rendering` collects problems instead of raising them, so that a person sees all of them at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shared.expression_environment import ExpressionError
from shared.expressions import references, render
from shared.outputs import is_inside, is_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

    from shared.errors import Problem
    from shared.manifest import Manifest

PropertyPath = tuple[str | int, ...]

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_KNOWN_YET = "not-known-yet"
_UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")


class Rendering:
    """Renders the properties of the thing at `path` in the manifest; what goes wrong is added to `problems`.

    Where the outputs of earlier tasks are not known yet, texts that use them are passed over: they are looked at
    again in the round that they belong to.
    """

    def __init__(
        self,
        manifest: Manifest,
        path: PropertyPath,
        values: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        *,
        outputs_are_known: bool = True,
    ) -> None:
        self.problems: list[Problem] = []
        self._manifest = manifest
        self._path = path
        self._values = values
        self._functions = functions
        self._outputs_are_known = outputs_are_known

    def fail(self, path: PropertyPath, message: str) -> None:
        """Note a problem with the property at `path`, counted from the thing itself."""
        self.problems.append(self._manifest.problem((*self._path, *path), message))

    def text(self, path: PropertyPath, value: str) -> str:
        """One text; empty if it cannot be rendered."""
        if not self._outputs_are_known and references(value, "outputs"):
            return _NOT_KNOWN_YET
        try:
            return self._usable(path, render(value, self._values, self._functions))
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
        rendered: dict[str, str] = {}
        for name, content in values.items():
            where = (*path, name)
            file_name = self._relative(where, self.text(where, name))
            if any(is_inside(file_name, other) or is_inside(other, file_name) for other in rendered):
                self.fail(where, f"{file_name!r} is there already, as a file or as a folder of one")
            rendered[file_name] = self.text(where, content)
        return rendered

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


def texts_of(properties: BaseModel) -> Iterator[str]:
    """Every text in a thing of the manifest, the names of maps included."""
    yield from _texts(properties.model_dump())


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, item in value.items():
                yield from _texts(name)
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
