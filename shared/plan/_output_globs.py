"""The globs of `outputFiles` → the file patterns with which Azure Batch brings the same files.

https://learn.microsoft.com/rest/api/batchservice/tasks/create-task#outputfile: Batch knows `*`, `?`, `[a-c]`, `[!a]`
and `**`, which is any number of whole folders. So groups are written out, `**` within a name becomes folders, and a
character is taken as it is in brackets. No wildcard of Batch matches a leading dot: such names need patterns of their
own. What is said of files is taken to hold for folders as well, as nothing is said of these: of the folders on a path
whose names wildcards stand for, at most two may begin with a dot, and none with two dots. Nor is there a pattern for
`..csv`, which `*.csv` matches: it would cost every task a third more of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

from shared.documents.names import LONGEST_PATH, OUTPUT_DIRECTORY, OWN
from shared.manifest.task import Task
from shared.patterns import (
    FOLDERS,
    ONE,
    STAR,
    CharacterSet,
    Glob,
    PatternError,
    Piece,
    Segment,
    Wildcard,
    globs_of,
    normalized,
)
from shared.plan.upstream import OutputPattern

DOT_FOLDERS = 2
MAX_BATCH_PATTERNS = 500
_NO_OWN_FILE = CharacterSet(((OWN[1], OWN[1]),), is_negated=True)
_NO_OWN_FOLDER = CharacterSet(((".", "."), (OWN[1], OWN[1])), is_negated=True)
WITH_BACKSLASH = ("**/*[[-^]*", "**/.[!_]*[[-^]*", "**/*[[-^]*/**/*")
"""Names of files, dot-files and folders with a backslash, of which storage makes a slash: nothing else tells them from
files in folders. The first is enough where no pattern brings files of any folder.

A range, as nothing is said of a backslash in brackets; so the names may have brackets or a circumflex as well.
"""
_DOT_FOLDER: Segment = (".", _NO_OWN_FOLDER, STAR)


@dataclass(frozen=True)
class OutputGlob:
    """An entry of `outputFiles`, and what it is in Batch; `count` are its patterns once its groups are written out.

    `name` is what the entry names without wildcards: a file, or a folder with a slash at its end. The paths of its
    files are given relative to `base`.
    """

    entry: str
    patterns: tuple[str, ...]
    name: str | None = None
    base: str = ""
    count: int = 1


@lru_cache(maxsize=1024)
def output_glob(entry: str, base: str = "") -> OutputGlob:
    """What an entry, without `glob:`, is in Batch. Raises PatternError."""
    globs = globs_of(entry)
    if any(len(_text(glob.segments)) > LONGEST_PATH for glob in globs):
        raise PatternError(f"{entry[:40]!r}… is longer than {LONGEST_PATH} characters")
    found = list(islice(chain.from_iterable(map(_batch_patterns, globs)), MAX_BATCH_PATTERNS + 1))
    if len(found) > MAX_BATCH_PATTERNS:
        raise PatternError(f"{entry!r} needs more than {MAX_BATCH_PATTERNS} patterns in Azure Batch; use `**`")
    name = globs[0].name
    if entry.endswith("/"):
        name = f"{folder}/" if (folder := Glob(globs[0].segments[:-2]).name) else None
    return OutputGlob(entry, tuple(dict.fromkeys(found)), name if len(globs) == 1 else None, base, len(globs))


def globs_of_options(task: Task) -> Iterator[OutputGlob]:
    """What a task brings back beside its `outputFiles`."""
    if task.has_output_directory:
        yield output_glob(f"{OUTPUT_DIRECTORY}/**", f"{OUTPUT_DIRECTORY}/")
    if task.task_runner.sync_working_directory:
        yield output_glob("**")


@lru_cache(maxsize=1024)
def output_patterns(globs: tuple[OutputGlob, ...]) -> tuple[OutputPattern, ...]:
    """The patterns of one task. Their index is the folder of their files, so it must stay what it was for open runs.

    The first pattern of each entry has the place of the entry; all others follow. So whoever submitted the round, an
    earlier version with one pattern for each entry or this one, the files are found.
    """
    texts = [(text, glob) for glob in globs for text in glob.patterns[:1]]
    texts += [(text, glob) for glob in globs for text in glob.patterns[1:]]
    of_folders = [text for text, glob in texts if not _is_of_a_file(glob.name)]
    count = len(WITH_BACKSLASH) if any("**/" in text for text in of_folders) else min(1, len(of_folders))
    found = (
        OutputPattern(index, text, finds_backslashes=True)
        for index, text in enumerate(WITH_BACKSLASH[:count], len(texts))
    )
    return (*_numbered(texts), *found)


def _numbered(texts: Iterable[tuple[str, OutputGlob]]) -> Iterator[OutputPattern]:
    for index, (text, glob) in enumerate(texts):
        yield OutputPattern(index, text, glob.base, glob.entry, glob.name)


def _batch_patterns(glob: Glob) -> Iterator[str]:
    """The patterns of a glob; of a name, those of a file and of the files in a folder of that name."""
    if glob.name is not None:
        yield _text(glob.segments)
        folders = 0 if _is_of_a_file(glob.name) else DOT_FOLDERS
        yield from map(_text, _with_dot_names(glob.below.segments, folders))
        return
    for segments in _without_deep_names(glob.segments):
        yield from map(_text, _with_dot_names(normalized(segments), DOT_FOLDERS))


def _is_of_a_file(name: str | None) -> bool:
    """Whether a name is most probably that of a file, because it has an extension: more patterns would be in vain."""
    return name is not None and "." in name.rpartition("/")[2][1:]


def _without_deep_names(segments: tuple[Segment, ...]) -> Iterator[tuple[Segment, ...]]:
    """The segments with folders in place of every `**` that is part of a name: `a**b` is `a*b` and `a*/**/*b`."""
    for place, segment in enumerate(segments):
        if segment == FOLDERS or Wildcard.DEEP not in segment:
            continue
        at = segment.index(Wildcard.DEEP)
        head, before, after, tail = segments[:place], segment[:at], segment[at + 1 :], segments[place + 1 :]
        ends_here = bool(after) or not tail
        if before and ends_here:
            yield from _without_deep_names((*head, (*before, STAR, *after), *tail))
        begin = ((*before, STAR),) if before else ()
        end = ((STAR, *after),) if ends_here else ()
        yield from _without_deep_names((*head, *begin, FOLDERS, *end, *tail))
        return
    yield segments


def _with_dot_names(segments: tuple[Segment, ...], folders: int) -> Iterator[tuple[Segment, ...]]:
    """The segments, and all that stand for names with a leading dot, of at most so many folders."""
    if not segments:
        yield ()
        return
    first, rest = segments[0], segments[1:]
    if first == FOLDERS:
        for count in range(folders + 1):
            for tail in _with_dot_names(rest, folders - count):
                yield (FOLDERS, *(_DOT_FOLDER, FOLDERS) * count, *tail)
        return
    cost = 1 if rest else 0
    choices = [(first, 0)]
    if first[:1] != (".",):
        choices += [(each, cost) for each in _dot_names(first, is_folder=bool(rest))]
    elif len(first) > 1 and not isinstance(first[1], str):
        choices = [(each, 0) for each in _dot_names(first, is_folder=bool(rest))]
    for segment, taken in choices:
        if taken <= folders:
            for tail in _with_dot_names(rest, folders - taken):
                yield (segment, *tail)


def _dot_names(segment: Segment, *, is_folder: bool) -> Iterator[Segment]:
    """What a segment is in Batch for names with a leading dot, but not for those of the app's own files."""
    if not segment:
        return
    first, *rest = segment
    if first is STAR:
        yield from _after_dot(segment, is_folder=is_folder)
        yield from _dot_names(tuple(rest), is_folder=is_folder)
    elif first in (".", ONE) or (isinstance(first, CharacterSet) and first.matches(".")):
        yield from _after_dot(tuple(rest), is_folder=is_folder)


