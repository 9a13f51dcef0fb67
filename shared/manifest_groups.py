"""Groups of tasks: Kestra's Sequential, Parallel and ForEach. They are shapes of the order, nothing runs for them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from shared.manifest_kestra import AFTERWARDS, KestraTask, NoEffect, Unsupported
from shared.manifest_task import Foreach, Task, TaskId

PREFIX = "io.kestra.plugin.core.flow"
SEQUENTIAL, PARALLEL, FOR_EACH = (f"{PREFIX}.{name}" for name in ("Sequential", "Parallel", "ForEach"))

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
