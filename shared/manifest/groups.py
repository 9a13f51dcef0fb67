"""Groups of tasks: the language for them, and the blocks that they are lowered to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from shared.manifest.blocks import Block, Condition, Each
from shared.manifest.task import Foreach, Task, TaskId, TaskProperties
from shared.manifest.types import NoEffect, PropertyPath, Unsupported
from shared.manifest.working_directory import WORKING_DIRECTORY, Directory, DirectoryProperties

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


class WorkingDirectory(_Group, DirectoryProperties):
    """Tasks that run one after the other in one directory: each finds what those before it have left there.

    Their images, pools and nodes may differ: between two tasks, the directory is packed with `tar`, which both images
    must have, and passes through the staging container as a whole. So it pays to have few tasks and small files; the
    disk of a node holds the directory and two archives of it. `{{ workingDir }}` is the same path for all of them.
    Links and modes stay as they are; every file belongs to the user of the task. The home directory of the commands,
    `._home`, and `{{ outputDir }}` are not passed on. Each task has its own entry, logs and output files in the record.
    In a retry of the run, all tasks of the group run again if one of them does.
    """

    type: Literal["io.kestra.plugin.core.flow.WorkingDirectory"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks: neither groups nor fan-outs. Each waits for the one before it, and none has a `dependsOn`. What a task
    leaves when it fails, and is allowed to, is there for the next one."""


def _kind(value: object) -> str:
    task_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return _KINDS.get(str(task_type), "<Task>")


_KINDS = {
    SEQUENTIAL: "<Sequential>",
    PARALLEL: "<Parallel>",
    FOR_EACH: "<ForEach>",
    WORKING_DIRECTORY: "<WorkingDirectory>",
}


TaskOrGroup = Annotated[
    Annotated[Task, Tag("<Task>")]
    | Annotated[Sequential, Tag("<Sequential>")]
    | Annotated[Parallel, Tag("<Parallel>")]
    | Annotated[ForEach, Tag("<ForEach>")]
    | Annotated[WorkingDirectory, Tag("<WorkingDirectory>")],
    Discriminator(_kind),
]


for _group in (Sequential, Parallel, ForEach, WorkingDirectory):
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
        case ForEach():
            each = Each((*path, "values"), item.concurrency_limit, item.is_serial_by_default)
            return replace(block, blocks=(replace(_block_of(item.task, (*inside, 0)), each=each),))
        case Parallel():
            return replace(block, blocks=blocks_of(item.tasks, inside), are_ordered=False, limit=item.concurrent)
        case Sequential():
            return replace(block, blocks=blocks_of(item.tasks, inside))
        case WorkingDirectory():
            return replace(block, blocks=blocks_of(item.tasks, inside), directory=Directory(item.id, path, item))


def _conditions(item: TaskProperties, path: PropertyPath) -> tuple[Condition, ...]:
    texts = (("runIf", item.run_if), ("when", item.when))
    return tuple(Condition((*path, name), text) for name, text in texts if text is not None)