def _after_dot(rest: Segment, *, is_folder: bool) -> Iterator[Segment]:
    """A segment of which a dot has been taken: the next character is no `_`, and no second dot of a folder."""
    if not rest:
        return
    first, *others = rest
    guard = _NO_OWN_FOLDER if is_folder else _NO_OWN_FILE
    if first is STAR:
        yield (".", guard, STAR, *others)
        if others[:1] != ["."]:
            yield from _after_dot(tuple(others), is_folder=is_folder)
    elif first is ONE:
        yield (".", guard, *others)
    elif isinstance(first, CharacterSet) and first.is_negated:
        yield (".", CharacterSet((*first.ranges, *guard.ranges), is_negated=True), *others)
    elif first != OWN[1]:
        yield (".", *rest)


def _text(segments: Iterable[Segment]) -> str:
    return "/".join("".join(map(_spelled, segment)) for segment in segments)


def _spelled(piece: Piece) -> str:
    if isinstance(piece, Wildcard):
        return piece.value
    if isinstance(piece, CharacterSet):
        return _spelled_set(piece)
    return f"[{piece}]" if piece in ("*", "?", "[") else piece


def _spelled_set(characters: CharacterSet) -> str:
    """A set as Batch has it: a hyphen stands last, and what could be a negation not first."""
    texts = [low if low == high else f"{low}-{high}" for low, high in characters.ranges]
    texts.sort(key=lambda text: "^!-".find(text[0]) + 1 if len(text) == 1 else 0)
    if not characters.is_negated and texts[0][0] in "^!":
        if len(texts) > 1 or len(texts[0]) > 1:
            raise PatternError(f"Azure Batch has no set of the characters {' '.join(texts)}; use `?`")
        return texts[0]
    return f"[{'!' * characters.is_negated}{''.join(texts)}]"
