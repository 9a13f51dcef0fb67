"""A flow: the root of a manifest; and its tasks in a row, wherever in groups they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from shared.manifest._source import PropertyPath
from shared.manifest.inputs import Input
from shared.manifest.order import Step, start_of
from shared.manifest.task import Foreach, Task, TaskId
from shared.manifest.types import AFTERWARDS, Duration, KestraFlow, KestraTask, NoEffect, Properties, Text, Unsupported

GROUP_PREFIX = "io.kestra.plugin.core.flow"

SEQUENTIAL, PARALLEL, FOR_EACH = (f"{GROUP_PREFIX}.{name}" for name in ("Sequential", "Parallel", "ForEach"))


_ON_TASKS = "give it to the tasks in the group"


class _Group(KestraTask):
    id: TaskId
    """Its name in `dependsOn`: who waits for the group waits for all of its tasks."""
    disabled: bool = False
    """Leave out the tasks in it."""
    depends_on: tuple[str, ...] | None = None
    """What the tasks in it wait for; `[]` for nothing. Without it, they wait for the task before the group."""
    allow_failure: Annotated[None, Unsupported(_ON_TASKS)] = None
    timeout: Annotated[None, Unsupported(_ON_TASKS)] = None
    retry: Annotated[None, Unsupported(_ON_TASKS)] = None
    errors: Annotated[None, Unsupported(AFTERWARDS)] = None
    finally_: Annotated[None, Unsupported(AFTERWARDS)] = Field(None, alias="finally")


class Sequential(_Group):
    """Tasks one after the other."""

    type: Literal["io.kestra.plugin.core.flow.Sequential"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """Each waits for the one before it."""


class Parallel(_Group):
    """Tasks side by side."""

    type: Literal["io.kestra.plugin.core.flow.Parallel"]
    concurrent: Annotated[int, NoEffect("how many tasks run at once is a matter of the pool's slots")] = 0
    fail_fast: Annotated[bool, NoEffect("the order of the tasks decides what a failure stops")] = False
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """They do not wait for each other."""


class ForEach(_Group):
    """A task for each value."""

    type: Literal["io.kestra.plugin.core.flow.ForEach"]
    values: Foreach
    """As `foreach` of a task. `{{ taskrun.value }}` is the value, numbers and booleans as text; a later task finds what
    was printed for it in `{{ outputs.<task>['<value>'].vars.x }}`."""
    concurrency_limit: Annotated[int, NoEffect("how many tasks run at once is a matter of the pool's slots")] = 0
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """One task. For several tasks a value, put their commands into one task, or give each task a `foreach`."""

    @model_validator(mode="after")
    def _one_task_without_foreach(self) -> Self:
        if len(self.tasks) > 1 or not isinstance(self.tasks[0], Task):
            raise ValueError(
                "a ForEach holds one task here, no group and no second task: "
                "put their commands into one task, or give each of them a `foreach`"
            )
        if self.tasks[0].foreach is not None:
            raise ValueError("the task in a ForEach cannot have a `foreach` of its own")
        return self

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

LONGEST_FLOW = timedelta(days=6)
MAX_TASKS = 1000


class PluginDefault(Properties):
    """Values for all tasks, or all task runners, of a type."""

    type: str
    """The type, or the beginning of several: `io.kestra.plugin.scripts` is all script tasks."""
    forced: bool = False
    """Whether the values win over those of the tasks."""
    values: dict[str, Any] = Field(default_factory=dict)
    """By property; maps are merged, lists joined."""


class Label(Properties):
    """A label, in Kestra's list of them."""

    key: Text
    value: Text


def _labels(value: object) -> object:
    """Kestra's list of keys and values is the same as a map."""
    if isinstance(value, list) and all(isinstance(label, dict) and set(label) == {"key", "value"} for label in value):
        if any(isinstance(label["key"], dict | list) for label in value):
            raise ValueError("the key of a label is text")
        return {str(label["key"]): label["value"] for label in value}
    return value


def _not_too_long(timeout: timedelta) -> timedelta:
    if timeout > LONGEST_FLOW:
        raise ValueError(f"a flow may take at most P{LONGEST_FLOW.days}D: what lets nodes reach the storage ends then")
    return timeout


