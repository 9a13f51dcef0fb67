"""Loops: the language for what runs once for each value, apart from the tasks in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from shared.manifest.blocks import Each
from shared.manifest.task import Foreach
from shared.manifest.types import Properties, PropertyPath

MANY_VALUES = 5


class ForEachProperties(Properties):
    """The properties of a ForEach."""

    values: Foreach
    """As `foreach` of a task. `{{ taskrun.value }}` is the value, with numbers and booleans as text; the parts of
    a map can be named, as in `{{ taskrun.value.name }}`, where Kestra has only their JSON. `{{ taskrun.iteration }}`
    counts the values from 0. In a group inside, Kestra calls it `{{ parent.taskrun.value }}`; in a loop inside, that is
    the value of the loop around it, and `{{ parents[1].taskrun.value }}` that of the next one.
    `{{ outputs.<task>[taskrun.value].vars.x }}` is what an earlier task printed for the same value; for a loop in a loop,
    `{{ outputs.<task>['<outer value>']['<value>'].vars.x }}`. Values that are the same as text run once; null is an
    error."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 1
    """For how many values the tasks run at once at most; 0 for all. With 1 they run one value after the other, and
    nothing else of the run meanwhile. With a limit of *n*, a value begins once the tasks of the *n*-th before it have
    ended. None begins any more once a task has failed for one, unless it may fail (`allowFailure`); what has begun goes
    on. With 0, a failure stops only the tasks of its own value."""

    @property
    def is_serial_by_default(self) -> bool:
        """Whether many values, or nobody knows how many, run one after the other without anybody having said so."""
        return "concurrency_limit" not in self.model_fields_set and _count(self.values) >= MANY_VALUES

    def each(self, name: str, path: PropertyPath) -> Each:
        """The loop of this name, whose group is at `path`."""
        return Each(name, (*path, "values"), self.values, self.concurrency_limit, self.is_serial_by_default)


def _count(values: object) -> int:
    match values:
        case tuple() | list() | dict():
            return len(values)
        case int(number):
            return number
    return MANY_VALUES


def no_foreach(tasks: Sequence[Any]) -> Sequence[Any]:
    """The tasks of a loop. Raises ValueError if one of them, or one in a group of them, has a `foreach`."""
    todo = list(tasks)
    while todo:
        task = todo.pop()
        if getattr(task, "foreach", None) is not None:
            raise ValueError(
                f"the task {task.id!r} in a loop cannot have a `foreach` of its own: put it into a ForEach there"
            )
        todo += () if hasattr(task, "concurrency_limit") else getattr(task, "tasks", ())
    return tasks
