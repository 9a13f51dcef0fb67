r"""Kestra's patterns of file names, which are Java's: globs, with or without `glob:` before them, and `regex:`.

https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/nio/file/FileSystem.html#getPathMatcher(java.lang.String)
`*` and `?` do not match a slash, `**` does; `[a-c]` and `[!a]` are one character; `{a,b}` is one of several texts, and
cannot hold another group; `\` takes a character as it is; wildcards match names with a leading dot. Here alone, `**/`
also stands for no folder at all (as in Azure Batch), a final slash for all files below, and what has no wildcards names
a file or a folder with its files.

Where a pattern begins is Kestra's matter (`PathMatcherPredicate`, `NamespaceFile.filePath` in io.kestra.core): files of
a namespace have a leading slash there, and a pattern that begins with a letter, a digit or `_` matches at any depth.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import chain, product
from typing import Any

from shared.regexes import compiled, engine, literal

GLOB, REGEX = "glob:", "regex:"
MAX_PATTERNS = 64  # of one task, or of one pattern that the app matches itself
_COUNTABLE = 10**9  # Python writes no number of more than 4,300 digits


class PatternError(ValueError):
    """A pattern is not one of Java's."""


class Wildcard(Enum):
    """What stands for any character, for any number of them, or for folders as well."""

    ONE = "?"
    STAR = "*"
    DEEP = "**"


@dataclass(frozen=True)
class CharacterSet:
    """One character of some ranges; or, if it `is_negated`, one of none of them. Never a slash."""

    ranges: tuple[tuple[str, str], ...]
    is_negated: bool = False

    def matches(self, character: str) -> bool:
        """Whether the character is one of the set."""
        return any(low <= character <= high for low, high in self.ranges) is not self.is_negated


Piece = str | Wildcard | CharacterSet  # a text is one character
Segment = tuple[Piece, ...]
ONE, STAR, DEEP = Wildcard.ONE, Wildcard.STAR, Wildcard.DEEP
FOLDERS: Segment = (DEEP,)
_BELOW: tuple[Segment, ...] = (FOLDERS, (STAR,))


@dataclass(frozen=True)
class Glob:
    """A glob without groups: what stands between its slashes. Two neighbours are never both FOLDERS."""

    segments: tuple[Segment, ...]

    @property
    def name(self) -> str | None:
        """The path that the glob names; None if it has wildcards."""
        if not all(isinstance(piece, str) for piece in chain.from_iterable(self.segments)):
            return None
        return "/".join("".join(map(str, segment)) for segment in self.segments)

    @property
    def below(self) -> Glob:
        """All files in the folder that the glob names."""
        return Glob((*self.segments, *_BELOW))


# --- text → globs


def globs_of(pattern: str) -> tuple[Glob, ...]:
    """The globs that a pattern stands for once its groups are written out. Raises PatternError.

    `pattern` is without `glob:`.
    """
    parts = list(_parts(pattern))
    count = math.prod(len(part) for part in parts if isinstance(part, list))
    if count > MAX_PATTERNS:
        many = count if count < _COUNTABLE else f"more than {_COUNTABLE}"
        raise PatternError(f"{_shown(pattern)} stands for {many} patterns, but the limit is {MAX_PATTERNS}")
    choices = [part if isinstance(part, list) else [(part,)] for part in parts]
    return tuple(dict.fromkeys(_glob(tuple(chain.from_iterable(chosen))) for chosen in product(*choices)))


def _glob(pieces: Sequence[Piece]) -> Glob:
    segments: list[list[Piece]] = [[]]
    for piece in pieces:
        if piece == "/":
            segments.append([])
        elif piece in (STAR, DEEP) and segments[-1][-1:] in ([STAR], [DEEP]):  # of a group and beside it
            segments[-1][-1] = STAR if piece is segments[-1][-1] is STAR else DEEP
        else:
            segments[-1].append(piece)
    found = [tuple(segment) for segment in segments]
    if len(found) > 1 and not found[-1]:
        found[-1:] = _BELOW
    elif found[-1] == FOLDERS:
        found.append((STAR,))
    return Glob(normalized(found))


