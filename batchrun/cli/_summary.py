"""How a run ended, as lines of plain text; and the end of the log of the task that failed first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from batchrun.cli._text import aligned
from batchrun.errors import printable
from shared.documents.names import FLOW_FILE
from shared.documents.record import ITEMS_BLOB, FanOutItems, Items, Record, RetryRef, RunProblem
from shared.documents.states import State
from shared.documents.task_result import Failure, Metric, TaskRecord, TaskResult
from shared.report.earlier import how_much_is_taken_over
from shared.report.text import count, money, plain, shortened, size, times

INDENT = "  "
LONGEST_VALUE = 100
MOST_ROWS = 20
REPORT = "report.html"
TAIL_LINES = 10


@dataclass(frozen=True)
class FailedLog:
    """The last lines that a task, or an item of a fan-out, has printed; `file` has all of them."""

    task: str
    file: Path | str
    lines: tuple[str, ...]


def summary_lines(record: Record, manifest: Path | str, folder: Path | str, failed: FailedLog | None) -> list[str]:
    """How a run ended: states, values, problems, where its files are, and the end of the log of the first failure."""
    lines = [
        f"{record.state}  {record.run_id}",
        *_section("", [_retry(record, record.retry_of)] if record.retry_of else []),
        *_section("", aligned([_task_row(task) for task in record.tasks])),
        *_section("", [_failure(record.failure)] if record.failure else []),
        *_section("", [_failed(task, task.failure) for task in record.tasks if task.failure]),
        *_section("", [f"cost {money(record.cost)}, estimated"] if record.cost else []),
        *_section("outputs", aligned([(name, _shown(value)) for name, value in record.outputs.items()])),
        *_section("values", aligned(list(_value_rows(record.tasks)))),
        *_section("metrics", _metrics(record.tasks)),
        *_section("warnings", _each_once(_problem(manifest, folder, problem) for problem in record.warnings)),
        *_section("errors", [_problem(manifest, folder, problem) for problem in record.errors]),
        *_section("results", [f"{folder}/", *_files(record.tasks)]),
        *(_section(f"the end of {failed.file}", [f"| {line}" for line in failed.lines]) if failed else []),
    ]
    return list(map(printable, lines))


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["", *([INDENT + title] if title else []), *(INDENT * (2 if title else 1) + line for line in lines)]


def _retry(record: Record, earlier: RetryRef) -> str:
    taken = how_much_is_taken_over(record)
    return f"retry of {earlier.results}" + (f": {taken} taken over" if taken else "")


def _task_row(task: TaskRecord) -> tuple[str, ...]:
    if task.taken_from:
        return (task.state, task.id, f"taken over from {task.taken_from}", "")
    if task.skipped:
        return (task.state, task.id, task.why_skipped, "")
    exit_code = "" if task.exit_code is None else f"exit code {task.exit_code}"
    items = ", ".join(f"{count} {state}" for state, count in task.items.states.items()) if task.items else ""
    taken = f", {task.items.taken_over:,} taken over" if task.items and task.items.taken_over else ""
    return (task.state, task.id, (exit_code or items) + taken + _again(task), _duration(task.started, task.ended))


def _again(task: TaskRecord) -> str:
    if not task.retries:
        return ""
    if task.items:
        return f", {task.retries:,} {'retry' if task.retries == 1 else 'retries'}"
    return f", {count(task.retries + 1, 'attempt')}"


def _failed(task: TaskRecord, failure: Failure) -> str:
    return f"{task.id}: {task.failed_how} ({failure.category}: {failure.code})"


def _failure(failure: Failure) -> str:
    return f"{failure.message} ({failure.category}: {failure.code})"


def _value_rows(tasks: Sequence[TaskRecord]) -> Iterator[tuple[str, ...]]:
    for task in tasks:
        for name, value in task.outputs.vars.items():
            yield f"{task.id}.{name}", _shown(value)


def _shown(value: object) -> str:
    """A value in a row."""
    return shortened(plain(value), LONGEST_VALUE)


def _metrics(tasks: Sequence[TaskRecord]) -> list[str]:
    rows = [(f"{task.id}.{metric.name}", *_measured(metric)) for task in tasks for metric in task.metrics]
    return aligned(rows[:MOST_ROWS]) + _more(rows)


def _measured(metric: Metric) -> tuple[str, str]:
    value = f"{metric.value:g} s" if metric.type == "timer" else f"{metric.value:,.12g}"
    return value, ", ".join(f"{name}={tag}" for name, tag in metric.tags.items())


def _files(tasks: Sequence[TaskRecord]) -> list[str]:
    report = (INDENT + REPORT, "all of this and more, as a page for a browser")
    rows = [(INDENT + file.blob, size(file.bytes)) for task in tasks for file in task.outputs.output_files.values()]
    return aligned([report, *rows[:MOST_ROWS]]) + [INDENT + line for line in _more(rows)]


def _more(rows: Sequence[object]) -> list[str]:
    return [f"… and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []


def _problem(manifest: Path | str, folder: Path | str, problem: RunProblem) -> str:
    file = f"{folder}/{FLOW_FILE}" if problem.file == FLOW_FILE else problem.file or manifest
    place = f"{file}:{problem.line}:{problem.column}: " if problem.line else ""
    return place + (f"{problem.path}: " if problem.path else "") + problem.message


def _each_once(lines: Iterable[str]) -> list[str]:
    """A warning that each round has of its own is told once."""
    return [line + times(amount) for line, amount in Counter(lines).items()]


def _duration(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if start and end else ""


def first_failure(record: Record, folder: Path) -> FailedLog | None:
    """The end of the log of the task that failed first, from the downloaded results.

    It is stderr, or stdout if stderr is empty; None if both are empty.
    """
    apart = folder / ITEMS_BLOB
    items = Items.model_validate_json(apart.read_bytes()).tasks if apart.is_file() else ()
    for name, result in failed_results(record, items):
        for log in (result.logs.stderr, result.logs.stdout):
            if log and (lines := _last_lines(folder / log)):
                return FailedLog(name, folder / log, lines)
    return None


def failed_results(record: Record, items: Sequence[FanOutItems]) -> list[tuple[str, TaskResult]]:
    """The tasks and items that failed, with their names: what failed first comes first.

    `items` are those that stand beside the record.
    """
    failed = [(name, result) for name, result in _results(record, items) if result.state is State.FAILED]
    return sorted(failed, key=lambda each: (each[1].ended is None, each[1].ended or record.timings.dropped))


def _results(record: Record, items: Sequence[FanOutItems]) -> Iterator[tuple[str, TaskResult]]:
    for task in record.tasks:
        if task.items is None:
            yield task.id, task
        for item in (task.items.records or ()) if task.items else ():
            yield f"{task.id}[{item.index}]", item
    for fan_out in items:
        for item in fan_out.items:
            yield f"{fan_out.id}[{item.index}]", item


def _last_lines(log: Path) -> tuple[str, ...]:
    with log.open(errors="replace") as lines:
        return tuple(line.rstrip("\r\n") for line in deque(lines, TAIL_LINES))
