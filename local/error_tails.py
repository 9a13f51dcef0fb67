"""What failed tasks wrote last on stderr, from the downloaded results of their run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.record import Record

TAIL_LINES = 10


def error_tails(record: Record, folder: Path) -> Mapping[str, Sequence[str]]:
    """The last lines of stderr of each failed task that wrote any, by the task's id."""
    tails = {
        task.id: _last_lines(folder / task.logs.stderr) for task in record.tasks if task.failure and task.logs.stderr
    }
    return {task: lines for task, lines in tails.items() if lines}


def _last_lines(log: Path) -> list[str]:
    with log.open(errors="replace") as lines:
        return [line.rstrip("\r\n") for line in deque(lines, TAIL_LINES)]
