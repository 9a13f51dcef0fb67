"""Groups of tasks: the language for them. `_lowering.py` has what they mean."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from shared.manifest._children import TASK_OF_ENTRY
from shared.manifest._loops import ForEachProperties, LoopProperties, no_foreach
from shared.manifest.app_tasks import APP_TASKS, Assert, Fail, Log, OutputValues, Return
from shared.manifest.blocks import Each
from shared.manifest.task import Foreach, Task, TaskId, TaskProperties
from shared.manifest.task_types import ALL_GROUP_TYPES
from shared.manifest.types import NoEffect, Properties, PropertyPath, Text, Unsupported
from shared.manifest.working_directory import DirectoryProperties

(
    SEQUENTIAL, PARALLEL, DAG, IF, SWITCH, ALLOW_FAILURE, FOR_EACH, EACH_SEQUENTIAL, EACH_PARALLEL, LOOP, _,
) = ALL_GROUP_TYPES  # fmt: skip

_ON_TASKS = Unsupported("give it to the tasks in the group")
_AROUND_THE_LOOP = Unsupported("put the Loop into a Sequential that has it, where it runs once, and not for each value")


class _Group(TaskProperties):
    id: TaskId
    """Its name in `dependsOn`: a task that waits for the group waits for all of its tasks."""
    disabled: bool = False
    """Leave out the tasks of the group."""
    depends_on: tuple[str, ...] | None = None
    """The ids of the tasks that the group waits for; `[]` for none. Without it, it waits for the task before it."""
    allow_failure: bool = False
    """Continue when one of its tasks fails: what waits for the group runs, and the run ends as WARNING."""
    errors: tuple[TaskOrGroup, ...] = ()
    """What runs, one after the other, once a task of the group has failed for good and the others have ended. What they
    end as changes nothing: the group has failed."""
    finally_: Annotated[tuple[TaskOrGroup, ...], Field(alias="finally")] = ()
    """What runs at the end of the group in any case, after `errors`."""
    timeout: Annotated[None, _ON_TASKS] = None
    retry: Annotated[None, _ON_TASKS] = None


class Sequential(_Group):
    """Tasks that run one after the other."""

    type: Literal["io.kestra.plugin.core.flow.Sequential"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; each waits for the one before it."""


