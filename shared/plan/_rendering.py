"""Renders the properties of one task: texts with expressions → texts and problems.

A `Rendering` collects problems instead of raising them, so that the user sees all of them at once.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.documents.names import OWN, is_inside, is_own, is_safe, too_long
from shared.errors import Problem
from shared.expressions.chance import ASKS, chance
from shared.expressions.check import problems_in
from shared.expressions.render import render
from shared.expressions.values import UNKNOWN, Budget, ExpressionError
from shared.manifest.types import PropertyPath
from shared.masking import MASK
from shared.patterns import GLOB, MAX_PATTERNS, REGEX, PatternError, check
from shared.plan._names_used import depends_on_item, names_used, texts_to_render
from shared.plan._output_globs import OutputGlob, output_glob
from shared.plan.lookups import NotKnownYet

NOT_KNOWN_YET = "not-known-yet"
_NO_REGEX = (
    "Azure Batch, which brings the files, has no regular expressions; use a glob such as `**/*.{csv,json}`, "
    "or let the commands put the files into `{{ outputDir }}` with `outputDirectory: true`"
)
_BY_CHANCE = chance("")  # for texts that do not ask for it
_UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Bindings:
    """The values and functions that expressions may use; the values of the `unknown` names are not known yet.

    `checked_values` and `checked_functions` take their place when a text is only checked: nothing is noted as used.
    Texts with unknown values are checked if `checks_unknown`: when the run begins, as nothing has run yet. They are
    read as by a `major` version of Kestra. `seed` is that of the run, with the task and the item: see `chance.py`.
    Texts that use `hidden` names, whose values only the app knows, are checked; a mask stands for what they render to.
    """

    values: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    budget: Budget
    unknown: frozenset[str] = frozenset()
    checked_values: Callable[[], Mapping[str, Any]] | None = None
    checked_functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    checks_unknown: bool = True
    major: int = 1
    seed: str = ""
    hidden: frozenset[str] = frozenset()

    def problems_in(self, text: str, unknown_functions: Iterable[str] = (), known: Iterable[str] = ()) -> list[str]:
        """Every mistake in a text that can be found before all values are known; `known` are those found before."""
        values = self.checked_values() if self.checked_values else self.values
        functions = {
            **chance(self.seed),
            **self.functions,
            **self.checked_functions,
            **dict.fromkeys(unknown_functions, lambda *_, **__: UNKNOWN),
        }
        return problems_in(
            text,
            {**values, **dict.fromkeys(self.unknown - values.keys(), UNKNOWN)},
            functions,
            self.budget,
            known,
            self.major,
        )


def with_texts(render: Callable[[PropertyPath, str], str | None], path: PropertyPath, value: object) -> Any:  # noqa: ANN401 - values of any kind
    """A value with each text in it rendered, names in its maps too: `renderMap` of Kestra's VariableRenderer."""
    match value:
        case str():
            return render(path, value)
        case list() | tuple():
            return [with_texts(render, (*path, index), entry) for index, entry in enumerate(value)]
        case dict():
            return {
                render((*path, name), name): with_texts(render, (*path, name), entry) for name, entry in value.items()
            }
    return value


