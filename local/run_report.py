"""What `python -m local run` tells about a run, as lines of plain text. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from azure.batch.models import BatchTaskState

from local.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from local.dropped_run import RunView, TaskView
    from shared.record import Failure, Record, RunProblem, TaskRecord

INDENT = "  "
LONGEST_VALUE = 100
MOST_FILES = 20
NOT_TAKEN = "still lies in the inbox. Is the Functions host running?"
_BATCH_STATES = {
    BatchTaskState.ACTIVE: "waits",  # for a node, or for a task before it
    BatchTaskState.PREPARING: "is being prepared",
    BatchTaskState.RUNNING: "runs",
}


def progress_lines(before: RunView, after: RunView) -> list[str]:
    """What has happened to an open run between two looks at it."""
    lines = []
    if after.state is not None and after.state is not before.state:
        lines.append(after.state.value)
    known = {task.name: task for task in before.tasks}
    lines += [_task_progress(task) for task in after.tasks if task != known.get(task.name)]
    return lines


def _task_progress(task: TaskView) -> str:
    if task.state in _BATCH_STATES:
        return f"{task.name} {_BATCH_STATES[task.state]}"
    return f"{task.name} has ended" + ("" if task.exit_code is None else f", exit code {task.exit_code}")


def summary_lines(record: Record, manifest: Path, folder: Path, error_tails: Mapping[str, Sequence[str]]) -> list[str]:
    """How a run ended: states, values, problems, and where its files are.

    `error_tails` has the last lines of stderr of failed tasks, by their ids.
    """
    lines = [
        f"{record.state}  {record.run_id}",
        *_section("", _aligned([_task_row(task) for task in record.tasks])),
        *_section("", [_failure(record.failure)] if record.failure else []),
        *_section("", [line for task in record.tasks for line in _failed_task(task, folder, error_tails)]),
        *_section("values", _aligned(list(_value_rows(record.tasks)))),
        *_section("warnings", [_problem(manifest, problem) for problem in record.warnings]),
        *_section("errors", [_problem(manifest, problem) for problem in record.errors]),
        *_section("results", [f"{folder}/", *_output_files(record.tasks)]),
    ]
    return list(map(printable, lines))


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["", *([INDENT + title] if title else []), *(INDENT * (2 if title else 1) + line for line in lines)]


def _task_row(task: TaskRecord) -> tuple[str, ...]:
    exit_code = "" if task.exit_code is None else f"exit code {task.exit_code}"
    return (task.state, task.id, exit_code, _duration(task.started, task.ended))


def _failed_task(task: TaskRecord, folder: Path, error_tails: Mapping[str, Sequence[str]]) -> list[str]:
    if task.failure is None:
        return []
    tail = [f"{INDENT}| {line}" for line in error_tails.get(task.id, ())]
    log = [f"{INDENT}{folder / task.logs.stderr}"] if task.logs.stderr else []
    return [f"{task.id}: {_failure(task.failure)}", *tail, *log]


def _failure(failure: Failure) -> str:
    return f"{failure.message} ({failure.category}: {failure.code})"


def _value_rows(tasks: Sequence[TaskRecord]) -> Iterator[tuple[str, ...]]:
    for task in tasks:
        for name, value in task.outputs.vars.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield (f"{task.id}.{name}", text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


def _output_files(tasks: Sequence[TaskRecord]) -> list[str]:
    rows = [
        (INDENT + file.blob, f"{file.bytes} bytes") for task in tasks for file in task.outputs.output_files.values()
    ]
    more = [f"{INDENT}… and {len(rows) - MOST_FILES} more"] if len(rows) > MOST_FILES else []
    return _aligned(rows[:MOST_FILES]) + more


def _problem(manifest: Path, problem: RunProblem) -> str:
    place = f"{manifest}:{problem.line}:{problem.column}: " if problem.line else ""
    return place + (f"{problem.path}: " if problem.path else "") + problem.message


def _duration(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""


def _aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [tuple(map(printable, row)) for row in cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
