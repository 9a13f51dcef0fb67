"""The manifest: bytes → `Manifest`, or ManifestError with everything that is wrong and where.

A manifest is a Kestra flow, or one task at top level (the task form). The models below are the language: what is not
in them is an error. Texts may hold expressions; they are rendered when a round is planned (`plan.py`), never here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from shared import yaml_source
from shared.errors import ManifestError, Problem
from shared.manifest_errors import problems_of
from shared.manifest_order import Step, dependencies, problems_of_order
from shared.manifest_task import Task
from shared.manifest_values import Duration, Properties, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_BYTES", "Flow", "Input", "Manifest", "Task", "read_manifest", "redacted"]

MAX_BYTES = 1024 * 1024
LONGEST_FLOW = timedelta(days=6)


class Input(Properties):
    """An input of the flow: here its default is its value."""

    id: str
    type: str = "STRING"
    description: str | None = None
    required: bool = True
    defaults: Any = None


class Flow(Properties):
    """A Kestra flow."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=100)] | None = None
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=150)] | None = None
    description: str | None = None
    labels: dict[str, Text] = Field(default_factory=dict)
    variables: dict[str, Any] = Field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    timeout: Annotated[Duration, Field(le=LONGEST_FLOW)] = LONGEST_FLOW
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0

    @model_validator(mode="after")
    def _task_ids_differ(self) -> Self:
        ids = [task.id for task in self.tasks]
        repeated = sorted({task_id for task_id in ids if ids.count(task_id) > 1})
        if repeated:
            raise ValueError(f"task ids must differ; there is more than one {repeated[0]!r}")
        return self


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the flow, and the text it came from, so that later problems can name their place.

    `dependencies` are the tasks that run, and for each the ids of the tasks it waits for.
    """

    flow: Flow
    source: yaml_source.Source
    is_task_form: bool
    dependencies: Mapping[str, tuple[str, ...]]
    warnings: tuple[Problem, ...] = ()

    def problem(self, path: tuple[str | int, ...], message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path` (counted from the flow: `("tasks", 0, "commands", 1)`)."""
        return _problem(self.source, path, message, is_task_form=self.is_task_form, at_key=at_key)


def read_manifest(text: str, name: str) -> Manifest:
    """Read a manifest; `name` is the blob's name, which tells JSON from YAML.

    Raises ManifestError with all problems that can be found without rendering expressions.
    """
    source = yaml_source.parse(text, as_json=name.endswith(".json"))
    if not isinstance(source.data, dict):
        raise ManifestError([source.problem((), "a manifest is a map of properties, such as `tasks:` or `commands:`")])
    is_task_form = _is_task_form(source.data)
    data = _as_flow(source.data) if is_task_form else source.data
    try:
        flow = Flow.model_validate(data)
    except ValidationError as error:
        raise ManifestError(problems_of(error, source, Flow, is_task_form=is_task_form)) from error
    steps = _steps(flow)
    indexes = {task.id: index for index, task in enumerate(flow.tasks)}
    if problems := problems_of_order(steps):
        raise ManifestError(
            [
                _problem(
                    source,
                    ("tasks", indexes[problem.step], "dependsOn", problem.entry),
                    problem.message,
                    is_task_form=is_task_form,
                )
                for problem in problems
            ]
        )
    return Manifest(flow, source, is_task_form, dependencies(steps))


def _steps(flow: Flow) -> list[Step]:
    """Without `dependsOn`, a task waits for the one before it."""
    return [
        Step(task.id, (before.id,) if task.depends_on is None and before else task.depends_on or (), not task.disabled)
        for before, task in zip((None, *flow.tasks), flow.tasks, strict=False)
    ]


def _problem(
    source: yaml_source.Source, path: tuple[str | int, ...], message: str, *, is_task_form: bool, at_key: bool = False
) -> Problem:
    if is_task_form and path[:1] == ("tasks",):
        path = path[2:]
    return source.problem(path, message, at_key=at_key)


def _is_task_form(data: dict[str, Any]) -> bool:
    return "tasks" not in data and ("commands" in data or "script" in data)


def _as_flow(data: dict[str, Any]) -> dict[str, Any]:
    """The flow that the task form stands for; `id` names both, `description` and `timeout` are the task's."""
    task_names = {field.alias for field in Task.model_fields.values()}
    flow_names = {field.alias for field in Flow.model_fields.values()} - (task_names - {"id"})
    flow = {name: value for name, value in data.items() if name in flow_names}
    task = {name: value for name, value in data.items() if name not in flow_names or name == "id"}
    return {**flow, "tasks": [{"id": "task", **task}]}


_CREDENTIAL_LINE = re.compile(
    r"""(?P<name>["']?\b(?:accessKey|connectionString|password|sharedKeyAccountAccessKey)["']?\s*:\s*)(?P<value>[^\s].*)"""
)


def redacted(text: str) -> str:
    """The manifest without literal credentials, line by line: what follows their names, unless it is a secret()."""

    def redact(match: re.Match[str]) -> str:
        value = match["value"].strip()
        is_expression = re.fullmatch(r"""["']?\s*\{\{[^{}]*\bsecret\s*\([^{}]*\}\}\s*["']?\s*(#.*)?,?""", value)
        return match.group() if is_expression else f'{match["name"]}"******"'

    return _CREDENTIAL_LINE.sub(redact, text)
