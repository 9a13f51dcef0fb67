"""Groups of tasks: the language for them, and what they make of the tasks in them: places, branches and an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from shared.manifest.order import OrderEntry, start_of
from shared.manifest.task import Foreach, Task, TaskId, TaskProperties
from shared.manifest.types import NoEffect, PropertyPath, Unsupported

SEQUENTIAL, PARALLEL, FOR_EACH = (
    f"io.kestra.plugin.core.flow.{name}" for name in ("Sequential", "Parallel", "ForEach")
)

MANY_VALUES = 5

_ON_TASKS = Unsupported("give it to the tasks in the group")
AFTERWARDS = Unsupported("use a task with `dependsOn` on tasks that have `allowFailure`: it runs also if they fail")


class _Group(TaskProperties):
    id: TaskId
    """Its name in `dependsOn`: a task that waits for the group waits for all of its tasks."""
    disabled: bool = False
    """Leave out the tasks of the group."""
    depends_on: tuple[str, ...] | None = None
    """The ids of the tasks that the group waits for; `[]` for none. Without it, it waits for the task before it."""
    allow_failure: Annotated[None, _ON_TASKS] = None
    timeout: Annotated[None, _ON_TASKS] = None
    retry: Annotated[None, _ON_TASKS] = None
    errors: Annotated[None, AFTERWARDS] = None
    finally_: Annotated[None, AFTERWARDS] = Field(None, alias="finally")


class Sequential(_Group):
    """Tasks that run one after the other."""

    type: Literal["io.kestra.plugin.core.flow.Sequential"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; each waits for the one before it."""


class Parallel(_Group):
    """Tasks that run side by side. When one fails, those that run go on to their end."""

    type: Literal["io.kestra.plugin.core.flow.Parallel"]
    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many of its tasks and groups run at once at most; 0 for all. With a limit of *n*, each begins once the *n*-th
    before it has ended, and none begins any more once a task of the group has failed; what has begun goes on."""
    fail_fast: Annotated[bool, NoEffect("a failure stops only the tasks that wait for the failed task")] = False
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; they do not wait for each other."""


class ForEach(_Group):
    """A task that runs once for each value, as in Kestra 1.x; `foreach` of a task is for all values side by side."""

    type: Literal["io.kestra.plugin.core.flow.ForEach"]
    values: Foreach
    """As `foreach` of a task. `{{ taskrun.value }}` is the value, with numbers and booleans as text; the parts of
    a map can be named, as in `{{ taskrun.value.name }}`, where Kestra has only their JSON. In a later task,
    `{{ outputs.<task>['<value>'].vars.x }}` is what was printed for it. Values that are the same as text run once; null
    is an error."""
    concurrency_limit: Annotated[int, Field(ge=0)] = 1
    """For how many values the task runs at once at most; 0 for all. With 1 they run one after the other, and nothing
    else of the run meanwhile. With a limit of *n*, a value begins once the *n*-th before it has ended. None begins any
    more once the task has failed for one, unless it may fail (`allowFailure`). With 0, a failure stops none."""
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """One task. To run several for each value, put their commands into one task, or give each task a `foreach`."""

    @model_validator(mode="after")
    def _one_task_without_foreach(self) -> Self:
        if len(self.tasks) > 1 or not isinstance(self.tasks[0], Task):
            raise ValueError(
                "a ForEach has exactly one task here, neither a group nor several tasks: "
                "put their commands into one task, or give each task a `foreach`"
            )
        if self.tasks[0].foreach is not None:
            raise ValueError("the task in a ForEach cannot have a `foreach` of its own")
        return self

    @property
    def is_serial_by_default(self) -> bool:
        """Whether many values, or nobody knows how many, run one after the other without anybody having said so."""
        match self.values:
            case tuple() as values:
                count = len(values)
            case int(number):
                count = number
            case _:
                count = MANY_VALUES
        return "concurrency_limit" not in self.model_fields_set and count >= MANY_VALUES

    @property
    def task(self) -> Task:
        """The task that is run for each value."""
        task = self.tasks[0]
        assert isinstance(task, Task)  # noqa: S101 - this was validated
        return task.model_copy(update={"foreach": self.values})


