"""The live display of `run`: the state and time of each run, and below it a bar for each of its tasks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchrun.cli._task_rows import TaskRow, task_rows
from batchrun.cli._text import STYLES, cannot_be_shown, clock, what_it_waits_for
from batchrun.client.refs import RunRef
from batchrun.client.runs import RunView
from batchrun.errors import printable
from shared.documents.states import State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FRAMES_PER_SECOND = 8
BAR_WIDTH = 24
NARROW = 72
"""Terminals with fewer columns get no bars: names and words say the same."""


@dataclass(frozen=True)
class _Shown:
    """A run on the screen: an open one has a `view`, a complete one a `state` and the `seconds` that it took."""

    ref: RunRef
    view: RunView | None = None
    note: str = ""
    state: State | None = None
    seconds: float = 0


class LiveDisplay:
    """Draws itself several times a second, and clears the screen at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._runs: dict[str, _Shown] = {}
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=FRAMES_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Clear what is drawn."""
        self._live.stop()

    def seen(self, run: RunRef, _before: RunView | None, after: RunView) -> None:
        """Draw the run like this from now on."""
        shown = self._runs.get(run.id, _Shown(run))
        self._runs[run.id] = replace(shown, view=after, note=shown.note if after.state is None else "")

    def ended(self, run: RunRef, state: State) -> None:
        """Draw only its state from now on."""
        self._runs[run.id] = _Shown(run, state=state, seconds=time.monotonic() - self._started)

    def say(self, run: RunRef, line: str) -> None:
        """Draw a note below the run, until the app accepts its manifest."""
        self._runs[run.id] = replace(self._runs.get(run.id, _Shown(run)), note=line)

    def _draw(self) -> RenderableType:
        runs = list(self._runs.values())
        is_open = [shown for shown in runs if shown.state is None]
        room = max(1, (self._console.height - 2 * len(runs) - 2) // max(1, len(is_open)))
        return Group(*(part for shown in runs for part in self._parts(shown, room)))

    def _parts(self, shown: _Shown, room: int) -> list[RenderableType]:
        elapsed = shown.seconds if shown.state else time.monotonic() - self._started
        state = shown.state or (shown.view.state if shown.view else None)
        head = Text.assemble(
            (state or "dropped", STYLES[state] if state else ""), f"  {shown.ref.id}  ", (_clock(elapsed), "dim")
        )
        if shown.view is None:
            return [head]
        notes = filter(None, (shown.note, what_it_waits_for(shown.view), cannot_be_shown(shown.view)))
        rows = task_rows(shown.view)
        return [
            head,
            *(Text(f"  {printable(note)}", "yellow") for note in notes),
            *([self._table(rows, room)] if rows else []),
        ]

    def _table(self, rows: Sequence[TaskRow], room: int) -> RenderableType:
        chosen = _most_interesting(rows, room)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, max_width=max(12, self._console.width // 3), overflow="ellipsis")
        if self._console.width >= NARROW:
            table.add_column(width=BAR_WIDTH)
        table.add_column(no_wrap=True, justify="right", style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis")
        for row in chosen:
            cells: list[RenderableType] = [Text(f"  {row.name}"), Text(_elapsed(row)), Text(row.words, _style(row))]
            if self._console.width >= NARROW:
                cells.insert(1, _bar(row))
            table.add_row(*cells)
        hidden = len(rows) - len(chosen)
        return Group(table, Text(f"  … and {hidden} more tasks", "dim")) if hidden else table


def _most_interesting(rows: Sequence[TaskRow], room: int) -> list[TaskRow]:
    """The `room` most interesting rows in their order. Running tasks come first, then failed, waiting, ended ones."""
    ranked = sorted(rows, key=lambda row: (not row.is_active, not row.failed, _is_over(row)))[:room]
    return [row for row in rows if row in ranked]


def _is_over(row: TaskRow) -> bool:
    return row.stopped is not None or row.is_taken_over


def _bar(row: TaskRow) -> RenderableType:
    if row.is_active and not row.is_fan_out:
        return ProgressBar(width=BAR_WIDTH, pulse=True)
    done = "red" if row.failed else "green"
    ended = row.ended or int(row.is_taken_over)
    return ProgressBar(
        total=max(1, row.total), completed=ended, width=BAR_WIDTH, complete_style=done, finished_style=done
    )


def _elapsed(row: TaskRow) -> str:
    return clock((row.stopped or datetime.now(UTC)) - row.started) if row.started else ""


def _clock(seconds: float) -> str:
    return clock(timedelta(seconds=seconds))


def _style(row: TaskRow) -> str:
    if row.failed:
        return "red"
    return "" if row.is_active else "dim"
