"""The outputs of earlier tasks as values of expressions, and the way of their files to the node.

`{{ outputs.<task>.outputFiles['name'] }}` is a path on the node. The file is not copied: the node downloads what the
earlier task uploaded, by prefix, and the task's script links it to that path. `{{ outputs.<fan-out> }}` is a folder
with the files of all items, one subfolder for each item.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from shared.documents.names import UPSTREAM, Paths, is_own
from shared.expressions.values import ExpressionError, LazyValue, json_of, text_of
from shared.patterns import globs_of, regex_of
from shared.regexes import engine
from shared.script.build import Gathering, Link

_WILDCARD = re.compile(r"[*?\[]")
MAX_NAMED_FILES = 4  # of one pattern; for more, all of its files are downloaded: the number of prefixes is limited


@dataclass(frozen=True)
class OutputPattern:
    """One file pattern of Azure Batch, relative to the working directory: a glob, or the name of one file.

    The paths of the files that it matches are given relative to `base`: a folder ending in a slash, or empty. `entry`
    is the entry of `outputFiles` that it is for, and `name` what that names without wildcards, if it does: a file, or a
    folder with a slash at its end. A pattern that `finds_backslashes` is for no entry, but tells which files have one.
    A pattern `of_group` is one of the WorkingDirectory that the task is in; it may bring files only `if_failed`.
    """

    index: int
    pattern: str
    base: str = ""
    entry: str = ""
    name: str | None = None
    finds_backslashes: bool = False
    of_group: bool = False
    if_failed: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether the pattern is the name of one file."""
        return not _WILDCARD.search(self.pattern)

    @property
    def folder(self) -> str:
        """The folder before the pattern's first wildcard (or of the named file): empty, or ending in a slash."""
        wildcard = _WILDCARD.search(self.pattern)
        literal = self.pattern[: wildcard.start()] if wildcard else self.pattern
        return literal[: literal.rfind("/") + 1]

    def matches(self, path: str) -> bool:
        """Whether Batch may have brought a file of this path, relative to `base`, by the pattern."""
        if self.is_literal:
            return self.pattern == self.base + path
        return not self.finds_backslashes and _expression(self.pattern).fullmatch(self.base + path) is not None


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> Any:  # noqa: ANN401 - RE2's type is private
    """A pattern of Batch as a regular expression; Batch has no groups."""
    globs = globs_of(re.sub(r"[{}]", r"\\\g<0>", pattern))
    return engine("|".join(regex_of(glob, dot_files=False) for glob in globs), pattern)


TAKEN = OutputPattern(0, "**")
"""In place of the patterns of a task that a retry has taken over: all of its files are staged as if by this one."""


@dataclass(frozen=True)
class UpstreamFile:
    """A file of an earlier task, and the patterns that may have uploaded it."""

    paths: Paths
    name: str
    patterns: tuple[OutputPattern, ...]

    def link(self, name: str) -> Link:
        """The link that puts the file as `name` into the working directory, from whichever name Batch gave it."""
        return Link(name, tuple(itertools.chain.from_iterable(map(self.sources, self.patterns))))

    def sources(self, pattern: OutputPattern) -> tuple[str, str]:
        """The two names that Batch may have given the file when it uploaded it by this pattern."""
        prefix = self.paths.outputs(pattern.index)
        path = pattern.base + self.name
        return prefix + self.paths.inputs + path, prefix + path.removeprefix(pattern.folder)


