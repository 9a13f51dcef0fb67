"""Tasks that need no node: the app evaluates them where they stand. They are recorded like all others.

What they do is that of Kestra's tasks of the same types, `io.kestra.plugin.core.*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from shared.manifest.task import TaskId, TaskProperties
from shared.manifest.task_types import APP_TASK_TYPES
from shared.manifest.types import NoEffect, Text


class Level(StrEnum):
    """How important a message is."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def _messages_kind(value: object) -> str:
    return "<list>" if isinstance(value, list | tuple) else "<text>"


Messages = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[tuple[Text, ...], Tag("<list>")], Discriminator(_messages_kind)
]
_AT_ONCE = NoEffect("the app evaluates the task at once, and the same again gives the same")


class AppTask(TaskProperties):
    """What all tasks that need no node have in common.

    It `may_stop` the flow, so that what follows it waits until it is evaluated. `outputs` are the names of its outputs.
    """

    may_stop: ClassVar[bool] = False
    outputs: ClassVar[tuple[str, ...]] = ()

    id: TaskId
    """Its name: in `dependsOn`, in expressions, and in the results."""
    type: str
    """Kestra's type."""
    disabled: bool = False
    """Leave the task out. Tasks that depend on it wait for the tasks that it depends on instead."""
    depends_on: tuple[str, ...] | None = None
    """The ids of the tasks it waits for; `[]` for none. Without it, a task waits for the one before it."""
    allow_failure: bool = False
    """Continue when the task fails: it ends as WARNING, and the tasks that wait for it run."""
    timeout: Annotated[Any, _AT_ONCE] = None
    retry: Annotated[Any, _AT_ONCE] = None


class Log(AppTask):
    """Messages for readers of the run: they are the task's log, and stand in the report."""

    type: Literal["io.kestra.plugin.core.log.Log"]
    message: Annotated[Messages, Field(examples=["{{ outputs.count.vars.rows }} rows"])]
    """The message, or a list of messages."""
    level: Level = Level.INFO
    """How important it is; `ERROR` does not make the task fail, but `errorLogs()` has the message."""


class Return(AppTask):
    """A text for later tasks: `{{ outputs.<task>.value }}`."""

    outputs: ClassVar[tuple[str, ...]] = ("value",)

    type: Literal["io.kestra.plugin.core.debug.Return"]
    format: Annotated[Text | None, Field(examples=["{{ flow.id }}-{{ inputs.region }}"])] = None
    """The text."""


class OutputValues(AppTask):
    """Values for later tasks: `{{ outputs.<task>.values.<name> }}`."""

    outputs: ClassVar[tuple[str, ...]] = ("values",)

    type: Literal["io.kestra.plugin.core.output.OutputValues"]
    values: Annotated[dict[str, Any], Field(examples=[{"rows": "{{ outputs.count.vars.rows }}"}])]
    """By name: texts, in which expressions are rendered, or values of any other kind."""


class Fail(AppTask):
    """Fails; with a `condition`, only if that holds."""

    may_stop: ClassVar[bool] = True

    type: Literal["io.kestra.plugin.core.execution.Fail"]
    condition: Annotated[Text | None, Field(examples=["{{ outputs.count.vars.rows == 0 }}"])] = None
    """Whether the task fails: empty text, `false`, `0` and `-0` do not hold. Without it, it always fails."""
    error_message: Text = "Task failure"
    """Why it fails."""


class Assert(AppTask):
    """Fails unless all of its conditions hold."""

    may_stop: ClassVar[bool] = True

    type: Literal["io.kestra.plugin.core.execution.Assert"]
    conditions: Annotated[tuple[Text, ...], Field(min_length=1, examples=[["{{ outputs.count.vars.rows > 0 }}"]])]
    """What must hold: empty text, `false`, `0` and `-0` do not."""
    error_message: Text | None = None
    """What the failure says besides."""


APP_TASKS: Mapping[str, type[AppTask]] = dict(
    zip(APP_TASK_TYPES, (Log, Return, OutputValues, Fail, Assert), strict=True)
)
"""By type."""
