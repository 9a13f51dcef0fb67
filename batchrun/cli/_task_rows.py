"""An open run as rows, one for each task of its manifest; the items of a fan-out are counted in one row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from azure.batch.models import BatchTaskState

from batchrun.client.runs import RunView
from batchrun.client.tasks import TaskView
from shared.documents.states import State
from shared.documents.task_result import TaskRecord

_WORDS = {
    BatchTaskState.ACTIVE: "waits",  # for a node, or for a task before it
    BatchTaskState.PREPARING: "is being prepared",
    BatchTaskState.RUNNING: "runs",
}
TENTHS = 10


@dataclass(frozen=True)
class TaskRow:
    """A task of the manifest.

    `total` is how many Batch tasks it has: none until its round is submitted, and one if it ended without any.
    `restarts` is how often Batch has begun one of them anew. A retry may have taken it over from an earlier run, or so
    many of its items.
    """

    name: str
    total: int = 0
    ended: int = 0
    failed: int = 0
    is_fan_out: bool = False
    words: str = "waits"
    started: datetime | None = None
    stopped: datetime | None = None
    restarts: int = 0
    is_taken_over: bool = False
    taken_over_items: int = 0

    @property
    def is_active(self) -> bool:
        """Whether it has started and has not ended."""
        return self.started is not None and self.stopped is None

    @property
    def tenths(self) -> int:
        """How many tenths of it have ended."""
        return self.ended * TENTHS // self.total if self.total else 0


@dataclass(frozen=True)
class TaskCounts:
    """How many tasks a run has, how many have ended, and how many of these have failed."""

    total: int
    ended: int
    failed: int


def task_rows(view: RunView) -> list[TaskRow]:
    """The rows of a run, in the order of its manifest; none if its tasks cannot be seen."""
    if view.hidden:
        return []
    tasks: dict[str, list[TaskView]] = {name: [] for name in view.names}
    for task in view.tasks:
        tasks.setdefault(task.fan_out, []).append(task)
    return [_row_of(view, name, each) for name, each in tasks.items()]


def task_counts(view: RunView) -> TaskCounts:
    """How many tasks a run has; those of later rounds are known only as tasks of the manifest, without their items.

    What is taken over is no task of this run.
    """
    rows = [row for row in task_rows(view) if not row.is_taken_over]
    return TaskCounts(
        total=sum(max(1, row.total) for row in rows),
        ended=sum(row.ended for row in rows),
        failed=sum(row.failed for row in rows),
    )


def _row_of(view: RunView, name: str, tasks: list[TaskView]) -> TaskRow:
    if name in view.taken_over:
        return TaskRow(name, words="taken over", is_taken_over=True)
    if not tasks and (record := view.finished.get(name)):
        return _without_node(record)
    return _row(name, tasks, view.item_counts.get(name, 0))


def _without_node(record: TaskRecord) -> TaskRow:
    """What the app evaluated, or what did not run."""
    failed = record.state is State.FAILED
    words = record.why_skipped or (record.failed_how if failed else "has ended")
    return TaskRow(record.id, total=1, ended=1, failed=int(failed), words=words)


def _row(name: str, tasks: list[TaskView], item_count: int) -> TaskRow:
    ended = [task for task in tasks if task.has_ended]
    is_over = bool(tasks) and len(ended) == len(tasks)
    is_fan_out = any(task.name != name for task in tasks)
    taken_over = max(0, item_count - len(tasks)) if is_fan_out else 0
    return TaskRow(
        name=name,
        total=len(tasks),
        ended=len(ended),
        failed=sum(task.failed for task in tasks),
        is_fan_out=is_fan_out,
        words=_words_of_items(tasks, ended, taken_over) if is_fan_out else _words(tasks),
        started=min((task.started for task in tasks if task.started), default=None),
        stopped=max((task.ended for task in ended if task.ended), default=None) if is_over else None,
        restarts=sum(task.restarts for task in tasks),
        taken_over_items=taken_over,
    )


def _words(tasks: list[TaskView]) -> str:
    if not tasks:
        return "waits"
    [task] = tasks
    if not task.has_ended:
        return _WORDS[task.state]
    if task.exit_code is None:
        return "could not be run" if task.failed else "has ended"
    return f"has ended, exit code {task.exit_code}"


def _words_of_items(tasks: list[TaskView], ended: list[TaskView], taken_over: int) -> str:
    failed = sum(task.failed for task in ended)
    words = f"{len(ended)} of {len(tasks)} have ended" + (f", {failed} failed" if failed else "")
    return words + (f", {taken_over:,} more taken over" if taken_over else "")


def progress_lines(before: RunView, after: RunView) -> list[str]:
    """What has changed in an open run between two looks at it; a fan-out is reported at every tenth of its items."""
    lines = []
    if after.state is not None and after.state is not before.state:
        lines.append(after.state.value)
    known = {row.name: row for row in task_rows(before)}
    rows = [row for row in task_rows(after) if row.total or row.is_taken_over]
    news = [row for row in rows if _is_news(known.get(row.name), row)]
    return [*lines, *(f"{row.name} {row.words}" for row in news)]


def _is_news(before: TaskRow | None, after: TaskRow) -> bool:
    if after.is_taken_over:
        return before is None or not before.is_taken_over
    if before is None or not before.total:
        return True
    if not after.is_fan_out:
        return before.words != after.words
    return before.tenths != after.tenths or bool(before.failed) != bool(after.failed)