def normalized(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments, of which no two neighbours are FOLDERS."""
    return tuple(each for i, each in enumerate(segments) if each != FOLDERS or tuple(segments[i - 1 : i]) != (FOLDERS,))


_TOKEN = re.compile(r"\\(?P<escaped>.)|(?P<deep>\*{2,})|(?P<wildcard>[*?])|(?P<set>\[)|(?P<text>.)", re.DOTALL)


def _parts(pattern: str) -> Iterator[Piece | list[Segment]]:
    """The pieces of a pattern; a list holds the alternatives of a group."""
    place = 0
    group: list[Segment] | None = None
    while match := _TOKEN.match(pattern, place):
        place, text = match.end(), match["text"]
        if text == "\\":
            raise PatternError(f"{_shown(pattern)} ends in a backslash, which must stand before a character")
        if text == "{":
            if group is not None:
                raise PatternError(f"{_shown(pattern)} has a group in a group: {{a,{{b,c}}}} is written {{a,b,c}}")
            group = [()]
        elif text == "}" and group is not None:
            yield group
            group = None
        elif text == "," and group is not None:
            group.append(())
        else:
            piece, place = _piece(pattern, match)
            if group is None:
                yield piece
            else:
                group[-1] += (piece,)
    if group is not None:
        raise PatternError(f"{_shown(pattern)} has a group without its end, a }}")


def _piece(pattern: str, match: re.Match[str]) -> tuple[Piece, int]:
    """The piece that begins with a token, and the place after it."""
    if match["set"]:
        return _set(pattern, match.end())
    if match["deep"]:
        return DEEP, match.end()
    if match["wildcard"]:
        return Wildcard(match["wildcard"]), match.end()
    return match["escaped"] or match["text"], match.end()


def _set(pattern: str, start: int) -> tuple[CharacterSet, int]:
    """The set whose `[` was read, and the place after it: `!` negates it, `-` at an end is a character."""
    end = pattern.find("]", start)
    is_negated = pattern.startswith("!", start)
    characters = pattern[start + is_negated : end]
    if end < 0 or not characters:
        raise PatternError(f"{_shown(pattern)} has a set of characters without its end, a ]")
    if "/" in characters:
        raise PatternError(f"{_shown(pattern)} has a slash in a set of characters")
    ranges: list[tuple[str, str]] = []
    rest = characters
    while rest:
        low, high, length = (rest[0], rest[2], 3) if rest[1:2] == "-" and len(rest) > 2 else (rest[0], rest[0], 1)  # noqa: PLR2004 - a-c
        if low > high:
            raise PatternError(f"{_shown(pattern)} has the range {low}-{high}, which is empty")
        ranges.append((low, high))
        rest = rest[length:]
    return CharacterSet(tuple(ranges), is_negated), end + 1


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= MAX_PATTERNS else f"{pattern[:MAX_PATTERNS]}…")


# --- what a pattern matches


def check(pattern: str) -> None:
    """Raise PatternError or RegexError if the app cannot match by a pattern."""
    matches_namespace_file(pattern, "")


def matches_namespace_file(pattern: str, path: str) -> bool:
    """Whether a pattern matches the file of a namespace. Raises PatternError or RegexError.

    A glob without a slash, and one that begins with a letter, a digit or `_`, matches at any depth; other globs, and
    those that follow `glob:`, match the whole path.
    """
    return _matches(pattern, path, is_at_any_depth=bool(re.match(r"\w|[^/]*\Z", pattern, re.ASCII)))


def matches_output(pattern: str, path: str) -> bool:
    """Whether a pattern matches the file of a task; a glob without a slash matches a file name in any folder."""
    return _matches(pattern, path, is_at_any_depth="/" not in pattern)


def _matches(pattern: str, path: str, *, is_at_any_depth: bool) -> bool:
    if pattern.startswith(REGEX):
        expression = compiled(pattern.removeprefix(REGEX))
        return any(expression.fullmatch(each) for each in (path, f"/{path}"))
    body = pattern.removeprefix(GLOB)
    return _expression(body, is_at_any_depth and body == pattern).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _expression(body: str, is_at_any_depth: bool) -> Any:  # noqa: ANN401 - RE2's type is private; a key
    globs = globs_of(re.sub(r"^(\./)+|^/", "", body))
    wanted = [*globs, *(glob.below for glob in globs if glob.name is not None)]
    start = "(?:.*/)?" if is_at_any_depth else ""
    return engine(f"(?s){start}(?:{'|'.join(regex_of(glob) for glob in wanted)})", body)


def regex_of(glob: Glob, *, dot_files: bool = True) -> str:
    """The glob as a regular expression; without `dot_files`, wildcards match no names with a leading dot."""
    any_folders = "(?:.*/)?" if dot_files else "(?:[^/.][^/]*/)*"
    last = len(glob.segments) - 1
    parts = []
    for place, segment in enumerate(glob.segments):
        if segment == FOLDERS:
            parts.append(any_folders)
        else:
            first, *others = segment or ("",)
            parts.append(_regex(first, dot_files=dot_files) + "".join(map(_regex, others)) + "/" * (place < last))
    return "".join(parts)


def _regex(piece: Piece, *, dot_files: bool = True) -> str:
    match piece:
        case Wildcard.ONE:
            return "[^/]" if dot_files else "[^/.]"
        case Wildcard.STAR:
            return "[^/]*" if dot_files else "(?:[^/.][^/]*)?"
        case Wildcard.DEEP:
            return ".*"
        case CharacterSet():
            return _class(piece, dot_files=dot_files)
    return literal(piece)


def _class(characters: CharacterSet, *, dot_files: bool) -> str:
    excluded = "/" if dot_files else "/."
    if characters.is_negated:
        return f"[^{literal(excluded)}{''.join(f'{literal(low)}-{literal(high)}' for low, high in characters.ranges)}]"
    ranges = characters.ranges
    for each in excluded:
        ranges = tuple(part for low, high in ranges for part in _without(each, low, high))
    return (
        "[" + "".join(f"{literal(low)}-{literal(high)}" for low, high in ranges) + "]"
        if ranges
        else r"[^\x00-\x{10ffff}]"
    )


def _without(character: str, low: str, high: str) -> Iterator[tuple[str, str]]:
    """A range without one of its characters."""
    if not low <= character <= high:
        yield low, high
        return
    if low < character:
        yield low, chr(ord(character) - 1)
    if character < high:
        yield chr(ord(character) + 1), high
