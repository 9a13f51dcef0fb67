"""The end of the log of the task that failed first, from the downloaded results of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.documents.record import ITEMS_BLOB, Items, Record, TaskResult
from shared.documents.states import State

TAIL_LINES = 10


@dataclass(frozen=True)
class FailedLog:
    """What a task, or an item of a fan-out, wrote last; `file` has all of it."""

    task: str
    file: Path
    lines: tuple[str, ...]


def first_failure(record: Record, folder: Path) -> FailedLog | None:
    """The end of stderr of the task that failed first, or of its stdout if stderr is empty; None if neither has any."""
    failed = [(name, result) for name, result in _results(record, folder) if result.state is State.FAILED]
    failed.sort(key=lambda each: (each[1].ended is None, each[1].ended or record.timings.dropped))
    for name, result in failed:
        for log in (result.logs.stderr, result.logs.stdout):
            if log and (lines := _last_lines(folder / log)):
                return FailedLog(name, folder / log, lines)
    return None


def _results(record: Record, folder: Path) -> Iterator[tuple[str, TaskResult]]:
    for task in record.tasks:
        if task.items is None:
            yield task.id, task
        for item in (task.items.records or ()) if task.items else ():
            yield f"{task.id}[{item.index}]", item
    apart = folder / ITEMS_BLOB
    if apart.is_file():
        for fan_out in Items.model_validate_json(apart.read_bytes()).tasks:
            for item in fan_out.items:
                yield f"{fan_out.id}[{item.index}]", item


def _last_lines(log: Path) -> tuple[str, ...]:
    with log.open(errors="replace") as lines:
        return tuple(line.rstrip("\r\n") for line in deque(lines, TAIL_LINES))
