"""What expressions can know of how earlier tasks ended: `tasks.<id>.state`, `tasksWithState()` and `errorLogs()`.

The shapes are Kestra's (in https://github.com/kestra-io/kestra, core/src/main/java/io/kestra/core): those of
`computeTasksMap` in runners/RunVariables.java, of TasksWithStateFunction.java and ErrorLogsFunction.java in
runners/pebble/functions, and of models/executions/LogEntry.java. A task that never began has no state there, and a
fan-out has one for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord, TaskResult
from shared.expressions.values import UNKNOWN, LazyValue, Unknown, json_of, text_of
from shared.manifest.read import Flow
from shared.plan.lookups import Lookups

FUNCTIONS_OF_ENDED = ("tasksWithState", "errorLogs")


class TaskStates(LazyValue, Mapping[str, object]):
    """`tasks`: how the tasks ended that are `visible`. `missing_task` says why there is no other one."""

    def __init__(
        self, visible: Collection[str], run: Run, flow: Flow, lookups: Lookups, missing_task: Callable[[str], str]
    ) -> None:
        self._visible = visible
        self._run = run
        self._flow = flow
        self._lookups = lookups
        self._missing_task = missing_task

    def __getitem__(self, name: str) -> object:
        task = self._run.body.finished.get(name) if name in self._visible else None
        if task is None or not _has_begun(task):
            raise KeyError(name)
        return _StatesOfItems(task, self._items) if task.items else {"state": task.state.value}

    def __iter__(self) -> Iterator[str]:
        ended = self._run.body.finished
        return (name for name in ended if name in self._visible and _has_begun(ended[name]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def as_text(self) -> str:
        """All states, as JSON."""
        return json_of(dict(self))

    def part(self, name: object) -> object:
        """How a task ended. Raises KeyError if it has not begun, or does not run before."""
        return self[str(name)]

    def missing(self, name: str) -> str:
        """Why a task has no state here."""
        return f"{name!r} has not run" if name in self._visible else self._missing_task(name)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions about them."""
        return {"tasksWithState": self._with_state, "errorLogs": self._errors}

    def _items(self, task: TaskRecord) -> tuple[ItemRecord, ...]:
        return self._lookups.items(task.id)

    def _with_state(self, state: Any = State.FAILED.value) -> list[dict[str, str]]:  # noqa: ANN401 - values of any type
        wanted, found = text_of(state).upper(), []
        for name in self:
            task = self._run.body.finished[name]
            if task.items is None and task.state == wanted:
                found.append({"taskId": name, "state": wanted})
            elif task.items and any(each == wanted for each in task.items.states):
                values = (text_of(item.value) for item in self._items(task) if item.state == wanted)
                found += [{"taskId": name, "state": wanted, "value": value} for value in values]
        return found

    def _errors(self) -> list[dict[str, Any]]:
        """Why tasks failed, the earliest first; those whose failure is allowed, too."""
        failed: list[tuple[str, TaskResult]] = []
        for name in self:
            task = self._run.body.finished[name]
            if task.failure and task.items:
                failed += [(name, item) for item in self._items(task) if item.failure]
            elif task.failure:
                failed.append((name, task))
        failed.sort(key=lambda each: each[1].ended or self._run.body.accepted)
        return [self._log_entry(name, result) for name, result in failed]

    def _log_entry(self, name: str, result: TaskResult) -> dict[str, Any]:
        return {
            "namespace": self._flow.namespace,
            "flowId": self._flow.id,
            "taskId": name,
            "executionId": self._run.id,
            "attemptNumber": result.retries,
            "timestamp": result.ended,
            "level": "ERROR",
            "message": result.failure.message if result.failure else "",
        }


class CheckedStates(LazyValue):
    """`tasks` in a text that is only checked: there are states of the tasks that may be before it."""

    def __init__(self, is_before: Callable[[str], bool], missing_task: Callable[[str], str]) -> None:
        self._is_before = is_before
        self._missing_task = missing_task

    def as_text(self) -> str:
        """All states, which are of no interest here."""
        return ""

    def part(self, name: object) -> object:
        """The state of a task. Raises KeyError if it does not run before."""
        if isinstance(name, Unknown) or self._is_before(str(name)):
            return UNKNOWN
        raise KeyError(name)

    def missing(self, name: str) -> str:
        """Why a task has no state here."""
        return self._missing_task(name)


class _StatesOfItems(LazyValue, Mapping[str, object]):
    """`tasks.<fan-out>`: by the text of a value, how its task ended; `state` is that of all of them together."""

    def __init__(self, task: TaskRecord, items_of: Callable[[TaskRecord], tuple[ItemRecord, ...]]) -> None:
        self._task = task
        self._items_of = items_of

    def __getitem__(self, name: str) -> object:
        if name == "state":
            return self._task.state.value
        return {"state": next(item.state.value for item in self._of(name))}

    def _of(self, value: str) -> tuple[ItemRecord, ...]:
        found = tuple(item for item in self._items_of(self._task) if text_of(item.value) == value)
        if not found:
            raise KeyError(value)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(text_of(item.value) for item in self._items_of(self._task)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def as_text(self) -> str:
        """The states of all items, as JSON."""
        return json_of(dict(self))

    def part(self, name: object) -> object:
        """How an item ended, or all together. Raises KeyError if there is no such item."""
        return self[str(name)]


def _has_begun(task: TaskRecord) -> bool:
    """Whether Kestra would have a task run of it: one that a condition leaves out is SKIPPED there, too."""
    return task.state is not State.SKIPPED or task.is_left_out


STATES_LATER: dict[str, Callable[..., Unknown]] = {
    "tasksWithState": lambda state="": UNKNOWN,  # noqa: ARG005 - only to be checked
    "errorLogs": lambda: UNKNOWN,
}
"""The functions in a text that is only checked, before the tasks have ended."""
