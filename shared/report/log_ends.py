"""Which logs a report shows the end of, and that end as text.

Each log costs one or two requests, and all are read at the same time, so only a few are shown: first the logs of tasks
that did not end well, then those of the first other tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskResult
from shared.report._tasks import worth_a_look
from shared.report.text import without_terminal_sequences

MAX_LOGS = 12
FAILED_ITEMS = 3
MAX_LINES = 40
SHORT_LINES = 10
MAX_CHARACTERS = 4096
READ_BYTES = 16 * 1024
"""More than is shown: colour sequences take space, and a secret that is cut in two would not be recognised."""


@dataclass(frozen=True)
class LogRef:
    """A log blob below the run's folder; `owner` is the task or item that wrote it."""

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
    """The end of a log as it is shown; `is_whole` if this is the whole log."""

    log: LogRef
    total: int
    text: str
    is_whole: bool

    @property
    def is_of_failure(self) -> bool:
        """Whether the log may say why a task failed."""
        return self.log.state in (State.FAILED, State.KILLED)

    @property
    def is_short(self) -> bool:
        """Whether the log has so few lines that it can be shown opened."""
        return self.text.count("\n") < SHORT_LINES


def logs_to_show(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> list[LogRef]:
    """The logs that the report shows, at most twelve: first those of tasks and items that did not end well.

    Those of what is taken over from an earlier run come last.
    """
    owners: list[tuple[str, TaskResult]] = []
    for task in record.tasks:
        if task.items is None:
            owners.append((task.id, task))
        else:
            chosen = worth_a_look(items.get(task.id, ()), FAILED_ITEMS, 1)[:FAILED_ITEMS]
            owners += [(f"{task.id}[{item.index}]", item) for item in chosen]
    owners.sort(key=lambda owner: (owner[1].taken_from is not None, _URGENCY.get(owner[1].state, len(_URGENCY))))
    return [log for name, result in owners for log in _logs_of(name, result)][:MAX_LOGS]


_URGENCY = {State.FAILED: 0, State.KILLED: 1, State.WARNING: 2}


def _logs_of(owner: str, result: TaskResult) -> Iterator[LogRef]:
    streams = {"stderr": result.logs.stderr, "stdout": result.logs.stdout}
    return (LogRef(owner, result.state, stream, blob) for stream, blob in streams.items() if blob)


def log_text(end: LogEnd, mask: Callable[[str], str]) -> LogText:
    """The last lines of a log as they are shown: at most 40, with at most 4,096 characters."""
    is_whole = end.total <= len(end.content)
    text = without_terminal_sequences(end.content.decode("utf-8", errors="replace"))
    if not is_whole and "\n" in text:
        text = text.partition("\n")[2]  # the first line has lost its beginning
    text = mask(text).rstrip("\n")
    lines = text.split("\n")
    last = "\n".join(lines[-MAX_LINES:])[-MAX_CHARACTERS:]
    return LogText(end.log, end.total, last, is_whole=is_whole and len(last) == len(text))
