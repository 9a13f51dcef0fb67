"""Which logs a report shows the end of, and that end as text.

Each log costs one or two requests, and all are read at the same time, so they are few: those of tasks that did not end
well, then the first others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.record import ItemRecord, Record, TaskResult
from shared.documents.states import State
from shared.report._tasks import worth_a_look
from shared.report.text import without_terminal_sequences

MAX_LOGS = 12
FAILED_ITEMS = 3
MAX_LINES = 40
SHORT_LINES = 10
MAX_CHARACTERS = 4096
READ_BYTES = 16 * 1024
"""More than is shown: colours take space, and a secret that is cut in two could not be recognised."""


@dataclass(frozen=True)
class LogRef:
    """A log blob below the run's folder, and whose it is."""

    owner: str
    state: State
    stream: str
    blob: str


@dataclass(frozen=True)
class LogEnd:
    """The last bytes of a log that were read, of `total` bytes."""

    log: LogRef
    content: bytes
    total: int


@dataclass(frozen=True)
class LogText:
    """The end of a log as it is shown; `is_whole` if nothing stands before it."""

    log: LogRef
    total: int
    text: str
    is_whole: bool

    @property
    def is_of_failure(self) -> bool:
        """Whether it may say why something failed."""
        return self.log.state in (State.FAILED, State.KILLED)

    @property
    def is_short(self) -> bool:
        """Whether it takes little space."""
        return self.text.count("\n") < SHORT_LINES


def logs_to_show(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> list[LogRef]:
    """At most twelve logs: of what did not end well first."""
    owners: list[tuple[str, TaskResult]] = []
    for task in record.tasks:
        if task.items is None:
            owners.append((task.id, task))
        else:
            chosen = worth_a_look(items.get(task.id, ()), FAILED_ITEMS, 1)[:FAILED_ITEMS]
            owners += [(f"{task.id}[{item.index}]", item) for item in chosen]
    owners.sort(key=lambda owner: _URGENCY.get(owner[1].state, len(_URGENCY)))
    return [log for name, result in owners for log in _logs_of(name, result)][:MAX_LOGS]


_URGENCY = {State.FAILED: 0, State.KILLED: 1, State.WARNING: 2}


def _logs_of(owner: str, result: TaskResult) -> Iterator[LogRef]:
    streams = {"stderr": result.logs.stderr, "stdout": result.logs.stdout}
    return (LogRef(owner, result.state, stream, blob) for stream, blob in streams.items() if blob)


def shown(end: LogEnd, mask: Callable[[str], str]) -> LogText:
    """The last lines: at most 40, and 4,096 characters."""
    is_whole = end.total <= len(end.content)
    text = without_terminal_sequences(end.content.decode("utf-8", errors="replace"))
    if not is_whole and "\n" in text:
        text = text.partition("\n")[2]  # the first line has lost its beginning
    text = mask(text).rstrip("\n")
    lines = text.split("\n")
    last = "\n".join(lines[-MAX_LINES:])[-MAX_CHARACTERS:]
    return LogText(end.log, end.total, last, is_whole=is_whole and len(last) == len(text))