def _kind(value: object) -> str:
    task_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return {SEQUENTIAL: "<Sequential>", PARALLEL: "<Parallel>", FOR_EACH: "<ForEach>"}.get(str(task_type), "<Task>")


TaskOrGroup = Annotated[
    Annotated[Task, Tag("<Task>")]
    | Annotated[Sequential, Tag("<Sequential>")]
    | Annotated[Parallel, Tag("<Parallel>")]
    | Annotated[ForEach, Tag("<ForEach>")],
    Discriminator(_kind),
]


for _group in (Sequential, Parallel, ForEach):
    _group.model_rebuild()


@dataclass(frozen=True)
class Branch:
    """A direct child of a Parallel that limits how many of them run at once."""

    group: str
    index: int
    limit: int


@dataclass(frozen=True)
class PlacedTask:
    """A task, with its own path and that of its `foreach` in the manifest.

    `each` is the ForEach that it is the task of; `branches` are those that it is in, the outermost first.
    """

    task: Task
    path: PropertyPath
    foreach_path: PropertyPath
    each: ForEach | None = None
    branches: tuple[Branch, ...] = ()


def placed_tasks(
    items: Sequence[TaskOrGroup],
    path: PropertyPath,
    group: Sequential | Parallel | None = None,
    branches: tuple[Branch, ...] = (),
    *,
    is_disabled: bool,
) -> Iterator[PlacedTask]:
    """The tasks of a list, which is that of the flow or of a `group`; `branches` are those that the group is in."""
    for index, item in enumerate(items):
        here = (*path, index)
        left_out = is_disabled or item.disabled
        limit = group.concurrent if isinstance(group, Parallel) else 0
        inside = (*branches, Branch(group.id, index, limit)) if group and limit else branches
        match item:
            case Task():
                task = _disabled(item, is_disabled=left_out)
                yield PlacedTask(task, here, (*here, "foreach"), branches=inside)
            case ForEach():
                task = _disabled(item.task, is_disabled=left_out)
                yield PlacedTask(task, (*here, "tasks", 0), (*here, "values"), item, inside)
            case Sequential() | Parallel():
                yield from placed_tasks(item.tasks, (*here, "tasks"), item, inside, is_disabled=left_out)


def _disabled(task: Task, *, is_disabled: bool) -> Task:
    return task.model_copy(update={"disabled": True}) if is_disabled else task


def order_entries(
    items: Sequence[TaskOrGroup],
    path: PropertyPath,
    start: tuple[str, ...],
    group: Sequential | Parallel | ForEach | None,
    *,
    is_disabled: bool,
) -> Iterator[OrderEntry]:
    """The entries for the items of the flow or of a `group`. `start` is what the first of them waits for.

    In a Parallel, each waits for it; and if that has a limit of *n*, for the *n*-th before it.
    """
    limit = group.concurrent if isinstance(group, Parallel) else 0
    before = start
    for index, item in enumerate(items):
        here = (*path, index)
        waits_for = before if item.depends_on is None else item.depends_on
        left_out = is_disabled or item.disabled
        is_explicit = item.depends_on is not None
        limited_by = items[index - limit].id if limit and index >= limit else None
        if isinstance(item, Task):
            yield OrderEntry(
                item.id, here, waits_for, is_explicit=is_explicit, is_run=not left_out, limited_by=limited_by
            )
        else:
            start_id = start_of(item.id)
            yield OrderEntry(start_id, here, waits_for, is_explicit=is_explicit, is_run=False, limited_by=limited_by)
            inside = list(order_entries(item.tasks, (*here, "tasks"), (start_id,), item, is_disabled=left_out))
            yield from inside
            yield OrderEntry(item.id, here, _last_of(inside), is_explicit=False, is_run=False)
        before = start if isinstance(group, Parallel) else (item.id,)


def _last_of(entries: Sequence[OrderEntry]) -> tuple[str, ...]:
    """The entries that no other one waits for: once they have ended, all have."""
    waited_for = {other for entry in entries for other in entry.waits_for_all}
    return tuple(entry.id for entry in entries if entry.id not in waited_for) or tuple(entry.id for entry in entries)
