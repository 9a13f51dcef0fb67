"""The manifest: bytes → `Manifest`, or ManifestError with everything that is wrong and where.

A manifest is a Kestra flow, or one task at top level (the task form). Its models are the language: what is not in them
is an error. Texts may hold expressions; they are rendered when a round is planned (`plan.py`), never here.

    manifest_flow.py         the flow: the root
    manifest_inputs.py       its inputs
    manifest_groups.py       Sequential, Parallel, ForEach
    manifest_task.py         a task
    manifest_task_runner.py  its task runner
    manifest_kestra.py       what else Kestra knows
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.documents.run import MAX_BYTES
from shared.errors import ManifestError, Problem
from shared.manifest import _source as yaml_source
from shared.manifest._defaults import with_plugin_defaults
from shared.manifest._source import Layout, PropertyPath
from shared.manifest.flow import MAX_TASKS, Flow
from shared.manifest.order import dependencies, problems_of_order, tasks_before
from shared.manifest.problems import MAX_PROBLEMS, first_problems, in_file_order, problems_of, warnings_of
from shared.manifest.task import ForeachFile, Task

__all__ = ["MAX_BYTES", "Flow", "Manifest", "Task", "names_in_task_form", "read_manifest"]


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the flow, and the text it came from, so that later problems can name their place.

    `dependencies` are the tasks that run, and for each the ids of the tasks it waits for. `warnings` tell what has no
    effect.
    """

    flow: Flow
    dependencies: Mapping[str, tuple[str, ...]]
    warnings: tuple[Problem, ...]
    layout: Layout

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path` (counted from the flow: `("tasks", 0, "commands", 1)`).

        The number of a task is its place in `flow.tasks`.
        """
        match path:
            case ("tasks", int(index), *below):
                placed = self.flow.placed_tasks[index]
                is_foreach = below[:1] == ["foreach"]
                path = (*placed.foreach_path, *below[1:]) if is_foreach else (*placed.path, *below)
        return self.layout.problem(path, message, at_key=at_key)


def read_manifest(text: str, name: str) -> Manifest:
    """Read a manifest; `name` is the blob's name, which tells JSON from YAML.

    Raises ManifestError with all problems that can be found without rendering expressions.
    """
    source = yaml_source.parse(text, as_json=name.endswith(".json"))
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
    if wrong := list(itertools.islice(problems_of_order(flow.steps), MAX_PROBLEMS + 1)):
        raise ManifestError(first_problems([layout.problem(problem.path, problem.message) for problem in wrong]))
    notes = [layout.problem(path, message, at_key=True) for path, message in warnings_of(flow)]
    warnings = sorted(dict.fromkeys(notes), key=in_file_order)
    manifest = Manifest(flow, dependencies(flow.steps), tuple(warnings), layout)
    if problems := list(_problems_of_items(manifest)):
        raise ManifestError(problems)
    return manifest


def _problems_of_items(manifest: Manifest) -> Iterator[Problem]:
    """Fan-outs over files of tasks that do not run before them."""
    for index, task in enumerate(manifest.flow.tasks):
        if isinstance(task.foreach, ForeachFile) and task.foreach.files and task.id in manifest.dependencies:
            other = task.foreach.files.task
            if other not in tasks_before(task.id, manifest.dependencies):
                path = ("tasks", index, "foreach", "files", "task")
                yield manifest.problem(path, f"{other!r} is no task that runs before this one")


def _is_task_form(data: dict[str, Any]) -> bool:
    return "tasks" not in data and ("commands" in data or "script" in data)


def _as_flow(data: dict[str, Any]) -> dict[str, Any]:
    """The flow that the task form stands for; `id` names both, `description` and `timeout` are the task's."""
    flow_names, _ = names_in_task_form()
    flow = {name: value for name, value in data.items() if name in flow_names or name == "id"}
    task = {name: value for name, value in data.items() if name not in flow_names}
    return {**flow, "tasks": [{"id": "task", **task}]}


def names_in_task_form() -> tuple[set[str], set[str]]:
    """Which properties of the task form are the flow's, and which the task's."""
    task_names = {field.alias for field in Task.model_fields.values() if field.alias}
    flow_names = {field.alias for field in Flow.model_fields.values() if field.alias}
    return flow_names - task_names - {"tasks"}, task_names
