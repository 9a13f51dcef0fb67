"""Outputs of earlier tasks as expressions see them, and how their files get to the node.

`{{ outputs.<task>.outputFiles['name'] }}` is a path on the node. The file is not copied: the node takes what the
earlier task uploaded, by prefix, and the task's script links it to its place. `{{ outputs.<fan-out> }}` is a folder
with the files of all items, in one subfolder an item.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.documents.names import UPSTREAM, Paths
from shared.expressions.values import ExpressionError, LazyValue, json_of, text_of
from shared.patterns import matches
from shared.script.build import Gathering, Link

_WILDCARD = re.compile(r"[*?\[]")
MAX_NAMED_FILES = 4  # of one pattern; of more, everything that the pattern brought back is taken: entries are limited


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
        return matches(self.pattern, self.base + path)


@dataclass(frozen=True)
class UpstreamFile:
    """A file of an earlier task, and the patterns that may have brought it back."""

    paths: Paths
    name: str
    patterns: tuple[OutputPattern, ...]

    def link(self, name: str) -> Link:
        """The file as `name` in the working directory, whichever way Batch has named it."""
        return Link(name, tuple(itertools.chain.from_iterable(map(self.sources, self.patterns))))

    def sources(self, pattern: OutputPattern) -> tuple[str, str]:
        """The names that Batch may have given the file when it uploaded it by this pattern."""
        prefix = self.paths.outputs(pattern.index)
        path = pattern.base + self.name
        return prefix + self.paths.inputs + path, prefix + path.removeprefix(pattern.folder)


@dataclass(frozen=True)
class UpstreamFolder:
    """The files of all items of an earlier fan-out; `patterns` by item."""

    paths: Paths
    patterns: Mapping[int, tuple[OutputPattern, ...]]

    @property
    def prefix(self) -> str:
        """What the node takes from staging."""
        return self.paths.all_outputs

    def gatherings(self) -> list[Gathering]:
        """How the script puts the files into `.upstream/<task>/<item>/`; the folder is there also without any."""
        items: dict[OutputPattern, list[int]] = {} if self.patterns else {OutputPattern(0, ""): []}
        for index, patterns in self.patterns.items():
            for pattern in patterns:
                items.setdefault(pattern, []).append(index)
        return [
            Gathering(
                folder=f"{UPSTREAM}/{self.paths.task}",
                source=self.paths.all_outputs,
                pattern=pattern.index,
                inside=self.paths.inputs + pattern.base,
                below=pattern.folder.removeprefix(pattern.base),
                items=tuple(indexes),
            )
            for pattern, indexes in items.items()
        ]


@dataclass
class UpstreamUse:
    """What of earlier tasks the expressions of one task have asked for: files by the path that they were told."""

    files: dict[str, UpstreamFile] = field(default_factory=dict)
    folders: dict[str, UpstreamFolder] = field(default_factory=dict)

    def prefixes(self) -> list[str]:
        """What the node takes from staging.

        A prefix without a final slash takes one file, and those whose names begin with its name.
        """
        by_pattern: dict[str, list[tuple[str, ...]]] = {}
        for file in self.files.values():
            for pattern in file.patterns:
                prefix = file.paths.outputs(pattern.index)
                by_pattern.setdefault(prefix, []).append((prefix,) if pattern.is_literal else file.sources(pattern))
        found = {folder.prefix for folder in self.folders.values()}
        for prefix, names in by_pattern.items():
            found |= {prefix} if len(names) > MAX_NAMED_FILES else set(itertools.chain.from_iterable(names))
        return sorted(found)

    def links(self, link: str) -> list[Link]:
        """The files, linked to where the expressions were told that they are; `link` is the working directory."""
        return [file.link(path.removeprefix(f"{link}/")) for path, file in self.files.items()]

    def gatherings(self) -> list[Gathering]:
        """The folders of fan-outs."""
        return [gathering for folder in self.folders.values() for gathering in folder.gatherings()]


class UpstreamFiles(LazyValue, Mapping[str, str]):
    """`outputFiles` of an earlier task, or of one item of a fan-out; what is asked for is added to `used`.

    All of them can be asked for where `outputFiles` names them: what a glob matches is not known before the task ends.
    """

    def __init__(self, folder: str, paths: Paths, patterns: Sequence[OutputPattern], used: UpstreamUse) -> None:
        self._folder = folder
        self._paths = paths
        self._patterns = patterns
        self._used = used

    def __getitem__(self, name: str) -> str:
        matching = tuple(pattern for pattern in self._patterns if pattern.matches(name))
        if not matching:
            raise KeyError(name)
        path = f"{self._folder}/{name}"
        self._used.files[path] = UpstreamFile(self._paths, name, matching)
        return path

    def __iter__(self) -> Iterator[str]:
        for pattern in self._patterns:
            if not pattern.is_literal:
                raise ExpressionError(
                    f"what {pattern.pattern!r} matches is not known yet: name a file, as in `outputFiles['data.csv']`"
                )
        return iter([pattern.pattern for pattern in self._patterns])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def as_text(self) -> str:
        """All files: their paths by name, as JSON."""
        return json_of(dict(self))

    def part(self, name: object) -> object:
        """The path of a file. Raises KeyError if nothing brings it back."""
        return self[str(name)]


class FanOutOutputs(LazyValue):
    """`outputs.<fan-out>`: the folder of all files; with an item's index, or the text of its value, the item's."""

    def __init__(
        self,
        path: str,
        folder: Callable[[], UpstreamFolder],
        items: Callable[[], Iterable[Mapping[str, Any]]],
        used: UpstreamUse,
    ) -> None:
        self._path = path
        self._folder = folder
        self._items = items
        self._used = used

    def as_text(self) -> str:
        """The folder; it is brought to the node."""
        self._used.folders[self._path] = self._folder()
        return self._path

    def part(self, name: object) -> object:
        """An item's outputs: by its index, or by the text of its value. Raises KeyError if there is no such item."""
        for item in () if isinstance(name, bool) else self._items():
            if name == (text_of(item["value"]) if isinstance(name, str) else item["index"]):
                return item
        raise KeyError(name)
