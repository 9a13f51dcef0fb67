"""What the script noted of a task's attempts (`attempts.txt`) → how each ended, and where the log of the last begins.

The notes come from the node, so they are not trusted; what is not understood is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.documents.names import LOG_NAMES
from shared.documents.task_result import Attempt
from shared.script.build import attempt_line

MAX_ATTEMPTS = 100
MAX_NOTES_BYTES = 32 * 1024
"""More than two lines for each of MAX_ATTEMPTS attempts."""
_TIME = r"(\d{1,10}|-)"
_BYTES = r"(\d{1,15}|-)"
_BEGINS = re.compile(rf"(\d{{1,9}}) begins {_TIME} {_BYTES} {_BYTES}")
_ENDS = re.compile(rf"(\d{{1,9}}) ends {_TIME} (\d{{1,3}})")


@dataclass(frozen=True)
class LogPart:
    """The part of a log that is read: from `offset` on, and there only what comes after the line `after`, if any."""

    offset: int = 0
    after: str | None = None


WHOLE_LOG = LogPart()


@dataclass(frozen=True)
class Tried:
    """The last MAX_ATTEMPTS attempts of a task, and how many there were; `offsets` are those of the last one by log."""

    attempts: tuple[Attempt, ...] = ()
    count: int = 1
    offsets: Mapping[str, int] = field(default_factory=dict)

    def part(self, log: str) -> LogPart:
        """The part of a log that the last attempt printed.

        Its offset may be too small: a node may write what a container prints with a delay. Its first line is certain.
        """
        if self.count == 1:
            return WHOLE_LOG
        return LogPart(self.offsets.get(log, 0), attempt_line(self.count))


ONCE = Tried()
"""Of a task that notes nothing: it has no `retry`, or its script never came to its commands."""


def read_notes(notes: bytes) -> Tried:
    """What the end of `attempts.txt` says."""
    found: dict[int, Attempt] = {}
    offsets: dict[str, int] = {}
    for line in notes.decode("ascii", errors="replace").splitlines():
        if begins := _BEGINS.fullmatch(line):
            found[int(begins[1])] = Attempt(started=_time(begins[2]))
            offsets = {
                name: int(text) for name, text in zip(LOG_NAMES, begins.groups()[2:], strict=True) if text != "-"
            }
        elif (ends := _ENDS.fullmatch(line)) and (attempt := found.get(int(ends[1]))):
            ended = {"exit_code": int(ends[3]), "ended": _time(ends[2])}
            found[int(ends[1])] = attempt.model_copy(update=ended)
    numbers = sorted(found)[-MAX_ATTEMPTS:]
    if not numbers:
        return ONCE
    return Tried(tuple(found[number] for number in numbers), numbers[-1], offsets)


def _time(text: str) -> datetime | None:
    return None if text == "-" else datetime.fromtimestamp(int(text), UTC)


def after_line(line: str | None, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What comes after the first line that is `line`; everything if that is None."""
    if line is None:
        yield from chunks
        return
    wanted, seen = f"\n{line}\n".encode(), b"\n"
    rest = iter(chunks)
    for chunk in rest:
        seen += chunk
        place = seen.find(wanted)
        if place >= 0:
            yield seen[place + len(wanted) :]
            yield from rest
            return
        seen = seen[-len(wanted) :]
