"""A flow: the root of a manifest, its groups of tasks, and its tasks in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from shared.manifest.inputs import Input
from shared.manifest.order import OrderEntry, start_of
from shared.manifest.task import ON_POOL, Foreach, Task, TaskId, TaskProperties
from shared.manifest.types import Duration, NoEffect, Properties, PropertyPath, Text, Unsupported

SEQUENTIAL, PARALLEL, FOR_EACH = (
    f"io.kestra.plugin.core.flow.{name}" for name in ("Sequential", "Parallel", "ForEach")
)

_ON_TASKS = Unsupported("give it to the tasks in the group")
_AFTERWARDS = Unsupported("use a task with `dependsOn` on tasks that have `allowFailure`: it runs also if they fail")
_SLOTS = "the task slots of the pool limit how many tasks run at once"
_VERSIONS = NoEffect("the versions of the blob are the versions of the flow")


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
    errors: Annotated[None, _AFTERWARDS] = None
    finally_: Annotated[None, _AFTERWARDS] = Field(None, alias="finally")


class Sequential(_Group):
    """Tasks that run one after the other."""

    type: Literal["io.kestra.plugin.core.flow.Sequential"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; each waits for the one before it."""


class Parallel(_Group):
    """Tasks that run side by side."""

    type: Literal["io.kestra.plugin.core.flow.Parallel"]
    concurrent: Annotated[int, NoEffect(_SLOTS)] = 0
    fail_fast: Annotated[bool, NoEffect("a failure stops only the tasks that wait for the failed task")] = False
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; they do not wait for each other."""


class ForEach(_Group):
    """A task that runs once for each value."""

    type: Literal["io.kestra.plugin.core.flow.ForEach"]
    values: Foreach
    """As `foreach` of a task. `{{ taskrun.value }}` is the value, with numbers and booleans as text. In a later task,
    `{{ outputs.<task>['<value>'].vars.x }}` is what was printed for it."""
    concurrency_limit: Annotated[int, NoEffect(_SLOTS)] = 0
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
    """Default values for all tasks, or all task runners, of a type."""

    type: str
    """The type, or what several types begin with: `io.kestra.plugin.scripts` is for all script tasks."""
    forced: bool = False
    """Whether the values win over those of the tasks."""
    values: dict[str, Any] = Field(default_factory=dict)
    """By property; maps are merged, lists joined."""


class Label(Properties):
    """A label, as an entry of a list."""

    key: Text
    value: Text


def _labels(value: object) -> object:
    """The labels as a map; Kestra also has them as a list of keys and values."""
    if isinstance(value, list) and all(isinstance(label, dict) and set(label) == {"key", "value"} for label in value):
        if any(isinstance(label["key"], dict | list) for label in value):
            raise ValueError("the key of a label must be text")
        return {str(label["key"]): label["value"] for label in value}
    return value


def _not_too_long(timeout: timedelta) -> timedelta:
    if timeout > LONGEST_FLOW:
        raise ValueError(f"a flow may take at most P{LONGEST_FLOW.days}D: then the nodes' access to the storage ends")
    return timeout


class Flow(Properties):
    """A Kestra flow: its tasks, and what they have in common."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)] | None = None
    """Its name, for readers and `{{ flow.id }}`."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=150)] | None = None
    """The namespace whose files its tasks get, and `{{ flow.namespace }}`."""
    description: str | None = None
    """For readers."""
    editor_schema: Annotated[str | None, Field(alias="$schema")] = None
    """For editors of JSON: the address of the JSON Schema of manifests."""
    labels: Annotated[
        dict[str, Text], BeforeValidator(_labels, json_schema_input_type=dict[str, Text] | list[Label])
    ] = Field(default_factory=dict)
    """`{{ labels.<name> }}`; a map, or Kestra's list of `key` and `value`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """`{{ vars.<name> }}`: values of any kind."""
    inputs: tuple[Input, ...] = ()
    """`{{ inputs.<id> }}`: values with a type."""
    items: Annotated[tuple[TaskOrGroup, ...], Field(alias="tasks", min_length=1)]
    """The tasks and groups to run, in this order; `dependsOn` makes them a graph. At most 1,000 tasks."""
    plugin_defaults: tuple[PluginDefault, ...] = ()
    """Default values for all tasks of a type, or for their task runners."""
    timeout: Annotated[Duration, AfterValidator(_not_too_long)] = LONGEST_FLOW
    """How long the whole run may take from its acceptance, including the time that it waits."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Azure Batch's priority of the run's jobs: those of higher priority are scheduled first."""
    disabled: Literal[False] = False
    """A flow that is dropped is run: `true` is an error."""
    revision: Annotated[int | None, _VERSIONS] = None
    updated: Annotated[Any, _VERSIONS] = None
    tenant_id: Annotated[str | None, NoEffect("there are no tenants")] = None
    deleted: Annotated[bool, NoEffect("every manifest in the inbox is run")] = False
    triggers: Annotated[Any, NoEffect("a run starts only when the manifest is dropped")] = None
    outputs: Annotated[Any, NoEffect("the record holds the outputs of every task")] = None
    worker_group: Annotated[Any, ON_POOL] = None
    worker_selector: Annotated[Any, ON_POOL] = None
    errors: Annotated[None, _AFTERWARDS] = None
    finally_: Annotated[None, _AFTERWARDS] = Field(None, alias="finally")
    after_execution: Annotated[None, _AFTERWARDS] = None
    listeners: Annotated[None, _AFTERWARDS] = None
    concurrency: Annotated[None, Unsupported(f"runs do not wait for each other; {_SLOTS}")] = None
    sla: Annotated[None, Unsupported("use the flow's `timeout`")] = None
    checks: Annotated[None, Unsupported("let the first task fail instead")] = None
    retry: Annotated[None, Unsupported("give the tasks a `retry`; to run a flow again, drop it again")] = None
    task_defaults: Annotated[None, Unsupported("this is the old name of `pluginDefaults`")] = None

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks in the order of the file, including those in groups."""
        return tuple(placed.task for placed in self.placed_tasks)

    @cached_property
    def placed_tasks(self) -> tuple[PlacedTask, ...]:
        """All tasks and their paths in the manifest, in the order of the file."""
        return tuple(_placed(self.items, ("tasks",), is_disabled=False))

    @cached_property
    def order(self) -> tuple[OrderEntry, ...]:
        """Which task waits for which: an entry for each task, and two for each group."""
        return tuple(_entries(self.items, ("tasks",), (), in_order=True, is_disabled=False))


@dataclass(frozen=True)
class PlacedTask:
    """A task, with its own path and that of its `foreach` in the manifest."""

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


def _entries(
    items: Sequence[TaskOrGroup], path: PropertyPath, start: tuple[str, ...], *, in_order: bool, is_disabled: bool
) -> Iterator[OrderEntry]:
    """The entries for a list of tasks and groups; the first item (`in_order`), or else each, waits for `start`."""
    before = start
    for index, item in enumerate(items):
        here = (*path, index)
        waits_for = before if item.depends_on is None else item.depends_on
        left_out = is_disabled or item.disabled
        is_explicit = item.depends_on is not None
        if isinstance(item, Task):
            yield OrderEntry(item.id, here, waits_for, is_explicit=is_explicit, is_run=not left_out)
        else:
            start_id = start_of(item.id)
            yield OrderEntry(start_id, here, waits_for, is_explicit=is_explicit, is_run=False)
            in_group = isinstance(item, Sequential)
            inside = list(_entries(item.tasks, (*here, "tasks"), (start_id,), in_order=in_group, is_disabled=left_out))
            yield from inside
            yield OrderEntry(item.id, here, _last_of(inside), is_explicit=False, is_run=False)
        before = (item.id,) if in_order else start


def _last_of(entries: Sequence[OrderEntry]) -> tuple[str, ...]:
    """The entries that no other one waits for: once they have ended, all have."""
    waited_for = {other for entry in entries for other in entry.waits_for}
    return tuple(entry.id for entry in entries if entry.id not in waited_for) or tuple(entry.id for entry in entries)
