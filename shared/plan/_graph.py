"""The graph of a flow's tasks: which tasks wait for which, and whose values their expressions need."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from shared.documents.states import Phase
from shared.errors import Problem, did_you_mean
from shared.manifest.app_tasks import AppTask
from shared.manifest.blocks import Branch, Condition, Each, PlacedTask
from shared.manifest.order import tasks_before
from shared.manifest.read import Manifest, Task
from shared.manifest.task import ForeachFile
from shared.manifest.types import texts_with_paths
from shared.manifest.working_directory import OF_DIRECTORY, Directory
from shared.plan._graph_task import GraphTask
from shared.plan._names_used import names_used, paths_used, texts_to_render
from shared.plan._states import FUNCTIONS_OF_ENDED

AT_THE_END = ""
"""In place of a task's id: what is rendered when all tasks have ended."""
_INSTEAD_OF_OUTPUTS = "use those of its tasks, or write its condition or value again"
OUTPUTS, STATE = "outputs", "state"
_READS = re.compile(r"\b(?:read|fileExists|fileSize|isFileEmpty)\s*\(")


class FlowGraph:
    """The tasks of a flow that are run, and their dependencies.

    `values` are what the expressions of all tasks see. `problems` are the expressions that use the outputs of a task
    that does not run before; they are left out of the graph.
    """

    def __init__(self, manifest: Manifest, values: Mapping[str, Any]) -> None:
        self._manifest = manifest
        self._indexes = {task.id: index for index, task in enumerate(manifest.flow.tasks)}
        self._values = values
        self._in_loop: dict[str, tuple[str, ...]] = {}
        self._loops_by_id: dict[str, Each] = {}
        self._all_before: dict[str, frozenset[str]] = {}
        self._upstream = {name: tasks_before(name, manifest.comes_after) for name in manifest.dependencies}
        self._upstream[AT_THE_END] = set(manifest.dependencies)
        self._placed = {placed.task.id: placed for placed in manifest.flow.placed_tasks}
        for name in manifest.dependencies:
            for each in self.loops(name):
                self._in_loop[each.id] = (*self._in_loop.get(each.id, ()), name)
                self._loops_by_id[each.id] = each
        placed = [self._placed[name] for name in manifest.dependencies]
        self._in_branch = _by_branch((each.task.id, each.branches) for each in placed)
        self._fail_branch = _by_branch((each.task.id, each.fails) for each in placed)
        self._branches = {name: self._limited_branches(name) for name in manifest.dependencies}
        self._begun = {name: self._late_branches(name) for name in manifest.dependencies}
        self._members = _by_directory(placed)
        self._with_outputs = {name: self._outputs_before(name) for name in self._upstream}
        self.problems: list[Problem] = []
        self.tasks = {name: self._graph_task(name) for name in manifest.dependencies}

    def upstream_of(self, name: str) -> set[str]:
        """All tasks that a task waits for, directly or through others; and the groups of theirs that have outputs."""
        return self._with_outputs[name]

    def _outputs_before(self, name: str) -> set[str]:
        groups = {group for group in self._members if self._is_before(group, name)}
        return self._upstream[name] | groups if groups else self._upstream[name]

    def _is_before(self, group: str, name: str) -> bool:
        """Whether a task waits for all tasks of a WorkingDirectory."""
        return group in self._members and self._upstream[name].issuperset(self._members[group])

    def may_be_before(self, name: str, other: str) -> bool:
        """Whether another task may run before a task, though what is left of a broken manifest does not say so."""
        return self._manifest.gaps.may_be_before(name, other, self._upstream[name])

    def has_known_outputs(self, name: str) -> bool:
        """Whether there is a task, or group with outputs, of which nothing is taken out that these depend on."""
        is_there, tasks = name in self._indexes or name in self._members, self._members.get(name, (name,))
        return is_there and self._manifest.gaps.outputs.isdisjoint(tasks)

    def is_fan_out(self, name: str) -> bool:
        """Whether a task has `foreach`, or is in a loop."""
        task = self._task(name)
        return bool(self.loops(name)) or (isinstance(task, Task) and task.foreach is not None)

    def app_task(self, name: str) -> AppTask | None:
        """A task that the app evaluates; None if it is no such task."""
        task = self._task(name) if name in self._indexes else None
        return task if isinstance(task, AppTask) else None

    def loops(self, name: str) -> tuple[Each, ...]:
        """The loops that a task is in, the outermost first."""
        return self._placed[name].loops if name in self._placed else ()

    def placed(self, name: str) -> PlacedTask:
        """A task with what the blocks around it mean for it."""
        return self._placed[name]

    def tasks_in(self, loop: str) -> tuple[str, ...]:
        """The tasks in a loop, also in loops inside of it."""
        return self._in_loop.get(loop, ())

    def is_nested(self, name: str) -> bool:
        """Whether this is a loop, or a task in loops inside of each other."""
        return not self.is_known(name) or len(self.loops(name)) > 1

    def outputs_before(self, name: str) -> frozenset[str]:
        """What has outputs before a task begins: tasks, and Loops of Kestra 2."""
        if name not in self._all_before:
            self._all_before[name] = self.loops_before(name) | self.upstream_of(name)
        return self._all_before[name]

    def loops_before(self, name: str) -> frozenset[str]:
        """The Loops of Kestra 2 that have ended before a task begins."""
        own, upstream = {each.id for each in self.loops(name)}, self._upstream[name]
        return frozenset(
            loop
            for loop, tasks in self._in_loop.items()
            if loop not in own and self._loops_by_id[loop].is_isolated and upstream.issuperset(tasks)
        )

    def loop(self, name: str) -> Each:
        """The loop of this name."""
        return self._loops_by_id[name]

    def can_fail(self, loop: str) -> bool:
        """Whether a failure of a task in a loop stops others."""
        return not all(self._task(name).allow_failure for name in self.tasks_in(loop))

    def directory(self, name: str) -> Directory | None:
        """The directory that a task shares with others."""
        return self._placed[name].directory if name in self._placed else None

    def members(self, group: str) -> tuple[str, ...]:
        """The tasks that share the directory of a WorkingDirectory, in their order; none if it is another name."""
        return self._members.get(group, ())

    def conditions(self, name: str) -> tuple[Condition, ...]:
        """What must hold for a task to run, the outermost first."""
        return self._placed[name].conditions

    def runs_on_failure_of(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The tasks of which one must have failed for a task in `errors` to run; for each `errors` around it."""
        return tuple(failure.tasks for failure in self._placed[name].on_failure_of)

    def phase(self, name: str) -> Phase:
        """The part of the flow that a task is in."""
        return self._placed[name].phase

    def branches(self, name: str) -> tuple[Branch, ...]:
        """The branches that fail with a task: once it has failed, no other branch of their groups begins.

        With a limit of 1 that is so anyway, because each branch waits for the one before it.
        """
        return self._branches[name]

    def _limited_branches(self, name: str) -> tuple[Branch, ...]:
        return tuple(branch for branch in self._placed[name].fails if branch.limit > 1)

    def begun_branches(self, name: str) -> tuple[Branch, ...]:
        """The branches that begin with a task, and not with their group."""
        return self._begun[name]

    def _late_branches(self, name: str) -> tuple[Branch, ...]:
        waits_for = self._manifest.dependencies[name]
        late = (branch for branch in self._placed[name].branches if branch.limit > 1 and branch.is_late)
        return tuple(branch for branch in late if not self._in_branch[branch].intersection(waits_for))

    def _task(self, name: str) -> Task | AppTask:
        return self._manifest.flow.tasks[self._indexes[name]]

    def _graph_task(self, name: str) -> GraphTask:
        task, upstream = self._task(name), self._upstream[name]
        used: set[str] = set()
        for place, text in self._texts(name):
            for what, path in _of_other_tasks(text):
                if path and what == OUTPUTS and self._is_before(path[0], name):
                    used |= set(self._members[path[0]]) if _READS.search(text) else set()
                elif path and path[0] in self.loops_before(name):
                    used |= set(self.tasks_in(path[0]))
                elif path and path[0] != "*" and path[0] not in upstream:
                    is_told = (
                        path[0] not in self._manifest.gaps.ids
                        if path[0] not in self._indexes
                        else not self.may_be_before(name, path[0])
                    )
                    if is_told:
                        self.problems.append(place(self.not_before(path[0], what)))
                elif what == STATE or _READS.search(text) or not self._is_of_files(name, path):
                    used |= {path[0]} if path and path[0] != "*" else upstream
        files = task.foreach.files if isinstance(task, Task) and isinstance(task.foreach, ForeachFile) else None
        if files and files.task in upstream:
            used.add(files.task)
        return GraphTask(
            name,
            self._manifest.dependencies[name],
            frozenset(each for each in used if not self._is_over_before(each) or self.shares_loop(name, each)),
            is_fan_out=self.is_fan_out(name),
            is_serial=any(each.limit == 1 for each in self.loops(name)[:1]),
            needs_node=isinstance(task, Task),
            follows=frozenset(self._manifest.follows.get(name, ())),
            may_stop=isinstance(task, Task) or (task.may_stop and not task.allow_failure),
            stopped_by=frozenset(itertools.chain.from_iterable(map(self._tasks_beside, self.begun_branches(name)))),
            loops=tuple(each.id for each in self.loops(name)),
        )

    def _is_over_before(self, name: str) -> bool:
        """Whether all of a task has ended before anything begins that waits for it."""
        return self.is_fan_out(name) and self.app_task(name) is None

    def _is_of_files(self, name: str, path: tuple[str, ...]) -> bool:
        """Whether what an expression uses of another task are only files, whose paths are known before it has ended."""
        is_sibling = bool(path) and self.is_known(path[0]) and self.shares_loop(name, path[0])
        return "outputFiles" in (path[1:] if is_sibling else path[1:2])

    def is_known(self, name: str) -> bool:
        """Whether there is a task of this id that is run."""
        return name in self._manifest.dependencies

    def shares_loop(self, name: str, other: str) -> bool:
        """Whether two tasks are in the same outermost loop."""
        return self.loops(name)[:1] == self.loops(other)[:1] != ()

    def _tasks_beside(self, branch: Branch) -> Iterator[str]:
        """The tasks with which the other branches of the group fail."""
        for other, names in self._fail_branch.items():
            if other.group == branch.group and other != branch:
                yield from names

    def _texts(self, name: str) -> Iterator[tuple[Callable[[str], Problem], str]]:
        """Every text that is rendered for a task, and what makes a problem with it; also those given to `render()`."""
        own = self._task(name).model_copy(update={"run_if": None, "when": None, **self._without_values(name)})
        at = ("tasks", self._indexes[name])
        written: list[tuple[Callable[[str], Problem], str]] = [
            (partial(self._manifest.problem, (*at, *path)), text) for path, text in texts_with_paths(own)
        ]
        if directory := self.directory(name):
            of_group = (((OF_DIRECTORY, *path), text) for path, text in directory.files.texts())
            written += [(partial(self._manifest.problem, (*at, *path)), text) for path, text in of_group]
        written += [(partial(self._manifest.layout.problem, each.path), each.text) for each in self.conditions(name)]
        for each in self.loops(name):
            of_loop = texts_with_paths(each.values, each.path)
            written += [(partial(self._manifest.layout.problem, path), text) for path, text in of_loop]
        for place, text in written:
            yield from ((place, rendered) for rendered in texts_to_render(text, self._values))

    def _without_values(self, name: str) -> dict[str, None]:
        """What a task in a loop has of its values: they are those of the loop."""
        return {"foreach": None} if self.loops(name) else {}

    def not_before(self, name: str, what: str = OUTPUTS) -> str:
        """The message for a use of what is not known of a task, because it does not run before."""
        if name in self._indexes or name in self._members:
            return f"uses the {what} of {name!r}, which does not run before it"
        if any(entry.id == name for entry in self._manifest.flow.order):
            return f"uses the {what} of the group {name!r}, which has none here: {_INSTEAD_OF_OUTPUTS}"
        with_hyphen = [other for other in self._indexes if other.startswith(f"{name}-")]
        value = "outputs" if what == OUTPUTS else "tasks"
        hint = f"; write `{value}['{with_hyphen[0]}']`" if with_hyphen else did_you_mean(name, self._indexes)
        return f"there is no task {name!r}{hint}"


def _of_other_tasks(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of which tasks a text uses the outputs or the state: their paths, empty for all tasks."""
    for value, what in (("outputs", OUTPUTS), ("tasks", STATE)):
        yield from ((what, path) for path in sorted(paths_used(text, value)))
    if any(names_used(text, function) for function in FUNCTIONS_OF_ENDED):
        yield STATE, ()


def _by_branch(branches: Iterable[tuple[str, tuple[Branch, ...]]]) -> dict[Branch, set[str]]:
    """The tasks of each branch of the groups with a limit."""
    found: dict[Branch, set[str]] = {}
    for name, own in branches:
        for branch in own:
            found.setdefault(branch, set()).add(name)
    return found


def _by_directory(tasks: Iterable[PlacedTask]) -> dict[str, tuple[str, ...]]:
    """The tasks that share a directory, in their order, by their group."""
    found: dict[str, tuple[str, ...]] = {}
    for placed in tasks:
        if placed.directory:
            found[placed.directory.group] = (*found.get(placed.directory.group, ()), placed.task.id)
    return found
