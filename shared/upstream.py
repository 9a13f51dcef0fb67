"""Files of earlier tasks: `{{ outputs.<task>.outputFiles['name'] }}` → a path on the node, and how the file gets there.

The file is not copied: the node takes what the earlier task uploaded, by prefix, and the task's script links it to
its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared import globs
from shared.task_script import Link, Paths

_WILDCARD = re.compile(r"[*?\[]")
FOLDER = ".upstream"


@dataclass(frozen=True)
class OutputPattern:
    """One entry of `outputFiles`: a glob, or the name of one file, relative to the working directory.

    The paths of the files that it brings back are told relative to `base`: a folder ending in a slash, or nothing.
    """

    index: int
    pattern: str
    base: str = ""

    @property
    def is_literal(self) -> bool:
        """Whether it names one file."""
        return not _WILDCARD.search(self.pattern)

    @property
    def folder(self) -> str:
        """The folder in which the pattern's first wildcard (or the named file) stands: empty, or ending in a slash."""
        wildcard = _WILDCARD.search(self.pattern)
        literal = self.pattern[: wildcard.start()] if wildcard else self.pattern
        return literal[: literal.rfind("/") + 1]

    def matches(self, path: str) -> bool:
        """Whether a file would be brought back under this path."""
        return globs.matches(self.pattern, self.base + path)


@dataclass(frozen=True)
class UpstreamFile:
    """A file of an earlier task, and the patterns that may have brought it back."""

    paths: Paths
    name: str
    patterns: tuple[OutputPattern, ...]

    @property
    def prefixes(self) -> list[str]:
        """What the node takes from staging."""
        return [self.paths.outputs(pattern.index) for pattern in self.patterns]

    def link(self, name: str) -> Link:
        """The file as `name` in the working directory, whichever way Batch has named it."""
        sources = [
            prefix + found
            for prefix, pattern in zip(self.prefixes, self.patterns, strict=True)
            for found in (
                self.paths.inputs + pattern.base + self.name,
                (pattern.base + self.name).removeprefix(pattern.folder),
            )
        ]
        return Link(name, tuple(sources))


class UpstreamFiles(Mapping[str, str]):
    """`outputs.<task>.outputFiles`, as the expressions of one task see it; remembers what was asked for."""

    def __init__(self, link: str, task: str, paths: Paths, patterns: Sequence[OutputPattern]) -> None:
        self._folder = f"{link}/{FOLDER}/{task}/"
        self._paths = paths
        self._patterns = patterns
        self.used: dict[str, UpstreamFile] = {}

    def __getitem__(self, name: str) -> str:
        matching = tuple(pattern for pattern in self._patterns if pattern.matches(name))
        if not matching:
            raise KeyError(name)
        path = self._folder + name
        self.used[path] = UpstreamFile(self._paths, name, matching)
        return path

    def __iter__(self) -> Iterator[str]:
        return iter(pattern.pattern for pattern in self._patterns if pattern.is_literal)

    def __len__(self) -> int:
        return len(list(iter(self)))