class Rendering:
    """Renders the properties of a task or input; adds what is wrong to `problems`.

    `place` makes a problem with one of its properties, given its path in the task or input.

    Texts that use a name whose value is not known yet are skipped: they are rendered in the round that they belong to.
    The rendering `is_complete` as long as no text was skipped. The rendering for one item of a fan-out uses that of the
    `fan_out` for every text that is the same for all items.
    """

    def __init__(
        self,
        place: Callable[[PropertyPath, str], Problem],
        bindings: Bindings,
        fan_out: Rendering | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self.is_complete = True
        self._place = place
        self._bindings = bindings
        self._fan_out = fan_out
        self._texts: dict[tuple[PropertyPath, str], str] = {}
        self._checked_texts: set[tuple[PropertyPath, str]] = set()
        self._broken: set[PropertyPath] = set()  # the places of texts that have problems, so that others only follow

    def fail(self, path: PropertyPath, message: str) -> None:
        """Add a problem with the property at `path`, relative to the task or input."""
        self.problems.append(self._place(path, message))

    def text(self, path: PropertyPath, value: str) -> str:
        """Render a text. Returns an empty text if there is a problem, a placeholder if a value is not known yet."""
        try:
            return self.known_text(path, value)
        except NotKnownYet:
            self.is_complete = False
            return NOT_KNOWN_YET

    def known_text(self, path: PropertyPath, value: str) -> str:
        """Render a text; empty if there is a problem. Raises NotKnownYet if a value is not known yet."""
        if self._fan_out and not depends_on_item(value):
            return self._fan_out.known_text(path, value)
        if (path, value) not in self._texts:
            self._texts[path, value] = self._rendered(path, value)
        return self._texts[path, value]

    def _rendered(self, path: PropertyPath, value: str) -> str:
        try:
            if self._uses(value, self._bindings.unknown):
                raise NotKnownYet  # noqa: TRY301 - as `read()` raises it
            if self._uses(value, self._bindings.hidden):
                return self._hidden(path, value)
            return self._usable(path, self._render(path, value))
        except NotKnownYet:
            if self._bindings.checks_unknown:
                self._check(path, value)
            raise
        except ExpressionError as error:
            self._check(path, value, str(error))
            return ""

    def _render(self, path: PropertyPath, value: str) -> str:
        bindings = self._bindings
        by_chance = chance(f"{bindings.seed}/{path}") if ASKS.search(value) or "render" in value else _BY_CHANCE
        return render(value, bindings.values, {**by_chance, **bindings.functions}, bindings.budget, bindings.major)

    def _hidden(self, path: PropertyPath, value: str) -> str:
        """A mask for a text with hidden values, of which is noted what it uses. Raises NotKnownYet."""
        with contextlib.suppress(ExpressionError):
            self._render(path, value)
        self._check(path, value)
        return MASK

    def is_broken(self, path: PropertyPath) -> bool:
        """Whether a text at a path could not be rendered, so that nothing is known of it."""
        return path in self._broken or (self._fan_out is not None and self._fan_out.is_broken(path))

    def _uses(self, value: str, names: frozenset[str]) -> bool:
        texts = texts_to_render(value, self._bindings.values) if names else ()
        return any(names_used(text, name) for text in texts for name in names)

    def _check(self, path: PropertyPath, value: str, *known: str) -> None:
        """Add every problem of a text, not only the first: the `known` one, and those that a check finds."""
        if (path, value) not in self._checked_texts:
            self._checked_texts.add((path, value))
            for message in self._bindings.problems_in(value, known=known):
                self._broken.add(path)
                self.fail(path, message)

    def check_unused(self, path: PropertyPath, value: str | None) -> None:
        """Add the problems of a text that is not rendered, as it has no effect; its secrets need not exist."""
        for message in self._bindings.problems_in(value, ["secret"]) if value else ():
            self.fail(path, message)

    def _usable(self, path: PropertyPath, text: str) -> str:
        """The text; empty, with a problem, if it has a character that a shell or UTF-8 cannot represent."""
        if _UNUSABLE.search(text):
            self.fail(path, "the text contains a NUL or an unpaired surrogate")
            return ""
        return text

    def optional(self, path: PropertyPath, value: str | None) -> str | None:
        """Render a text that may be missing; None if it is missing or renders to an empty text."""
        return (self.text(path, value) or None) if value is not None else None

    def texts(self, path: PropertyPath, values: tuple[str, ...]) -> tuple[str, ...]:
        """Render a list of texts."""
        return tuple(self.text((*path, index), value) for index, value in enumerate(values))

    def files(self, path: PropertyPath, values: Mapping[str, str]) -> dict[str, str]:
        """Render the names and contents of files; the result is by relative path."""
        rendered = [
            ((*path, name), self.text((*path, name), name), self.text((*path, name), text))
            for name, text in values.items()
        ]
        return self._checked(rendered)

    def files_of_json(self, path: PropertyPath, value: str) -> dict[str, str]:
        """Files by relative path, from a text that renders to a JSON map; its entries are not rendered again."""
        problems_before = len(self.problems)
        try:
            text = self.known_text(path, value)
            files = json.loads(text)
        except NotKnownYet:
            return {}
        except (ValueError, RecursionError):
            files = None
        if len(self.problems) > problems_before or text == MASK:
            return {}
        if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
            self.fail(path, "expected a map of names and texts, or a text that renders to such a map in JSON")
            return {}
        return self._checked([(path, name, self._usable(path, text)) for name, text in files.items()])

    def _checked(self, files: list[tuple[PropertyPath, str, str]]) -> dict[str, str]:
        checked: dict[str, str] = {}
        for path, name, text in (each for each in files if not self.is_broken(each[0])):
            file_name = self._relative(path, name)
            if name != NOT_KNOWN_YET and any(
                is_inside(file_name, other) or is_inside(other, file_name) for other in checked
            ):
                self.fail(path, f"{file_name!r} is already used, as a file or as a folder of another file")
            checked[file_name] = text
        return checked

    def patterns(self, path: PropertyPath, values: tuple[str, ...]) -> tuple[str, ...]:
        """Render patterns of file names, by which the app matches; what is not one of Java's is a problem."""
        return tuple(self.pattern((*path, index), value) for index, value in enumerate(values))

    def pattern(self, path: PropertyPath, value: str) -> str:
        """Render one pattern of file names, by which the app matches. Raises NotKnownYet."""
        rendered = self.known_text(path, value)
        if self.is_broken(path):
            return rendered
        try:
            check(rendered)
        except ValueError as error:
            self.fail(path, str(error))
        return rendered

    def output_globs(self, path: PropertyPath, values: tuple[str, ...]) -> tuple[OutputGlob, ...]:
        """Render the globs of output files, relative to the working directory.

        What cannot be brought is a problem. It still has its place among the patterns: an open run may have it.
        """
        texts = self.texts(path, values)
        globs = tuple(
            OutputGlob(text, (text,)) if self.is_broken((*path, index)) else self._output_glob((*path, index), text)
            for index, text in enumerate(texts)
        )
        if (count := sum(glob.count for glob in globs)) > MAX_PATTERNS:
            message = f"it stands for {count} patterns once groups are written out, but the limit is {MAX_PATTERNS}"
            self.fail(path, f"{message}; use wildcards, or name a folder")
        return globs

    def _output_glob(self, path: PropertyPath, text: str) -> OutputGlob:
        entry = re.sub(r"^(\./)+", "", text.removeprefix(GLOB))
        try:
            if text.startswith(REGEX):
                raise PatternError(_NO_REGEX)
            if entry in ("", "."):
                raise PatternError(f"{text!r} is the working directory itself; for all of its files, write `**`")
            found = output_glob(entry)
        except ValueError as error:
            self.fail(path, str(error))
            return OutputGlob(entry, (entry,))
        for pattern in found.patterns:
            if not is_safe(pattern):
                self.fail(path, f"{entry!r} is not a relative path inside the working directory")
            elif "$" in pattern:
                self.fail(path, f"{entry!r}: $ is not allowed, Batch would expand it")
            elif is_own(pattern):
                self.fail(path, f"{entry!r}: names that begin with {OWN} are those of the app's own files")
            else:
                continue
            break
        return found

    def _relative(self, path: PropertyPath, name: str) -> str:
        """The path without a leading `./`; a problem is added if it leaves the working directory."""
        name = re.sub(r"^(\./)+", "", name)
        if reason := too_long(name):
            self.fail(path, reason)
        elif not is_safe(name):
            self.fail(path, f"{name!r} is not a relative path inside the working directory")
        return name
