"""The lines of the manifest; a line with a problem is marked from the problem's column to its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.record import RunProblem

MAX_LINES = 300
LINES_AROUND = 3
MAX_LINE_LENGTH = 400


@dataclass(frozen=True)
class Line:
    """A line of the manifest, or a gap of `skipped` lines that are not shown. `wrong` is the marked end of the line."""

    number: int
    text: str = ""
    wrong: str = ""
    problems: tuple[RunProblem, ...] = ()
    skipped: int = 0


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
