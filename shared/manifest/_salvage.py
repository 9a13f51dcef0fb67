"""A flow with mistakes → what is left of it without them, so that everything else can be checked in the same round.

What is wrong is taken out, or replaced by a stand-in; the index of a task never changes. What is then not known of the
flow are its gaps: a text must not look wrong because of a value that was taken out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.manifest._children import CASES, LISTS_OF_GROUPS, TASK_OF_ENTRY, path_of_task, paths_of_tasks
from shared.manifest._gaps import WITHOUT_GAPS, Gaps
from shared.manifest._mending import REQUIRED, add, ids_inside, mend_property, mend_whole
from shared.manifest._trigger import SCHEDULE
from shared.manifest.flow import MAX_TASKS, Context, Flow
from shared.manifest.groups import DAG
from shared.manifest.order import OrderProblem, problems_of_order
from shared.manifest.problems import MAX_PROBLEMS, path_in_flow
from shared.manifest.types import PropertyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MOST_ATTEMPTS = 20
_ROOTS = {"variables": "vars", "inputs": "inputs", "labels": "labels", "id": "flow", "namespace": "flow"}
_STAND_INS: Mapping[object, Mapping[str, object]] = {
    "inputs": {"required": False},
    "outputs": {"type": "STRING", "value": ""},
    "triggers": {"type": SCHEDULE, "cron": "@daily", "disabled": True},
}
_CONSEQUENCES = ("too_short", "default_factory_not_called")  # of a mistake inside
_OF_ITEMS = frozenset({"foreach", "values", "value", "type", "tasks"})
_OF_ORDER = frozenset({"dependsOn", "id", "disabled", "type", CASES, *LISTS_OF_GROUPS})
_OF_OUTPUTS = frozenset({"format", "outputFiles", "outputDirectory", "taskRunner", "id", *_OF_ITEMS})
_OF_COMMANDS = (("type",), ("commands",), ("script",))


@dataclass(frozen=True)
class Salvaged:
    """What is left of a flow (None if nothing is), with its gaps; and all of its mistakes of form and of order.

    `too_many` is the number of its tasks if there are more than a flow may have. `moved` are the places of values that
    were put elsewhere.
    """

    flow: Flow | None
    gaps: Gaps
    form: tuple[tuple[ErrorDetails, ...], ...]
    order: tuple[OrderProblem, ...]
    too_many: int = 0
    moved: Mapping[PropertyPath, PropertyPath] = field(default_factory=dict)


def salvage(data: dict[str, Any], context: Context = None) -> Salvaged:
    """Take the mistakes out of a flow's data, until what is left is a flow; or there are more than will be told."""
    left = _Left(data)
    form: list[tuple[ErrorDetails, ...]] = []
    order: list[OrderProblem] = []
    for _ in range(_MOST_ATTEMPTS):
        try:
            flow = Flow.model_validate(left.data, context=context)
        except ValidationError as error:
            form.append(tuple(left.take_out(error.errors(include_url=False))))
            if len(form[-1]) > MAX_PROBLEMS:
                break
            continue
        if len(flow.tasks) > MAX_TASKS:
            return Salvaged(None, WITHOUT_GAPS, tuple(form), tuple(order), len(flow.tasks))
        wrong = list(itertools.islice(problems_of_order(flow.order), MAX_PROBLEMS + 1))
        if not wrong:
            return Salvaged(flow, left.gaps(flow), tuple(form), tuple(order), moved=left.moved)
        order += (problem for problem in wrong if not left.is_of_replaced_id(problem.path))
        if len(wrong) > MAX_PROBLEMS:
            break
        left.take_out_of_order(wrong)
    return Salvaged(None, WITHOUT_GAPS, tuple(form), tuple(order))


