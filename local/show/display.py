"""How `run` shows what happens: alive on a terminal, otherwise line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from local.printable import printable
from local.runs.refs import RunRef
from local.runs.results import ResultFile
from local.runs.stack_runs import RunView
from local.show.columns import size
from local.show.task_rows import progress_lines
from local.show.waiting import why_it_waits
from shared.documents.states import State

if TYPE_CHECKING:
    from rich.console import Console


class Display(Protocol):
    """Shows runs inside of `with`, as they are looked at."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Leave the screen to others."""

    def seen(self, run: RunRef, before: RunView | None, after: RunView) -> None:
        """An open run is now as `after`; `before` is the last look at it, if it is not the first."""

    def ended(self, run: RunRef, state: State) -> None:
        """A run is complete."""

    def say(self, run: RunRef, line: str) -> None:
        """Something that a person should know of a run."""


class PlainDisplay:
    """A line for everything that happens, with the time since the beginning."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Nothing is drawn."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Nothing is left to be cleared."""

    def seen(self, run: RunRef, before: RunView | None, after: RunView) -> None:
        """Print what has changed."""
        if before is None:
            self.say(run, "dropped")
            return
        for line in progress_lines(before, after):
            self.say(run, line)
        why = why_it_waits(after.status)
        if why and why != why_it_waits(before.status):
            self.say(run, why)

    def ended(self, run: RunRef, state: State) -> None:
        """Print its state."""
        self.say(run, state.value)

    def say(self, run: RunRef, line: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._started:6.1f} s  {run.id}  {printable(line)}", flush=True)


def display_on(console: Console) -> Display:
    """The display that suits where the output goes."""
    if console.is_terminal and not console.is_dumb_terminal:
        from local.show.live import LiveDisplay  # noqa: PLC0415 - nothing of it is needed otherwise

        return LiveDisplay(console)
    return PlainDisplay()


@contextmanager
def downloading(console: Console, files: Sequence[ResultFile]) -> Iterator[Callable[[int], None]]:
    """Show how much of some files is downloaded; gives what is to be told of every piece."""
    total = sum(file.bytes for file in files)
    if not console.is_terminal or console.is_dumb_terminal:
        print(f"Downloading {_files(len(files))}, {size(total)}", flush=True)
        yield lambda _bytes: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 - as above

    columns = (TextColumn("Downloading {task.description}"), BarColumn(bar_width=24), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(_files(len(files)), total=total)
        yield lambda count: progress.update(task, advance=count)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
