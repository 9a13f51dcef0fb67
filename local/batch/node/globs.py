r"""File patterns of output files, as Batch reads them.

https://learn.microsoft.com/rest/api/batchservice/tasks/create-task#outputfile: `*` and `?` stay within one directory,
`**` is any number of directories, `[abc]`, `[a-c]` and `[!abc]` are one character; a name that begins with a dot is
matched only by a pattern that begins with a dot. A pattern that ends in `**` names directories, and so no file: whether
Batch is kinder is not documented.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

WILDCARDS = re.compile(r"[*?\[]")
ANY_DIRECTORIES = "**"
_NOTHING = r"(?!)"


@dataclass(frozen=True)
class FilePattern:
    """A pattern split at its first wildcard: the folder named literally, and the pattern below it."""

    folder: Path
    below: str

    @classmethod
    def parse(cls, pattern: str, working_directory: Path) -> FilePattern:
        """Split a pattern; a relative one starts at the working directory."""
        segments = pattern.split("/")
        literal = next((i for i, segment in enumerate(segments) if WILDCARDS.search(segment)), len(segments) - 1)
        prefix = "/".join(segments[:literal]) + ("/" if literal else "")
        folder = Path(os.path.normpath(working_directory / prefix))
        return cls(folder=folder, below="/".join(segments[literal:]))

    @property
    def has_wildcards(self) -> bool:
        """Whether the pattern may match several files."""
        return bool(WILDCARDS.search(self.below))

    def files(self) -> list[Path]:
        """Return the files that match, sorted."""
        if not self.has_wildcards:
            file = self.folder / self.below
            return [file] if file.is_file() else []
        expression = _expression(self.below)
        return sorted(file for file in _files_below(self.folder) if matches(expression, self.folder, file))


def matches(expression: re.Pattern[str], folder: Path, file: Path) -> bool:
    """Whether a file below the folder matches."""
    return expression.fullmatch(file.relative_to(folder).as_posix()) is not None


def _files_below(folder: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(folder):
        for name in names:
            file = Path(directory, name)
            if file.is_file():
                yield file


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    *directories, name = pattern.split("/")
    groups = [""]
    for part in directories:
        if part == ANY_DIRECTORIES:
            groups.append("")
        else:
            groups[-1] += f"{_segment(part)}/"
    last = _NOTHING if name == ANY_DIRECTORIES else _segment(name)
    return re.compile(_joined(groups, r"(?:[^/.][^/]*/)") + last, re.DOTALL)


def _segment(segment: str) -> str:
    groups = [""]
    for piece in re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|.", segment, re.DOTALL):
        if piece.startswith("*"):
            groups.append("")
        else:
            groups[-1] += _token(piece)
    no_dot_file = "" if segment.startswith(".") else r"(?!\.)"
    return no_dot_file + _joined(groups, "[^/]")


def _joined(groups: list[str], anything: str) -> str:
    """Return an expression for what stands between wildcards, each of which is `anything`, any number of times.

    All but the last are atomic, at the first place where they match: that any later place would serve no better saves
    trying all of them, for which the time grows with the power of their number, and nobody is served meanwhile.
    """
    first, *others = groups
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>{anything}*?{group})" for group in middle) + f"{anything}*{last}"


def _token(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if len(piece) > 1:
        negated = piece.startswith("[!")
        characters = piece[2 if negated else 1 : -1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
        return "(?!/)" + _class(f"[{'^' if negated else ''}{characters}]")
    return re.escape(piece)


def _class(expression: str) -> str:
    """Return a class of characters as it is, or what matches nothing if it is none, such as `[z-a]`."""
    try:
        re.compile(expression)
    except re.error:
        return _NOTHING
    return expression