class _Left:
    """A copy of a flow's data, from which mistakes are taken out."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data: dict[str, Any] = _copied(data)
        self.moved: dict[PropertyPath, PropertyPath] = {}
        self._numbers = itertools.count(1)
        self._values: set[str] = set()
        self._ids: set[str] = set()
        self._touched: set[PropertyPath] = set()
        self._around: set[PropertyPath] = set()  # what something was taken out of, but tasks
        self._of_commands: set[PropertyPath] = set()  # the tasks whose commands may have been taken out

    def take_out(self, errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
        """Take out what is wrong; returns what is not just a consequence of what was taken out before."""
        around = {path_in_flow(details)[:length] for details in errors for length in range(len(path_in_flow(details)))}
        causes = [each for each in errors if each["type"] not in _CONSEQUENCES or path_in_flow(each) not in around]
        new = [details for details in causes if not self._follows(path_in_flow(details), details["type"])]
        for details in causes:
            path, kind = path_in_flow(details), details["type"]
            task = path_of_task(path)
            self._touched.add(path)
            if path[len(task) :] == ("type",):
                self._ids |= set(ids_inside(self._at(task)))
            self._around |= {path[:length] for length in range(len(task) + 1, len(path))}
            if task and (kind == "extra_forbidden" or path[len(task) :] in _OF_COMMANDS):
                self._of_commands.add(task)
            self._take_out(path, kind)
        return new

    def _follows(self, path: PropertyPath, kind: str) -> bool:
        """Whether a mistake follows from what was taken out before: at its place, or of the commands of its task."""
        task = path_of_task(path)
        if task in self._of_commands and (
            len(path) == len(task) or ((*task, "type") in self._touched and kind == "extra_forbidden")
        ):
            return True
        if kind == "value_error" and path in self._around:
            return True
        return any(path[:length] in self._touched for length in range(len(task) + 1, len(path) + 1))

    def take_out_of_order(self, problems: Iterable[OrderProblem]) -> None:
        """Replace ids that are repeated, and the ids in `dependsOn` that are wrong."""
        stand_in = self._stand_in() | {"dependsOn": []}
        for problem in problems:
            self._touched.add(problem.path)
            match problem.path:
                case (*above, "dependsOn", int(index)):
                    self._at(tuple(above))["dependsOn"][index] = self._waited_for(tuple(above), stand_in)
                case (*above, "id"):
                    self._at(tuple(above))["id"] = self._new_id()
                case _:  # every task is disabled
                    self._at(problem.path).pop("disabled", None)
        self.data["tasks"].append(stand_in)

    def _waited_for(self, path: PropertyPath, stand_in: dict[str, Any]) -> str:
        """The id of a task that one in a flow, or in a Dag, may wait for."""
        if self._is_in_dag(path):
            stand_in = self._stand_in()
            self._at(path[:-1]).append({TASK_OF_ENTRY: stand_in})
        return str(stand_in["id"])

    def is_of_replaced_id(self, path: PropertyPath) -> bool:
        """Whether the id at a path of `dependsOn` is one that was replaced."""
        value = self._at(path)
        return isinstance(value, str) and value in self._ids

    def gaps(self, flow: Flow) -> Gaps:
        """What is not known of the flow that is left."""
        touched = {path[: len(path_of_task(path)) + 1] for path in self._touched}

        def tasks_with(names: frozenset[str]) -> frozenset[str]:
            return frozenset(placed.task.id for placed in flow.placed_tasks if _is_touched(placed.path, names, touched))

        return Gaps(
            is_any=True,
            values=frozenset(self._values),
            ids=frozenset(self._ids),
            items=tasks_with(_OF_ITEMS),
            order=tasks_with(_OF_ORDER),
            outputs=tasks_with(_OF_OUTPUTS),
        )

    def _take_out(self, path: PropertyPath, kind: str) -> None:
        if path[:1] and path[0] in _ROOTS:
            self._values.add(_ROOTS[str(path[0])])
        task = path_of_task(path)
        if task and len(path) == len(task):
            self._mend_task(task)
        elif kind == "missing":
            self._add(path)
        elif task:
            self._mend_property(task, path[len(task) :], is_unknown=kind == "extra_forbidden")
        elif path == ("tasks",):
            self.data["tasks"] = [self._stand_in()]
        else:
            self._remove(path if path[:1] != ("pluginDefaults",) else path[:1])

    def _mend_task(self, path: PropertyPath) -> None:
        """Mend a task that is wrong as a whole: it is no map, or what it has does not go together."""
        task = self._at(path)
        if not isinstance(task, dict):
            self._set(path, {TASK_OF_ENTRY: self._stand_in()} if self._is_in_dag(path) else self._stand_in())
            return
        moved = mend_whole(task, self._stand_in, is_in_dag=self._is_in_dag(path))
        self.moved |= {(*path, *place): (*path, *before) for place, before in moved.items()}

    def _is_in_dag(self, path: PropertyPath) -> bool:
        group = self._at(path[:-2])
        return isinstance(group, dict) and group.get("type") == DAG

    def _mend_property(self, task: PropertyPath, below: PropertyPath, *, is_unknown: bool) -> None:
        properties = self._at(task)
        if below == ("id",):
            self._ids.add(str(properties.get("id")))
            properties["id"] = self._new_id()
        elif not mend_property(properties, below, self._stand_in, is_unknown=is_unknown):
            self._ids |= set(ids_inside({"": self._at((*task, *below))}))
            self._remove((*task, *below))

    def _add(self, path: PropertyPath) -> None:
        """Add a property that is missing; or take out what lacks it."""
        match path:
            case (*above, "id"):
                self._at(tuple(above))["id"] = self._new_id()
            case (*above, str(name)) if name in REQUIRED:
                add(self._at(tuple(above)), name, self._stand_in)
            case _:
                self._take_out(path[:-1], "")

    def _remove(self, path: PropertyPath) -> None:
        if path and path[0] in _STAND_INS and len(path) > 1:
            self._set(path[:2], {"id": self._new_id(), **_STAND_INS[path[0]]})
            return
        whole = self._at(path[:-1])
        if isinstance(whole, dict) and path:
            whole.pop(str(path[-1]), None)
        elif isinstance(whole, list) and isinstance(path[-1], int):
            whole[path[-1]] = "x"
        elif path:
            self._remove(path[:-1])

    def _at(self, path: PropertyPath) -> Any:  # noqa: ANN401 - plain data of any shape
        value: Any = self.data
        for part in path:
            match value:
                case dict():
                    value = value.get(str(part))
                case list() if isinstance(part, int) and part < len(value):
                    value = value[part]
                case _:
                    return None
        return value

    def _set(self, path: PropertyPath, value: object) -> None:
        whole = self._at(path[:-1])
        whole[path[-1]] = value

    def _stand_in(self) -> dict[str, Any]:
        return {"id": self._new_id(), "commands": ["true"]}

    def _new_id(self) -> str:
        return f"0-stand-in-{next(self._numbers)}"


def _is_touched(task: PropertyPath, names: frozenset[str], touched: set[PropertyPath]) -> bool:
    """Whether one of these properties was taken out of a task, or of a group around it, or one of these as a whole."""
    around = paths_of_tasks(task)
    return any(path in touched or any((*path, name) in touched for name in names) for path in around)


def _copied(value: Any) -> Any:  # noqa: ANN401 - plain data of any shape
    match value:
        case dict():
            return {name: _copied(each) for name, each in value.items()}
        case list():
            return [_copied(each) for each in value]
    return value
