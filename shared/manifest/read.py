"""Reads a manifest: text → `Manifest`, or ManifestError with everything that is wrong, and where.

A manifest is a Kestra flow, or one task at top level (the task form). Its models are the language: a property that they
do not have is an error. Texts may hold expressions, which are rendered when a round is planned, never here.

    flow.py         the flow, which is the root
    groups.py       groups of tasks: Sequential, Parallel, ForEach
    inputs.py       its inputs
    task.py         a task
    task_runner.py  its task runner
    types.py        what the models are built from
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.errors import ManifestError, Problem
from shared.manifest._defaults import with_plugin_defaults
from shared.manifest._source import Layout, parse
from shared.manifest.flow import MAX_TASKS, Flow
from shared.manifest.order import dependencies_of, problems_of_order, tasks_before
from shared.manifest.problems import MAX_PROBLEMS, first_problems, in_file_order, problems_of, warnings_of
from shared.manifest.task import ForeachFile, Task
from shared.manifest.types import PropertyPath

__all__ = ["Flow", "Manifest", "Task", "names_in_task_form", "read_manifest"]


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the flow, and the layout of its text, so that later problems can name their place.

    `dependencies` has the ids of the tasks that are run, each with the ids of the tasks that it waits for. `warnings`
    say which properties have no effect.
    """

    flow: Flow
    dependencies: Mapping[str, tuple[str, ...]]
    warnings: tuple[Problem, ...]
    layout: Layout

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path` (counted from the flow: `("tasks", 0, "commands", 1)`).

        The index of a task is that in `flow.tasks`.
        """
        match path:
            case ("tasks", int(index), *below):
                placed = self.flow.placed_tasks[index]
                is_foreach = below[:1] == ["foreach"]
                path = (*placed.foreach_path, *below[1:]) if is_foreach else (*placed.path, *below)
        return self.layout.problem(path, message, at_key=at_key)


def read_manifest(text: str, name: str) -> Manifest:
    """Read a manifest. `name` is the blob's name: `.json` at its end means JSON, anything else YAML.

    Raises ManifestError with all problems that can be found without rendering expressions.
    """
    source = parse(text, as_json=name.endswith(".json"))
    if not isinstance(source.data, dict):
        raise ManifestError([source.problem((), "a manifest is a map of properties, such as `tasks:` or `commands:`")])
    is_task_form = _is_task_form(source.data)
    data = _as_flow(source.data) if is_task_form else source.data
    in_form: dict[PropertyPath, PropertyPath] = {("tasks", 0): ()} if is_task_form else {}
    data, by_defaults = with_plugin_defaults(data, Layout(source, in_form))
    layout = Layout(source, {**in_form, **by_defaults})
    try:
        flow = Flow.model_validate(data)
    except ValidationError as error:
        raise ManifestError(problems_of(error, layout, Flow)) from error
    return _manifest(flow, layout)


def _manifest(flow: Flow, layout: Layout) -> Manifest:
    if len(flow.tasks) > MAX_TASKS:
        message = f"a flow has at most {MAX_TASKS} tasks, this one has {len(flow.tasks)}; use `foreach` for more"
        raise ManifestError([layout.problem(("tasks",), message)])
    if wrong := list(itertools.islice(problems_of_order(flow.order), MAX_PROBLEMS + 1)):
        raise ManifestError(first_problems([layout.problem(problem.path, problem.message) for problem in wrong]))
    notes = [layout.problem(path, message, at_key=True) for path, message in warnings_of(flow)]
    warnings = sorted(dict.fromkeys(notes), key=in_file_order)
    manifest = Manifest(flow, dependencies_of(flow.order), tuple(warnings), layout)
    if problems := list(_problems_of_items(manifest)):
        raise ManifestError(problems)
    return manifest


def _problems_of_items(manifest: Manifest) -> Iterator[Problem]:
    """A problem for each fan-out over the files of a task that does not run before it."""
    for index, task in enumerate(manifest.flow.tasks):
        if isinstance(task.foreach, ForeachFile) and task.foreach.files and task.id in manifest.dependencies:
            other = task.foreach.files.task
            if other not in tasks_before(task.id, manifest.dependencies):
                path = ("tasks", index, "foreach", "files", "task")
                yield manifest.problem(path, f"{other!r} is not a task that runs before this one")


def _is_task_form(data: dict[str, Any]) -> bool:
    return "tasks" not in data and ("commands" in data or "script" in data)


def _as_flow(data: dict[str, Any]) -> dict[str, Any]:
    """The flow that the task form is short for; `id` names both, `description` and `timeout` are the task's."""
    flow_names, _ = names_in_task_form()
    flow = {name: value for name, value in data.items() if name in flow_names or name == "id"}
    task = {name: value for name, value in data.items() if name not in flow_names}
    return {**flow, "tasks": [{"id": "task", **task}]}


def names_in_task_form() -> tuple[set[str], set[str]]:
    """The properties of the task form: those of the flow, and those of the task."""
    task_names = {field.alias for field in Task.model_fields.values() if field.alias}
    flow_names = {field.alias for field in Flow.model_fields.values() if field.alias}
    return flow_names - task_names - {"tasks"}, task_names
