"""Reads a manifest: text → `Manifest`, or ManifestError with everything that is wrong, and where.

A manifest is a Kestra flow, or one task at top level (the task form), or a run request that has or names one of them.
Its models are the language: a property that they do not have is an error. Texts may hold expressions, which are
rendered when a round is planned, never here.

    request.py      a run request
    flow.py         the flow, which is the root
    groups.py       groups of tasks, and _lowering.py what they mean
    inputs.py       its inputs
    task.py         a task
    task_runner.py  its task runner
    types.py        what the models are built from
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from shared.errors import ManifestError, Problem
from shared.manifest._causes import causes
from shared.manifest._defaults import with_plugin_defaults
from shared.manifest._gaps import WITHOUT_GAPS, Gaps
from shared.manifest._layout import Layout
from shared.manifest._loop_contents import problems_in_loops
from shared.manifest._major import readings
from shared.manifest._salvage import Salvaged, salvage
from shared.manifest._source import Source, read_source
from shared.manifest.flow import MAX_TASKS, STORED, Context, Flow
from shared.manifest.order import dependencies_of, followed_tasks, problems_of_order, tasks_before
from shared.manifest.problems import each_once, first_problems, problems_of, warnings_of
from shared.manifest.request import FLOW, NOTHING_GIVEN, Given, is_request, request_in
from shared.manifest.task import ForeachFile, Task
from shared.manifest.types import PropertyPath

__all__ = ["Flow", "Manifest", "Task", "names_in_task_form", "read_manifest"]


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: the flow, and the layout of its text, so that later problems can name their place.

    `dependencies` has the ids of the tasks that are run, each with the ids of the tasks that it waits for; `follows`
    has those that must have ended before each, well or not. `warnings` say which properties have no effect. `gaps` is
    what is not known of the rest of a broken manifest. `given` are the values that the run's request has for the flow's
    inputs.
    """

    flow: Flow
    dependencies: Mapping[str, tuple[str, ...]]
    follows: Mapping[str, tuple[str, ...]]
    warnings: tuple[Problem, ...]
    layout: Layout
    gaps: Gaps = WITHOUT_GAPS
    given: Given = NOTHING_GIVEN

    @cached_property
    def comes_after(self) -> Mapping[str, tuple[str, ...]]:
        """For each task that is run, all that it waits for or follows."""
        return {name: (*names, *self.follows[name]) for name, names in self.dependencies.items()}

    def problem(self, path: PropertyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the property at `path` (counted from the flow: `("tasks", 0, "commands", 1)`).

        The index of a task is that in `flow.tasks`.
        """
        match path:
            case ("tasks", int(index), *below):
                path = self.flow.placed_tasks[index].place_of(tuple(below))
        return self.layout.problem(path, message, at_key=at_key)

    def problem_of_task(self, name: str, path: PropertyPath, message: str) -> Problem:
        """A problem with the property at `path` of the task, or the WorkingDirectory, with the id `name`."""
        if directory := self.flow.directories.get(name):
            return self.layout.problem((*directory.path, *path), message)
        index = next(index for index, task in enumerate(self.flow.tasks) if task.id == name)
        return self.problem(("tasks", index, *path), message)


class BrokenManifest(ManifestError):  # noqa: N818 - as the other exceptions, it is named after what has happened
    """The manifest cannot be run; `rest` is what is left of it without its mistakes, None if that is not a flow.

    Planning finds further mistakes in the rest; `planner.checked_manifest` tells all of them at once.
    """

    def __init__(self, problems: list[Problem], rest: Manifest | None) -> None:
        self.rest = rest
        super().__init__(problems)


def read_manifest(
    text: str, name: str, *, file: str | None = None, given: Given | None = None, stored: bool = False
) -> Manifest:
    """Read a manifest. `name` is the blob's name: `.json` at its end means JSON, anything else YAML.

    `file` is the name that problems have of it, if it is not the run's manifest itself. If it is a run request with the
    flow inside, that flow is read; `given` takes the place of what this request gives. Triggers are those of a `stored`
    flow: otherwise they are a warning.

    Raises ManifestError with all problems that can be found without rendering expressions.
    """
    source = read_source(text, as_json=is_json(name), file=file)
    if not is_request(source.data):
        return _read_flow(source, (), given or NOTHING_GIVEN, STORED if stored else None)
    try:
        written = request_in(source)
    except ManifestError as error:
        raise ManifestError(_with_those_of_the_flow(error.problems, source)) from error
    if not isinstance(written.request.flow, dict):
        raise ManifestError([source.problem((), "this names a flow, and has none: it cannot be run as one itself")])
    return _read_flow(source, (FLOW,), given or written.given())


def _with_those_of_the_flow(problems: list[Problem], source: Source) -> list[Problem]:
    """The problems of a wrong request, and those of the flow in it: all at once."""
    if isinstance(source.data.get(FLOW), dict) and not is_request(source.data[FLOW]):
        try:
            _read_flow(source, (FLOW,), NOTHING_GIVEN)
        except ManifestError as of_flow:
            return first_problems(each_once([*of_flow.problems, *problems]))
    return problems


def is_json(name: str) -> bool:
    """Whether the name of a blob says that it is JSON; otherwise it is YAML."""
    return name.lower().endswith(".json")


def _read_flow(source: Source, root: PropertyPath, given: Given, context: Context = None) -> Manifest:
    """The flow at `root` of a document; `context` is STORED for a stored one."""
    written = Layout(source, root=root).written
    if not isinstance(written, dict):
        message = "a manifest is a map of properties, such as `tasks:` or `commands:`"
        raise ManifestError([*source.problems, source.problem(root, message)])
    data, in_form = _as_flow(written) if _is_task_form(written) else (written, {})
    data, by_defaults = with_plugin_defaults(data, Layout(source, in_form, root))
    layout = Layout(source, {**in_form, **by_defaults}, root)
    problems = list(source.problems)
    try:
        flow, gaps = Flow.model_validate(data, context=context), WITHOUT_GAPS
    except ValidationError:
        flow, gaps = None, WITHOUT_GAPS
    if flow is None or _has_wrong_order(flow):
        salvaged = salvage(data, context)
        flow, gaps = salvaged.flow, salvaged.gaps
        problems += _problems_of(salvaged, layout)
        moved = {path: layout.as_written(place) for path, place in salvaged.moved.items()}
        layout = Layout(source, {**layout.moved, **moved}, root)
    manifest = _manifest(flow, layout, gaps, given) if flow else None
    if manifest:
        problems += [*_problems_of_items(manifest), *_problems_of_directories(manifest)]
        problems += [layout.problem(path, message) for path, message in problems_in_loops(manifest.flow.block)]
    if problems:
        raise BrokenManifest(first_problems(each_once(causes(problems, source))), manifest)
    assert manifest is not None  # noqa: S101 - there is no problem
    return manifest


def _has_wrong_order(flow: Flow) -> bool:
    return len(flow.tasks) > MAX_TASKS or next(problems_of_order(flow.order), None) is not None


def _problems_of(salvaged: Salvaged, layout: Layout) -> Iterator[Problem]:
    for errors in salvaged.form:
        yield from problems_of(errors, layout, Flow)
    yield from (layout.problem(problem.path, problem.message) for problem in salvaged.order)
    if salvaged.too_many:
        message = f"a flow has at most {MAX_TASKS} tasks, this one has {salvaged.too_many}; use `foreach` for more"
        yield layout.problem(("tasks",), message)


def _manifest(flow: Flow, layout: Layout, gaps: Gaps, given: Given) -> Manifest:
    different = readings(flow, flow.major) if flow.kestra is None else ()
    notes = [layout.problem(path, message, at_key=True) for path, message in (*warnings_of(flow), *different)]
    labelled = flow.model_copy(update={"labels": {**flow.labels, **given.labels}}) if given.labels else flow
    waits_for, follows = dependencies_of(flow.order), followed_tasks(flow.order)
    return Manifest(labelled, waits_for, follows, tuple(each_once(notes)), layout, gaps, given)


def _problems_of_items(manifest: Manifest) -> Iterator[Problem]:
    """A problem for each fan-out over the files of a task that does not run before it."""
    for index, task in enumerate(manifest.flow.tasks):
        if (
            isinstance(task, Task)
            and isinstance(task.foreach, ForeachFile)
            and task.foreach.files
            and task.id in manifest.dependencies
        ):
            other = task.foreach.files.task
            before = tasks_before(task.id, manifest.comes_after)
            if other not in before and not manifest.gaps.may_be_before(task.id, other, before):
                path = ("tasks", index, "foreach", "files", "task")
                yield manifest.problem(path, f"{other!r} is not a task that runs before this one")


def _problems_of_directories(manifest: Manifest) -> Iterator[Problem]:
    """A problem for each task of a WorkingDirectory that cannot be one.

    Kestra's WorkingDirectoryTaskValidator: "Only runnable tasks are allowed as children of a WorkingDirectory task".
    """
    told: set[PropertyPath] = set()
    for placed in manifest.flow.placed_tasks:
        if placed.directory is None:
            continue
        child = placed.path[: len(placed.directory.path) + 2]
        if child != placed.path:
            message = "the tasks of a WorkingDirectory are tasks, not groups, as in Kestra; put its tasks in its place"
            yield from () if child in told else [manifest.layout.problem(child, message)]
            told.add(child)
        elif isinstance(placed.task, Task) and placed.task.foreach is not None:
            message = "a task of a WorkingDirectory runs once: give the items to its commands, in a loop"
            yield manifest.layout.problem(placed.foreach_path, message)
        elif placed.task.depends_on is not None:
            message = "each task of a WorkingDirectory waits for the one before it: leave this out"
            yield manifest.layout.problem((*placed.path, "dependsOn"), message)


def _is_task_form(data: dict[str, Any]) -> bool:
    return "tasks" not in data and ("commands" in data or "script" in data)


def _as_flow(data: dict[str, Any]) -> tuple[dict[str, Any], dict[PropertyPath, PropertyPath]]:
    """The flow that the task form is short for, and where its task is in the file.

    `id` names both, `description` and `timeout` are the task's.
    """
    flow_names, _ = names_in_task_form()
    flow = {name: value for name, value in data.items() if name in flow_names or name == "id"}
    task = {name: value for name, value in data.items() if name not in flow_names}
    return {**flow, "tasks": [{"id": "task", **task}]}, {("tasks", 0): ()}


def names_in_task_form() -> tuple[set[str], set[str]]:
    """The properties of the task form: those of the flow, and those of the task."""
    task_names = {field.alias for field in Task.model_fields.values() if field.alias}
    flow_names = {field.alias for field in Flow.model_fields.values() if field.alias}
    return flow_names - task_names - {"tasks"}, task_names
