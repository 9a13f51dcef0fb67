"""Groups of tasks: the language for them, and the blocks that they are lowered to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from shared.manifest._loops import ForEachProperties, LoopProperties, no_foreach
from shared.manifest.blocks import Block, Condition
from shared.manifest.task import Task, TaskId, TaskProperties
from shared.manifest.types import NoEffect, PropertyPath, Unsupported

SEQUENTIAL, PARALLEL, FOR_EACH, LOOP = (
    f"io.kestra.plugin.core.flow.{name}" for name in ("Sequential", "Parallel", "ForEach", "Loop")
)

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


class ForEach(ForEachProperties, _Group):
    """Tasks that run for each value, as in Kestra 1.x; `foreach` of a task is for all values side by side.

    For each value the tasks run one after the other, whatever becomes of those of the other values. They may be groups
    and loops.
    """

    type: Literal["io.kestra.plugin.core.flow.ForEach"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1), AfterValidator(no_foreach)]
    """The tasks for each value; each waits for the one before it for the same value."""


class Loop(LoopProperties, _Group):
    """Tasks that run for each value, as in Kestra 2.x; a ForEach is that of 1.x.

    For each value the tasks run one after the other. They may be groups and loops. Inside,
    `{{ outputs.<task>.vars.x }}` is what an earlier task printed for the same value; after the loop, later tasks can
    use its `outputs`.
    """

    type: Literal["io.kestra.plugin.core.flow.Loop"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1), AfterValidator(no_foreach)]
    """The tasks for each value; each waits for the one before it for the same value."""


def _kind(value: object) -> str:
    task_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    groups = {SEQUENTIAL: "<Sequential>", PARALLEL: "<Parallel>", FOR_EACH: "<ForEach>", LOOP: "<Loop>"}
    return groups.get(str(task_type), "<Task>")


TaskOrGroup = Annotated[
    Annotated[Task, Tag("<Task>")]
    | Annotated[Sequential, Tag("<Sequential>")]
    | Annotated[Parallel, Tag("<Parallel>")]
    | Annotated[ForEach, Tag("<ForEach>")]
    | Annotated[Loop, Tag("<Loop>")],
    Discriminator(_kind),
]


for _group in (Sequential, Parallel, ForEach, Loop):
    _group.model_rebuild()


def blocks_of(items: Sequence[TaskOrGroup], path: PropertyPath) -> tuple[Block, ...]:
    """The blocks that tasks and groups are lowered to; `path` is that of the list."""
    return tuple(_block_of(item, (*path, index)) for index, item in enumerate(items))


def _block_of(item: TaskOrGroup, path: PropertyPath) -> Block:
    block = Block(item.id, path, item.depends_on, item.disabled, _conditions(item, path))
    inside = (*path, "tasks")
    match item:
        case Task():
            return replace(block, task=item)
        case ForEach() | Loop():
            return replace(block, blocks=blocks_of(item.tasks, inside), each=item.each(item.id, path))
        case Parallel():
            return replace(block, blocks=blocks_of(item.tasks, inside), are_ordered=False, limit=item.concurrent)
        case Sequential():
            return replace(block, blocks=blocks_of(item.tasks, inside))


def _conditions(item: TaskProperties, path: PropertyPath) -> tuple[Condition, ...]:
    texts = (("runIf", item.run_if), ("when", item.when))
    return tuple(Condition((*path, name), text) for name, text in texts if text is not None)
