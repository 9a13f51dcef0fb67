"""The list of runs, as `ls` prints it."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from local.list_runs import RunList, RunRow
from local.printable import printable
from local.show.columns import age, aligned
from local.show.states import STYLES

HEAD = ("STATE", "RUN", "AGE", "TASKS", "NOTE")


def print_runs(found: RunList, how_to_run: str) -> None:
    """Print it; on a terminal that is too narrow a run has several lines, and nothing is cut off."""
    if not found.rows:
        print(f"Nothing has been run here yet. Run a manifest with: {how_to_run}")
        return
    console = Console(highlight=False)
    now = datetime.now(UTC)
    cells = [_cells(row, now) for row in found.rows]
    head, *lines = aligned([HEAD, *cells])
    if console.is_terminal and len(head) > console.width:
        lines = [_stacked(*row) for row in cells]
    else:
        console.print(Text(head, "dim"), soft_wrap=True)
    for row, line in zip(found.rows, lines, strict=True):
        text = Text(line)
        if row.state:
            text.stylize(STYLES[row.state], 0, len(row.state))
        console.print(text, soft_wrap=True)
    for count, kind in ((found.more_open, "open"), (found.more_complete, "complete")):
        if count:
            print(f"… and {count} more {kind}")


def _stacked(state: str, run: str, time: str, tasks: str, note: str) -> str:
    """A run for narrow terminals."""
    more = ", ".join(filter(None, [f"{time} ago", f"{tasks} tasks" if tasks else "", printable(note)]))
    return f"{state}  {run}\n  {more}"


def _cells(row: RunRow, now: datetime) -> tuple[str, ...]:
    return (row.state or "-", row.id, age(now - row.dropped), row.tasks, row.note)
