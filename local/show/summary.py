"""How a run ended, as lines of plain text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from local.printable import printable
from local.show.columns import aligned, size
from local.show.first_failure import FailedLog
from shared.documents.record import Failure, Metric, Record, RunProblem, TaskRecord

INDENT = "  "
LONGEST_VALUE = 100
MOST_ROWS = 20
REPORT = "report.html"


def summary_lines(record: Record, manifest: Path, folder: Path, failed: FailedLog | None) -> list[str]:
    """How a run ended: states, values, problems, where its files are, and the end of the log of what failed first."""
    lines = [
        f"{record.state}  {record.run_id}",
        *_section("", aligned([_task_row(task) for task in record.tasks])),
        *_section("", [_failure(record.failure)] if record.failure else []),
        *_section("", [_failed(task, task.failure) for task in record.tasks if task.failure]),
        *_section("values", aligned(list(_value_rows(record.tasks)))),
        *_section("metrics", _metrics(record.tasks)),
        *_section("warnings", [_problem(manifest, problem) for problem in record.warnings]),
        *_section("errors", [_problem(manifest, problem) for problem in record.errors]),
        *_section("results", [f"{folder}/", *_files(record.tasks)]),
        *(_section(f"the end of {failed.file}", [f"| {line}" for line in failed.lines]) if failed else []),
    ]
    return list(map(printable, lines))


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["", *([INDENT + title] if title else []), *(INDENT * (2 if title else 1) + line for line in lines)]


def _task_row(task: TaskRecord) -> tuple[str, ...]:
    exit_code = "" if task.exit_code is None else f"exit code {task.exit_code}"
    items = ", ".join(f"{count} {state}" for state, count in task.items.states.items()) if task.items else ""
    return (task.state, task.id, exit_code or items, _duration(task.started, task.ended))


def _failed(task: TaskRecord, failure: Failure) -> str:
    return f"{task.id}: {task.failed_how} ({failure.category}: {failure.code})"


def _failure(failure: Failure) -> str:
    return f"{failure.message} ({failure.category}: {failure.code})"


def _value_rows(tasks: Sequence[TaskRecord]) -> Iterator[tuple[str, ...]]:
    for task in tasks:
        for name, value in task.outputs.vars.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield (f"{task.id}.{name}", text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


def _metrics(tasks: Sequence[TaskRecord]) -> list[str]:
    rows = [(f"{task.id}.{metric.name}", *_measured(metric)) for task in tasks for metric in task.metrics]
    return aligned(rows[:MOST_ROWS]) + _more(rows)


def _measured(metric: Metric) -> tuple[str, str]:
    value = f"{metric.value:g} s" if metric.type == "timer" else f"{metric.value:,.12g}"
    return value, ", ".join(f"{name}={tag}" for name, tag in metric.tags.items())


def _files(tasks: Sequence[TaskRecord]) -> list[str]:
    report = (INDENT + REPORT, "all of this and more as a page, for a browser")
    rows = [(INDENT + file.blob, size(file.bytes)) for task in tasks for file in task.outputs.output_files.values()]
    return aligned([report, *rows[:MOST_ROWS]]) + [INDENT + line for line in _more(rows)]


def _more(rows: Sequence[object]) -> list[str]:
    return [f"… and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []


def _problem(manifest: Path, problem: RunProblem) -> str:
    place = f"{manifest}:{problem.line}:{problem.column}: " if problem.line else ""
    return place + (f"{problem.path}: " if problem.path else "") + problem.message


def _duration(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""
