"""How the verbs write columns, times, states, and the reasons why a run waits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from batchrun.client.ledger import DamagedLines
from batchrun.client.runs import RunView
from batchrun.errors import printable
from shared.documents.states import State, WaitReason
from shared.documents.status import Status

STYLES = {
    State.QUEUED: "yellow",
    State.RUNNING: "cyan",
    State.SUCCESS: "bold green",
    State.WARNING: "bold yellow",
    State.FAILED: "bold red",
    State.KILLED: "bold magenta",
    State.REJECTED: "bold red",
    State.SKIPPED: "dim",
}
"""The colours of states, as styles of `rich`, which leaves them out in pipes and where NO_COLOR is set."""

COLLECTING = "its tasks have ended, their results are being collected"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_REASONS = {
    WaitReason.FLOW: "waits for other runs of its flow",
    WaitReason.QUOTA: "waits for the account's quota of active jobs",
    WaitReason.BUSY: "waits: Azure Batch is busy",
    WaitReason.POOL: "waits for its pool",
}


def aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with the same number of cells as lines with aligned columns; safe for a terminal."""
    rows = [tuple(map(printable, row)) for row in cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def age(time: timedelta) -> str:
    """A time in its largest unit, such as `3 min`."""
    seconds = max(0, int(time.total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def clock(time: timedelta) -> str:
    """A time as clocks show it, such as `1:05` or `2:00:05`."""
    seconds = max(0, int(time.total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def what_it_waits_for(view: RunView) -> str:
    """Why a run waits, according to the app; or that its results are being collected; empty while its tasks run."""
    if why := why_it_waits(view.status):
        return why
    is_over = view.state is State.RUNNING and view.tasks and all(task.has_ended for task in view.tasks)
    return COLLECTING if is_over else ""


def cannot_be_shown(view: RunView) -> str:
    """Why the tasks of a run cannot be seen; empty if they can."""
    return f"its tasks cannot be shown. {view.hidden}" if view.hidden else ""


def why_it_waits(status: Status | None) -> str:
    """The reason that `status.json` gives; empty if there is none."""
    if status is None or status.waiting is None:
        return ""
    place = f", place {status.position} in the queue" if status.position else ""
    more = f": {status.message}" if status.message else ""
    return _REASONS[WaitReason(status.waiting)] + place + more


def tell_damaged(damaged: DamagedLines) -> None:
    """Say on stderr, once, how many lines of the ledger could not be read."""
    if damaged.counts:
        total, places = sum(damaged.counts.values()), ", ".join(sorted(damaged.counts))
        lines = "1 line" if total == 1 else f"{total:,} lines"
        print(f"{lines} of the ledger cannot be read and are left out, in {places}.", file=sys.stderr)