@dataclass(frozen=True)
class UpstreamFolder:
    """The files of all items of an earlier fan-out; `patterns` by the item's index.

    Those of the items `taken` were taken over from an earlier run.
    """

    paths: Paths
    patterns: Mapping[int, tuple[OutputPattern, ...]]
    taken: frozenset[int] = frozenset()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of the blobs that the node downloads from staging."""
        own = () if self.patterns and self.taken.issuperset(self.patterns) else (self.paths.all_outputs,)
        return (*own, self._taken_paths.all_outputs) if self.taken else own

    @property
    def _taken_paths(self) -> Paths:
        return replace(self.paths, is_taken=True)

    def gatherings(self) -> list[Gathering]:
        """How the script puts the files into `UPSTREAM/<task>/<item>/`; it makes the folder even without files."""
        items: dict[tuple[OutputPattern, bool], list[int]] = (
            {} if self.patterns else {(OutputPattern(0, ""), False): []}
        )
        for index, patterns in self.patterns.items():
            for pattern in (each for each in patterns if not each.finds_backslashes):
                items.setdefault((pattern, index in self.taken), []).append(index)
        return [
            Gathering(
                folder=f"{UPSTREAM}/{self.paths.task}",
                source=(self._taken_paths if is_taken else self.paths).all_outputs,
                pattern=pattern.index,
                inside=self.paths.inputs + pattern.base,
                below=pattern.folder.removeprefix(pattern.base),
                items=tuple(indexes),
            )
            for (pattern, is_taken), indexes in items.items()
        ]


@dataclass
class UpstreamUse:
    """The files and folders of earlier tasks that one task's expressions use, by their path on the node."""

    files: dict[str, UpstreamFile] = field(default_factory=dict)
    folders: dict[str, UpstreamFolder] = field(default_factory=dict)

    def prefixes(self) -> list[str]:
        """The prefixes of the blobs that the node downloads from staging.

        A prefix without a final slash is that of one file, and of all files whose names begin with its name.
        """
        by_pattern: dict[str, list[tuple[str, ...]]] = {}
        for file in self.files.values():
            for pattern in file.patterns:
                prefix = file.paths.outputs(pattern.index)
                by_pattern.setdefault(prefix, []).append((prefix,) if pattern.is_literal else file.sources(pattern))
        found = {prefix for folder in self.folders.values() for prefix in folder.prefixes}
        for prefix, names in by_pattern.items():
            found |= {prefix} if len(names) > MAX_NAMED_FILES else set(itertools.chain.from_iterable(names))
        return sorted(found)

    def links(self, link: str) -> list[Link]:
        """The links that put the files at the paths that the expressions got; `link` is the working directory."""
        return [file.link(path.removeprefix(f"{link}/")) for path, file in self.files.items()]

    def gatherings(self) -> list[Gathering]:
        """How the script fills the folders of fan-outs."""
        return [gathering for folder in self.folders.values() for gathering in folder.gatherings()]


class UpstreamFiles(LazyValue, Mapping[str, str]):
    """`outputFiles` of an earlier task, or of one item of a fan-out; the files that are used are added to `used`.

    All files together can be used only if `outputFiles` has no globs: their matches are not known before the task ends.
    A task that was `taken` over has its files by the names that they had: in the retry, its patterns may render to
    others.
    """

    def __init__(
        self,
        folder: str,
        paths: Paths,
        patterns: Sequence[OutputPattern],
        used: UpstreamUse,
        taken: Mapping[str, object] | None = None,
    ) -> None:
        self._folder = folder
        self._paths = paths
        self._patterns = patterns
        self._used = used
        self._taken = taken

    def __getitem__(self, name: str) -> str:
        matching = tuple(pattern for pattern in self._patterns if pattern.matches(name))
        if not (matching or name in (self._taken or ())) or is_own(name):
            raise KeyError(name)
        path = f"{self._folder}/{name}"
        self._used.files[path] = UpstreamFile(self._paths, name, matching if self._taken is None else (TAKEN,))
        return path

    def __iter__(self) -> Iterator[str]:
        if self._taken is not None:
            return iter(self._taken)
        for pattern in self._patterns:
            if pattern.name is None or pattern.name.endswith("/"):
                raise ExpressionError(
                    f"what {pattern.entry!r} matches is not known yet: name a file, as in `outputFiles['data.csv']`"
                )
        return iter(dict.fromkeys(pattern.name for pattern in self._patterns if pattern.name))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def as_text(self) -> str:
        """All files: their paths by name, as JSON."""
        return json_of(dict(self))

    def part(self, name: object) -> object:
        """The path of a file. Raises KeyError if no pattern matches it."""
        return self[str(name)]


class FanOutOutputs(LazyValue):
    """`outputs.<fan-out>`: as text, the folder of all files; its parts are the outputs of single items."""

    def __init__(
        self,
        name: str,
        path: str,
        folder: Callable[[], UpstreamFolder],
        items: Callable[[], Iterable[Mapping[str, Any]]],
        used: UpstreamUse,
    ) -> None:
        self._name = name
        self._path = path
        self._folder = folder
        self._items = items
        self._used = used

    def as_text(self) -> str:
        """The path of the folder, which is added to `used`."""
        self._used.folders[self._path] = self._folder()
        return self._path

    def part(self, name: object) -> object:
        """An item's outputs: by its index, or by the text of its value. Raises KeyError if there is no such item."""
        for item in () if isinstance(name, bool) else self._items():
            if name == (text_of(item["value"]) if isinstance(name, str) else item["index"]):
                return item
        raise KeyError(name)

    def missing(self, name: str) -> str:
        """What to write instead of the name of an item that does not exist."""
        return missing_item(self._name, name)


_OF_A_TASK = ("vars", "exitCode", "outputFiles")


def missing_item(fan_out: str, name: str) -> str:
    """The message about an item that a fan-out does not have."""
    outputs = f"outputs['{fan_out}']" if "-" in fan_out else f"outputs.{fan_out}"
    part = f".{name}" if name in _OF_A_TASK else ".vars"
    return f"{name!r} does not exist: {fan_out!r} runs once for each item; name one, as in `{outputs}[0]{part}`"