class Flow(KestraFlow):
    """A Kestra flow: tasks, and what they have in common."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)] | None = None
    """Its name, for readers and `{{ flow.id }}`."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=150)] | None = None
    """Whose namespace files its tasks get, and `{{ flow.namespace }}`."""
    description: str | None = None
    """For readers."""
    editor_schema: Annotated[str | None, Field(alias="$schema")] = None
    """For editors: where the JSON Schema of manifests is, in JSON."""
    labels: Annotated[
        dict[str, Text], BeforeValidator(_labels, json_schema_input_type=dict[str, Text] | list[Label])
    ] = Field(default_factory=dict)
    """`{{ labels.<name> }}`; a map, or Kestra's list of `key` and `value`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """`{{ vars.<name> }}`: values of any kind."""
    inputs: tuple[Input, ...] = ()
    """`{{ inputs.<id> }}`: values with a type."""
    items: Annotated[tuple[TaskOrGroup, ...], Field(alias="tasks", min_length=1)]
    """What is run, in this order; `dependsOn` makes it a graph, groups give it a shape. At most 1,000 tasks."""
    plugin_defaults: tuple[PluginDefault, ...] = ()
    """Values for all tasks of a type, or for their task runners."""
    timeout: Annotated[Duration, AfterValidator(_not_too_long)] = LONGEST_FLOW
    """How long the whole run may take, waiting included, from its acceptance."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Azure Batch's priority of the run's jobs: those of higher priority are scheduled first."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order of the file, those in groups too."""
        return tuple(placed.task for placed in self.placed_tasks)

    @cached_property
    def placed_tasks(self) -> tuple[PlacedTask, ...]:
        """All tasks and where they stand."""
        return tuple(_placed(self.items, ("tasks",), is_disabled=False))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What waits for what: the tasks and, as places that only pass the order on, the groups."""
        return tuple(_steps(self.items, ("tasks",), (), in_order=True, is_disabled=False))


@dataclass(frozen=True)
class PlacedTask:
    """A task, and where in the manifest it and its `foreach` stand."""

    task: Task
    path: PropertyPath
    foreach_path: PropertyPath


def _placed(items: Sequence[TaskOrGroup], path: PropertyPath, *, is_disabled: bool) -> Iterator[PlacedTask]:
    for index, item in enumerate(items):
        here = (*path, index)
        match item:
            case Task():
                yield PlacedTask(_disabled(item, is_disabled=is_disabled), here, (*here, "foreach"))
            case ForEach():
                each = _disabled(item.task, is_disabled=is_disabled or item.disabled)
                yield PlacedTask(each, (*here, "tasks", 0), (*here, "values"))
            case Sequential() | Parallel():
                yield from _placed(item.tasks, (*here, "tasks"), is_disabled=is_disabled or item.disabled)


def _disabled(task: Task, *, is_disabled: bool) -> Task:
    return task.model_copy(update={"disabled": True}) if is_disabled else task


def _steps(
    items: Sequence[TaskOrGroup], path: PropertyPath, entry: tuple[str, ...], *, in_order: bool, is_disabled: bool
) -> Iterator[Step]:
    """The steps of a list; `entry` is what its first one waits for (`in_order`) or each of them does."""
    before = entry
    for index, item in enumerate(items):
        here = (*path, index)
        waits_for = before if item.depends_on is None else item.depends_on
        left_out = is_disabled or item.disabled
        is_own = item.depends_on is not None
        if isinstance(item, Task):
            yield Step(item.id, here, waits_for, is_own=is_own, is_run=not left_out)
        else:
            start = start_of(item.id)
            yield Step(start, here, waits_for, is_own=is_own, is_run=False)
            in_group = isinstance(item, Sequential)
            inside = list(_steps(item.tasks, (*here, "tasks"), (start,), in_order=in_group, is_disabled=left_out))
            yield from inside
            yield Step(item.id, here, _last_of(inside), is_own=False, is_run=False)
        before = (item.id,) if in_order else entry


def _last_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """The steps that no other of them waits for: when they have ended, all have."""
    waited_for = {other for step in steps for other in step.waits_for}
    return tuple(step.id for step in steps if step.id not in waited_for) or tuple(step.id for step in steps)
