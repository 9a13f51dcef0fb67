"""The beginning of a file, as it is shown: rows of a table, or lines of a text.

A file is not shown if its bytes are no text in UTF-8. Secrets are masked in the whole text, and again in each cell: a
cell may be quoted in the text, so that a secret is not the same there.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from shared.report.previews import FileStart, Kind, Preview
from shared.report.text import count, shortened, without_terminal_sequences

MAX_ROWS, MAX_COLUMNS, MAX_CELL = 50, 30, 80
MAX_LINES, MAX_LINE, MAX_CHARACTERS = 300, 1000, 20_000
LONG_LINE = 120
DEEPEST = 12
_DELIMITERS = (",", ";", "\t")
_QUOTED = re.compile(r'"[^"]*"')
_NUMBER = re.compile(r"[-+]?[\d.,\u00a0]*\d(?:[eE][-+]?\d+)?\s?%?")
_JSON_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"?|\{\s*\}|\[\s*\]|[{}\[\],:]|[^\s{}\[\],:"](?:[^{}\[\],:"]*[^\s{}\[\],:"])?', re.DOTALL
)


@dataclass(frozen=True)
class Table:
    """The first rows of a table, all of the same length; `numbers` says which columns hold nothing but numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[bool, ...]


@dataclass(frozen=True)
class Shown:
    """A file as it is shown: a picture, a `table`, or a `text`. `limit` says what of it; empty if that is all."""

    preview: Preview
    total: int
    table: Table | None = None
    text: str | None = None
    limit: str = ""


def shown_previews(starts: Sequence[FileStart], mask: Callable[[str], str]) -> list[Shown]:
    """The files as they are shown, without those that are no text."""
    return [shown for start in starts if (shown := _shown(start, mask))]


def _shown(start: FileStart, mask: Callable[[str], str]) -> Shown | None:
    preview, is_cut = start.preview, start.total > len(start.content)
    if not preview.is_read:
        return Shown(preview, start.total)
    text = _decoded(start.content, is_cut=is_cut)
    if not text or not text.strip():
        return None
    if preview.kind is Kind.TABLE and (found := _table(text, preview.path, mask, is_cut=is_cut)):
        table, limit = found
        return Shown(preview, start.total, table=table, limit=limit)
    lines, is_whole = _lines(text, mask, is_json=preview.kind is Kind.JSON, is_cut=is_cut)
    return Shown(preview, start.total, text=lines, limit="" if is_whole else "the beginning") if lines else None


def _decoded(content: bytes, *, is_cut: bool) -> str | None:
    """The text, without a byte order mark and the part of a character at its end; None if it is no text in UTF-8."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=not is_cut)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _table(text: str, path: str, mask: Callable[[str], str], *, is_cut: bool) -> tuple[Table, str] | None:
    """The first rows and columns, and how many these are. The first row is the head.

    The delimiter is the one of comma, semicolon and tab that stands most often in the first row, outside of quotes.
    """
    text = mask(text)
    first_row = _QUOTED.sub("", text).lstrip("\r\n").partition("\n")[0]
    delimiter = "\t" if path.lower().endswith(".tsv") else max(_DELIMITERS, key=first_row.count)
    try:
        rows = list(islice(_rows(text, delimiter), MAX_ROWS + 2))
    except csv.Error:
        return None
    is_whole = len(rows) <= MAX_ROWS + 1 and not is_cut
    if is_cut and len(rows) <= MAX_ROWS + 1:
        rows = rows[:-1]  # of the last row the end is missing, and with it perhaps that of a secret
    if not rows:
        return None
    rows = rows[: MAX_ROWS + 1]
    width = max(map(len, rows))
    cells = [tuple(shortened(mask(cell), MAX_CELL) for cell in _as_wide(row, min(width, MAX_COLUMNS))) for row in rows]
    columns = list(zip(*cells[1:], strict=True)) or [()] * len(cells[0])
    table = Table(cells[0], tuple(cells[1:]), tuple(map(_are_numbers, columns)))
    return table, _limit(len(rows), width, is_whole=is_whole)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)


def _as_wide(row: Sequence[str], width: int) -> Sequence[str]:
    return [*row[:width], *[""] * (width - len(row))]


def _are_numbers(column: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in column if cell.strip()]
    return bool(filled) and all(map(_NUMBER.fullmatch, filled))


def _limit(rows: int, width: int, *, is_whole: bool) -> str:
    columns = f"{MAX_COLUMNS} of {count(width, 'column')}" if width > MAX_COLUMNS else ""
    first = "" if is_whole else f"the first {count(rows - 1, 'row')}" if rows > 1 else "the head"
    return ", ".join(filter(None, (first, columns)))


def _lines(text: str, mask: Callable[[str], str], *, is_json: bool, is_cut: bool) -> tuple[str, bool]:
    """The first lines, and whether these are the whole text."""
    text = without_terminal_sequences(text.replace("\r\n", "\n").replace("\r", "\n"))
    if is_cut:
        # what is cut at its end may be a secret: half of one could not be recognised
        text = text.rpartition("\n")[0] or text[: len(text) // 2]
    text = mask(text).strip("\n")
    if is_json and max(map(len, text.split("\n"))) > LONG_LINE:
        text = _indented(text)
    lines = text.split("\n")
    shown = "\n".join(shortened(line, MAX_LINE) for line in lines[:MAX_LINES])[:MAX_CHARACTERS]
    return shown, not is_cut and shown == text


def _indented(text: str) -> str:
    """JSON in long lines, with a line for each value; the beginning of JSON too, and every value as it is written."""
    parts: list[str] = []
    depth = lines = 0
    for part in _JSON_TOKEN.findall(text):
        depth += {"}": -1, "]": -1}.get(part, 0)
        if part in ("}", "]"):
            parts.append(_new_line(depth))
        parts.append(": " if part == ":" else part)
        depth += {"{": 1, "[": 1}.get(part, 0)
        if part in ("{", "[", ","):
            parts.append(_new_line(depth))
            lines += 1
        if lines > MAX_LINES:
            break
    return "".join(parts)


def _new_line(depth: int) -> str:
    return "\n" + "  " * max(0, min(depth, DEEPEST))
