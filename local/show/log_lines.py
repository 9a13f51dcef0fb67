"""Prints what tasks print, line by line: who printed it stands in front."""

from __future__ import annotations

import codecs

from rich.console import Console
from rich.text import Text

from local.printable import printable

MARKS = {"stdout.txt": "out", "stderr.txt": "err"}
STYLES = {"stdout.txt": "dim", "stderr.txt": "red"}
SPACES_PER_TAB = 8


class LogLines:
    """Puts pieces of streams together again; a line is printed once all of it is there."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._decoders: dict[tuple[str, str], codecs.IncrementalDecoder] = {}
        self._rests: dict[tuple[str, str], str] = {}

    def add(self, task: str, stream: str, piece: bytes) -> None:
        """The next piece of a stream of a task; what is not UTF-8 is replaced."""
        key = (task, stream)
        decoder = self._decoders.setdefault(key, codecs.getincrementaldecoder("utf-8")(errors="replace"))
        *lines, rest = (self._rests.get(key, "") + decoder.decode(piece)).split("\n")
        for line in lines:
            self._print(task, stream, line)
        self._rests[key] = rest

    def finish(self) -> None:
        """Print the last lines of streams that do not end with a line's end."""
        for (task, stream), rest in self._rests.items():
            if rest:
                self._print(task, stream, rest)
        self._rests.clear()

    def _print(self, task: str, stream: str, line: str) -> None:
        mark = (f"{task} {MARKS[stream]} | ", STYLES[stream])
        text = printable(line.rstrip("\r").expandtabs(SPACES_PER_TAB))
        self._console.print(Text.assemble(mark, text), soft_wrap=True)