class AllowFailure(_Group):
    """Tasks that run one after the other. When one fails, the rest of them does not run, but what follows the group."""

    type: Literal["io.kestra.plugin.core.flow.AllowFailure"]
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks; each waits for the one before it."""


class If(_Group):
    """Tasks that run if a condition holds, and others that run if it does not."""

    type: Literal["io.kestra.plugin.core.flow.If"]
    condition: Annotated[Text, Field(examples=["{{ outputs.count.vars.rows > 0 }}"])]
    """Empty text, `false`, `0` and `-0` are false, all else is true. It may use the inputs, and what tasks before the
    group have printed."""
    then: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1)]
    """The tasks that run one after the other if it holds."""
    else_: Annotated[tuple[TaskOrGroup, ...], Field(alias="else")] = ()
    """The tasks that run one after the other if it does not."""


class Switch(_Group):
    """Tasks that are chosen by a value."""

    type: Literal["io.kestra.plugin.core.flow.Switch"]
    value: Annotated[Text, Field(examples=["{{ inputs.region }}"])]
    """The value, as text. It may use the inputs, and what tasks before the group have printed."""
    cases: Annotated[
        dict[str, tuple[TaskOrGroup, ...]], Field(examples=[{"eu": [{"id": "europe", "commands": ["echo Paris"]}]}])
    ] = Field(default_factory=dict)
    """By value, the tasks that run one after the other for it: the value must be exactly this text."""
    defaults: tuple[TaskOrGroup, ...] = ()
    """The tasks that run one after the other if there is no case for the value. Without `defaults`, the group fails
    then; the record has that as the task `<id>.defaults`."""

    @model_validator(mode="after")
    def _has_tasks(self) -> Self:
        if not self.cases and not self.defaults:
            raise ValueError("a Switch has `cases`, `defaults`, or both; this has no tasks")
        return self


class DagTask(Properties):
    """An entry in the `tasks` of a Dag: a task or group, and what it waits for."""

    task: TaskOrGroup
    """The task or group."""
    depends_on: tuple[str, ...] = ()
    """The ids of the tasks of this Dag that it waits for. Without any, it waits for none of them."""

    @model_validator(mode="before")
    @classmethod
    def _task_in_entry(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the manifest has here
        if isinstance(data, dict) and TASK_OF_ENTRY not in data and {"id", "type"} & data.keys():
            raise ValueError("an entry in the `tasks` of a Dag has its task at `task`, with `dependsOn` beside it")
        return data

    @model_validator(mode="after")
    def _depends_on_beside_the_task(self) -> Self:
        if self.task.depends_on is not None:
            raise ValueError("in a Dag, `dependsOn` stands beside `task`, not in it")
        return self


class Dag(_Group):
    """Tasks that wait for each other as they say. Once one has failed, none begins any more; those that run go on."""

    type: Literal["io.kestra.plugin.core.flow.Dag"]
    concurrent: Annotated[int, Field(ge=0)] = 0
    """How many of its tasks and groups run at once at most; 0 for all. With a limit of *n*, each begins once the *n*-th
    before it has ended, in an order in which each comes after those that it waits for."""
    tasks: Annotated[tuple[DagTask, ...], Field(min_length=1)]
    """The tasks, each with those that it waits for."""


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
    errors: Annotated[tuple[()], _AROUND_THE_LOOP] = ()
    finally_: Annotated[tuple[()], _AROUND_THE_LOOP, Field(alias="finally")] = ()


class _OldEach(_Group):
    value: Foreach
    """As `values` of a ForEach."""
    tasks: Annotated[tuple[TaskOrGroup, ...], Field(min_length=1), AfterValidator(no_foreach)]
    """As `tasks` of a ForEach."""

    def _limit(self) -> int:
        """For how many values it runs at once; 0 for all."""
        return 1

    def each(self, name: str, path: PropertyPath) -> Each:
        """The loop of this name, whose group is at `path`."""
        return Each(name, (*path, "value"), self.value, self._limit(), is_serial_by_default=False)


class EachSequential(_OldEach):
    """The old form of a ForEach whose values run one after the other."""

    type: Literal["io.kestra.plugin.core.flow.EachSequential"]


class EachParallel(_OldEach):
    """The old form of a ForEach whose values run side by side."""

    type: Literal["io.kestra.plugin.core.flow.EachParallel"]
    concurrent: Annotated[int, Field(ge=0)] = 0
    """For how many values the task runs at once at most; 0 for all."""

    def _limit(self) -> int:
        return self.concurrent


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
    if str(task_type) in APP_TASKS or task_type in ALL_GROUP_TYPES:
        return f"<{str(task_type).rpartition('.')[2]}>"
    return "<Task>"


Group = (
    Sequential
    | Parallel
    | Dag
    | If
    | Switch
    | AllowFailure
    | ForEach
    | EachSequential
    | EachParallel
    | Loop
    | WorkingDirectory
)
GROUPS: tuple[type[Group], ...] = typing.get_args(Group)
"""The models of all groups, in the order of their types. Each has the name of its type."""

TaskOrGroup = Annotated[
    Annotated[Task, Tag("<Task>")]
    | Annotated[Sequential, Tag("<Sequential>")]
    | Annotated[Parallel, Tag("<Parallel>")]
    | Annotated[Dag, Tag("<Dag>")]
    | Annotated[If, Tag("<If>")]
    | Annotated[Switch, Tag("<Switch>")]
    | Annotated[AllowFailure, Tag("<AllowFailure>")]
    | Annotated[ForEach, Tag("<ForEach>")]
    | Annotated[EachSequential, Tag("<EachSequential>")]
    | Annotated[EachParallel, Tag("<EachParallel>")]
    | Annotated[Loop, Tag("<Loop>")]
    | Annotated[WorkingDirectory, Tag("<WorkingDirectory>")]
    | Annotated[Log, Tag("<Log>")]
    | Annotated[Return, Tag("<Return>")]
    | Annotated[OutputValues, Tag("<OutputValues>")]
    | Annotated[Fail, Tag("<Fail>")]
    | Annotated[Assert, Tag("<Assert>")],
    Discriminator(_kind),
]

for _group in (DagTask, *GROUPS):
    _group.model_rebuild()
