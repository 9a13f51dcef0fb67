"""Tasks that need no node → what is recorded of them: left out, without items, wrong in this round, or evaluated.

What is evaluated does what Kestra's tasks of these types do: `io.kestra.plugin.core.{log.Log, debug.Return,
output.OutputValues, execution.Fail, execution.Assert}`, the methods `run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared.documents.items import Item
from shared.documents.names import Paths
from shared.documents.states import FailureCategory, FailureCode, SkippedBy, State
from shared.documents.task_result import Failure, ItemsSummary, Logs, Outputs, TaskRecord
from shared.errors import Problem
from shared.manifest.app_tasks import AppTask, Assert, Fail, Level, Log, OutputValues, Return
from shared.manifest.problems import each_once
from shared.manifest.task import Task
from shared.plan._conditions import is_true
from shared.plan._rendering import Rendering, with_texts
from shared.plan.round_plan import NothingToRun

MAX_PROBLEMS_OF_A_TASK = 5


def left_out(name: str, why: SkippedBy = SkippedBy.CONDITION) -> TaskRecord:
    """The record of a task that is not to run."""
    return TaskRecord(id=name, state=State.SKIPPED, skipped=why)


def kept_from_running(name: str) -> TaskRecord:
    """The record of a task that does not run because something before it did not end well."""
    return TaskRecord(id=name, state=State.SKIPPED)


def without_items(name: str, warning: str | None) -> TaskRecord:
    """The record of a fan-out without items; `warning` says why it has none, if that may be a mistake."""
    warnings = (warning,) if warning else ()
    return TaskRecord(id=name, state=State.SUCCESS, warnings=warnings, items=ItemsSummary(count=0, states={}))


def wrong(task: Task | AppTask, problems: Sequence[Problem]) -> NothingToRun:
    """A task whose expressions turn out wrong once it is its turn: it has failed."""
    shown = [str(problem) for problem in problems[:MAX_PROBLEMS_OF_A_TASK]]
    more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
    return _failed(task, FailureCode.INVALID_EXPRESSION, "; ".join([*shown, *more]))


def _failed(task: Task | AppTask, code: FailureCode, message: str, log: Sequence[str] = ()) -> NothingToRun:
    failure = Failure(category=FailureCategory.USER, code=code, message=message)
    allowed = State.SUCCESS if task.allow_warning else State.WARNING
    state = allowed if task.allow_failure else State.FAILED
    return _ended(TaskRecord(id=task.id, state=state, failure=failure), log)


def _ended(record: TaskRecord, log: Sequence[str]) -> NothingToRun:
    logs = Logs(stdout=f"logs/{record.id}/stdout.txt") if log else Logs()
    return NothingToRun(record.model_copy(update={"logs": logs}), log=tuple(log))


def evaluated(task: AppTask, rendering: Rendering) -> NothingToRun:
    """What becomes of a task that the app evaluates. Its `rendering` has the problems of its expressions."""
    match task:
        case Log():
            return _ended(TaskRecord(id=task.id, state=State.SUCCESS), list(_messages(task, rendering)))
        case Return():
            text = rendering.text(("format",), task.format) if task.format is not None else None
            return _with_outputs(task, {"value": text})
        case OutputValues():
            return _with_outputs(task, {"values": with_texts(rendering.text, ("values",), task.values)})
        case Fail():
            return _fail(task, rendering)
        case Assert():
            return _assert(task, rendering)
    raise AssertionError(type(task).__name__)


def evaluated_for(task: AppTask, item: Item, rendering: Rendering, of_all: Rendering) -> NothingToRun | None:
    """What becomes of a task that the app evaluates for an item of its loop; None if something must be read first.

    What is wrong with its expressions is the failure of the item; `of_all` has those that are the same for all items.
    """
    found, problems = evaluated(task, rendering), each_once([*of_all.problems, *rendering.problems])
    if problems:
        found = wrong(task, problems)
    elif not rendering.is_complete:
        return None
    logs = Logs(stdout=f"logs/{Paths('', task.id, item.index).results}stdout.txt") if found.log else Logs()
    return replace(found, record=found.record.model_copy(update={"logs": logs}), item=item)


def _with_outputs(task: AppTask, values: dict[str, Any]) -> NothingToRun:
    return NothingToRun(TaskRecord(id=task.id, state=State.SUCCESS, outputs=Outputs(vars=values)))


def _messages(task: Log, rendering: Rendering) -> Iterator[str]:
    if isinstance(task.message, str):
        yield f"{task.level} {rendering.text(('message',), task.message)}"
    else:
        yield from (f"{task.level} {text}" for text in rendering.texts(("message",), task.message))


def _fail(task: Fail, rendering: Rendering) -> NothingToRun:
    message = rendering.text(("errorMessage",), task.error_message)
    if task.condition is not None and not is_true(rendering.text(("condition",), task.condition)):
        return _ended(TaskRecord(id=task.id, state=State.SUCCESS), ())
    return _failed(task, FailureCode.FAIL_TASK, message, [f"{Level.ERROR} {message}"])


def _assert(task: Assert, rendering: Rendering) -> NothingToRun:
    texts = rendering.texts(("conditions",), task.conditions)
    failed = [text for text, rendered in zip(task.conditions, texts, strict=True) if not is_true(rendered)]
    said = rendering.optional(("errorMessage",), task.error_message)
    if not failed:
        return _ended(TaskRecord(id=task.id, state=State.SUCCESS), ())
    log = [f"{Level.ERROR} Assertion `{text}` failed!" for text in failed]
    counted = f"{len(failed)} assertion{'s' if len(failed) > 1 else ''} failed"
    message = f"{counted}: {said}" if said else f"{counted}: {failed[0]}"
    return _failed(task, FailureCode.ASSERTION_FAILED, message, log)
