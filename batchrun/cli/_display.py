"""How `run` shows what happens: as a live display on a terminal, otherwise line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from batchrun.cli._task_rows import progress_lines
from batchrun.cli._text import cannot_be_shown, why_it_waits
from batchrun.client.downloads import RemoteFile
from batchrun.client.refs import RunRef
from batchrun.client.runs import RunView
from batchrun.errors import printable
from shared.documents.states import State
from shared.report.text import count, size

if TYPE_CHECKING:
    from rich.console import Console


class Display(Protocol):
    """Shows runs while it is entered with `with`."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Stop, and clear what is drawn."""

    def seen(self, run: RunRef, before: RunView | None, after: RunView) -> None:
        """Show an open run as it is now; `before` is how it was when last seen, None if it was not seen before."""

    def ended(self, run: RunRef, state: State) -> None:
        """Show that a run is complete."""

    def say(self, run: RunRef, line: str) -> None:
        """Show a message about a run."""


class PlainDisplay:
    """Prints a line for everything that happens, with the time since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Draws nothing."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Has nothing to clear."""

    def seen(self, run: RunRef, before: RunView | None, after: RunView) -> None:
        """Print what has changed."""
        if before is None:
            self.say(run, "dropped")
        for line in progress_lines(before, after) if before else ():
            self.say(run, line)
        for reason in (why_it_waits(after.status), cannot_be_shown(after)):
            if reason and not (before and reason in (why_it_waits(before.status), cannot_be_shown(before))):
                self.say(run, reason)

    def ended(self, run: RunRef, state: State) -> None:
        """Print its state."""
        self.say(run, state.value)

    def say(self, run: RunRef, line: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._started:6.1f} s  {run.id}  {printable(line)}", flush=True)


def display_on(console: Console) -> Display:
    """The display that suits where the output goes."""
    if console.is_terminal and not console.is_dumb_terminal:
        from batchrun.cli._live import LiveDisplay  # noqa: PLC0415 - loads parts of rich that only terminals need

        return LiveDisplay(console)
    return PlainDisplay()


def downloading(console: Console, files: Sequence[RemoteFile]) -> AbstractContextManager[Callable[[int], None]]:
    """Show how much of some files is downloaded; gives a function to call with the size of every chunk."""
    return transferring(console, "Downloading", count(len(files), "file"), sum(file.bytes for file in files))


@contextmanager
def transferring(console: Console, doing: str, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how much of a number of bytes has been transferred; yields a function to call with the size of a chunk."""
    if not console.is_terminal or console.is_dumb_terminal:
        print(f"{doing} {printable(what)}, {size(total)}", flush=True)
        yield lambda _bytes: None
        return
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
    )

    text = TextColumn("{task.description}", markup=False)
    with Progress(
        text, BarColumn(bar_width=24), DownloadColumn(binary_units=True), console=console, transient=True
    ) as progress:
        task = progress.add_task(f"{doing} {printable(what)}", total=total)
        yield lambda length: progress.update(task, advance=length)
