"""The lines of the manifest, and of the flow that it names; a line with a problem is marked from its column on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.documents.names import FLOW_FILE, MANIFEST_FILE
from shared.documents.record import Record, RunProblem

MAX_LINES = 300
LINES_AROUND = 3
MAX_LINE_LENGTH = 400


@dataclass(frozen=True)
class KeptText:
    """The manifest or the flow of a run as it is kept, without credentials.

    `text` is None where the blob is too large or not UTF-8. `dropped_lines` is the number of lines before the
    credentials were removed.
    """

    text: str | None = None
    dropped_lines: int = 0

    def masked(self, mask: Callable[[str], str]) -> KeptText:
        """The same with secrets masked."""
        return self if self.text is None else replace(self, text=mask(self.text))


@dataclass(frozen=True)
class Line:
    """A line of a text, or a gap of `skipped` lines that are not shown. `wrong` is the marked end of the line."""

    number: int
    text: str = ""
    wrong: str = ""
    problems: tuple[RunProblem, ...] = ()
    skipped: int = 0


@dataclass(frozen=True)
class Listing:
    """A text on the page: that of the blob `file` in the run's folder, or no `lines` if it cannot be shown.

    Without `has_dropped_lines`, its lines are not those of the text that was dropped.
    """

    file: str
    note: str
    lines: tuple[Line, ...] | None = None
    has_dropped_lines: bool = True

    @property
    def key(self) -> str:
        """`manifest` or `flow`."""
        return self.file.partition(".")[0]

    def anchor(self, number: int) -> str:
        """The anchor of a line."""
        return f"line-{number}" if self.file == MANIFEST_FILE else f"{self.key}-line-{number}"

    def places(self) -> Iterator[tuple[tuple[str, int], str]]:
        """The places of problems to which a link can lead, as file and line, with the anchors there."""
        for line in (self.lines or ()) if self.has_dropped_lines else ():
            if not line.skipped:
                yield (self.file, line.number), self.anchor(line.number)


def listings(record: Record, manifest: KeptText, flow: KeptText | None) -> list[Listing]:
    """The manifest; and the flow, if it has a text of its own. Every error stands in the text in which it is."""
    found = [_listing(MANIFEST_FILE, record.manifest.name, manifest, record)]
    if flow and record.flow.source:
        found.append(_listing(FLOW_FILE, record.flow.source.name, flow, record))
    return found


def _listing(file: str, note: str, kept: KeptText, record: Record) -> Listing:
    if kept.text is None:
        return Listing(file, note)
    has_dropped_lines = len(kept.text.splitlines()) == kept.dropped_lines
    problems = [error for error in record.errors if (error.file or MANIFEST_FILE) == file] if has_dropped_lines else []
    return Listing(file, note, tuple(listing(kept.text, problems)), has_dropped_lines)


def listing(text: str, problems: Sequence[RunProblem]) -> list[Line]:
    """The first lines, and the lines around every problem whose line is known."""
    lines = text.splitlines()
    by_line: dict[int, list[RunProblem]] = {}
    for problem in problems:
        if problem.line and problem.line <= len(lines):
            by_line.setdefault(problem.line, []).append(problem)
    return list(_with_gaps(lines, by_line))


def _with_gaps(lines: Sequence[str], by_line: Mapping[int, Sequence[RunProblem]]) -> Iterator[Line]:
    shown = set(range(1, min(MAX_LINES, len(lines)) + 1))
    for number in by_line:
        shown.update(range(max(1, number - LINES_AROUND), min(len(lines), number + LINES_AROUND) + 1))
    before = 0
    for number in sorted(shown):
        if number > before + 1:
            yield Line(before + 1, skipped=number - before - 1)
        yield _line(number, lines[number - 1], by_line.get(number, ()))
        before = number
    if before < len(lines):
        yield Line(before + 1, skipped=len(lines) - before)


def _line(number: int, text: str, problems: Sequence[RunProblem]) -> Line:
    columns = [problem.column for problem in problems if problem.column]
    if len(text) > MAX_LINE_LENGTH:
        text = text[:MAX_LINE_LENGTH] + "…"
    start = min(columns) - 1 if columns else 0
    if not problems or not text[start:].strip():
        return Line(number, text, problems=tuple(problems))
    return Line(number, text[:start], text[start:], tuple(problems))
