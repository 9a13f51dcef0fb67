"""Which output files a report shows: pictures by their addresses, and of tables and texts the beginning.

Tables and texts cost one request each, and all are read at the same time as the ends of logs. The ending of its name
says what a file is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from shared.documents.names import is_safe
from shared.documents.record import Record
from shared.documents.task_result import ItemRecord, OutputFile

MAX_PREVIEWS = 20
READ_BYTES = 64 * 1024
MAX_PICTURE_BYTES = 8 * 1024 * 1024
"""A browser loads the whole of a picture."""
MAX_ITEMS = 20
"""The files of a larger fan-out are too much alike, and too many, to choose from."""
FILES_AT_A_TURN = 4


class Kind(StrEnum):
    """What a file is shown as. Markdown is text."""

    PICTURE = "picture"
    TABLE = "table"
    JSON = "json"
    TEXT = "text"


_ENDINGS = {
    Kind.PICTURE: ("png", "jpg", "jpeg", "svg"),
    Kind.TABLE: ("csv", "tsv"),
    Kind.JSON: ("json",),
    Kind.TEXT: ("txt", "text", "log", "md", "markdown", "jsonl", "ndjson"),
}
_KINDS = {ending: kind for kind, endings in _ENDINGS.items() for ending in endings}


@dataclass(frozen=True)
class Preview:
    """A file that is shown; `path` is its path in the working directory of the task or item `owner`."""

    owner: str
    path: str
    kind: Kind
    file: OutputFile

    @property
    def is_read(self) -> bool:
        """Whether its beginning is on the page; the browser fetches a picture itself."""
        return self.kind is not Kind.PICTURE


@dataclass(frozen=True)
class FileStart:
    """The first bytes of a file that were read, of `total` bytes; of a picture, none are."""

    preview: Preview
    content: bytes
    total: int


def previews_to_show(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> list[Preview]:
    """The files that the report shows, at most twenty, in the order of the manifest.

    Each task has a turn of four files before any has more of them, and before each item of a small fan-out has one.
    """
    found = list(_candidates(record, items))
    first = sorted(range(len(found)), key=lambda place: found[place][0])[:MAX_PREVIEWS]
    return [found[place][1] for place in sorted(first)]


def _candidates(
    record: Record, items: Mapping[str, Sequence[ItemRecord]]
) -> Iterator[tuple[tuple[int, bool], Preview]]:
    """The files that can be shown, each with its turn."""
    for task in record.tasks:
        if task.items is None:
            yield from _in_turns(_showable(task.id, task.outputs.output_files), FILES_AT_A_TURN, is_item=False)
        elif task.items.count <= MAX_ITEMS:
            for item in items.get(task.id, ()):
                files = _showable(f"{task.id}[{item.index}]", item.outputs.output_files)
                yield from _in_turns(files, 1, is_item=True)


def _in_turns(files: Iterable[Preview], at_a_turn: int, *, is_item: bool) -> Iterator[tuple[tuple[int, bool], Preview]]:
    for place, preview in enumerate(islice(files, MAX_PREVIEWS)):
        yield (place // at_a_turn, is_item), preview


def _showable(owner: str, files: Mapping[str, OutputFile]) -> Iterator[Preview]:
    for path, file in files.items():
        kind = kind_of(path)
        is_too_large = kind is Kind.PICTURE and file.bytes > MAX_PICTURE_BYTES
        if kind and file.bytes and not is_too_large and is_safe(file.blob):
            yield Preview(owner, path, kind, file)


def kind_of(path: str) -> Kind | None:
    """What a file is shown as; None if it is only listed."""
    stem, dot, ending = path.rpartition("/")[2].rpartition(".")
    return _KINDS.get(ending.lower()) if stem and dot else None
