"""The graph of a flow's tasks: which tasks wait for which, and whose values their expressions need."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from shared.errors import Problem, did_you_mean
from shared.manifest.blocks import Branch, Condition, Each, PlacedTask
from shared.manifest.order import tasks_before
from shared.manifest.read import Manifest, Task
from shared.manifest.task import ForeachFile
from shared.manifest.types import texts_with_paths
from shared.plan._names_used import paths_used, texts_to_render
from shared.plan._rounds import GraphTask

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
        self._outputs_before: dict[str, frozenset[str]] = {}
        self._upstream = {name: tasks_before(name, manifest.dependencies) for name in manifest.dependencies}
        self._placed = {placed.task.id: placed for placed in manifest.flow.placed_tasks}
        for name in manifest.dependencies:
            for each in self.loops(name):
                self._in_loop[each.id] = (*self._in_loop.get(each.id, ()), name)
                self._loops_by_id[each.id] = each
        self._in_branch = _by_branch(self._placed[name] for name in manifest.dependencies)
        self._branches = {name: self._limited_branches(name) for name in manifest.dependencies}
        self._begun = {name: self._late_branches(name) for name in manifest.dependencies}
        self.problems: list[Problem] = []
        self.tasks = {name: self._graph_task(name) for name in manifest.dependencies}

    def upstream_of(self, name: str) -> set[str]:
        """All tasks that a task waits for, directly or through others."""
        return self._upstream[name]

    def may_be_before(self, name: str, other: str) -> bool:
        """Whether another task may run before a task, though what is left of a broken manifest does not say so."""
        return self._manifest.gaps.may_be_before(name, other, self._upstream[name])

    def has_known_outputs(self, name: str) -> bool:
        """Whether there is a task, and nothing of it is taken out that its outputs depend on."""
        return name in self._indexes and name not in self._manifest.gaps.outputs

    def is_fan_out(self, name: str) -> bool:
        """Whether a task has `foreach`."""
        return self._task(name).foreach is not None

    def loops(self, name: str) -> tuple[Each, ...]:
        """The loops that a task is in, the outermost first."""
        return self._placed[name].loops

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
        if name not in self._outputs_before:
            self._outputs_before[name] = self.loops_before(name) | self._upstream[name]
        return self._outputs_before[name]

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

    def conditions(self, name: str) -> tuple[Condition, ...]:
        """What must hold for a task to run, the outermost first."""
        return self._placed[name].conditions

    def branches(self, name: str) -> tuple[Branch, ...]:
        """The branches that a task is in: once it has failed, no other branch of their groups begins.

        With a limit of 1 that is so anyway, because each branch waits for the one before it.
        """
        return self._branches[name]

    def _limited_branches(self, name: str) -> tuple[Branch, ...]:
        return tuple(branch for branch in self._placed[name].branches if branch.limit > 1)

    def begun_branches(self, name: str) -> tuple[Branch, ...]:
        """Of these branches, those that do not begin with their group, and begin with this task."""
        return self._begun[name]

    def _late_branches(self, name: str) -> tuple[Branch, ...]:
        waits_for = self._manifest.dependencies[name]
        late = (branch for branch in self.branches(name) if branch.index >= branch.limit)
        return tuple(branch for branch in late if not self._in_branch[branch].intersection(waits_for))

    def _task(self, name: str) -> Task:
        return self._manifest.flow.tasks[self._indexes[name]]

    def _graph_task(self, name: str) -> GraphTask:
        task, upstream = self._task(name), self._upstream[name]
        used: set[str] = set()
        for place, text in self._texts(name):
            for path in sorted(paths_used(text, "outputs")):
                if path and path[0] in self.loops_before(name):
                    used |= set(self.tasks_in(path[0]))
                elif path and path[0] != "*" and path[0] not in upstream:
                    is_told = (
                        path[0] not in self._manifest.gaps.ids
                        if path[0] not in self._indexes
                        else not self.may_be_before(name, path[0])
                    )
                    if is_told:
                        self.problems.append(place(self.not_before(path[0])))
                elif _READS.search(text) or not self._is_of_files(name, path):
                    used |= {path[0]} if path and path[0] != "*" else upstream
        if isinstance(task.foreach, ForeachFile) and task.foreach.files and task.foreach.files.task in upstream:
            used.add(task.foreach.files.task)
        return GraphTask(
            name,
            self._manifest.dependencies[name],
            frozenset(other for other in used if not self.is_fan_out(other) or self.shares_loop(name, other)),
            is_fan_out=self.is_fan_out(name),
            is_serial=any(each.limit == 1 for each in self.loops(name)[:1]),
            stopped_by=frozenset(itertools.chain.from_iterable(map(self._tasks_beside, self.begun_branches(name)))),
            loops=tuple(each.id for each in self.loops(name)),
        )

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
        """The tasks in the other branches of the group."""
        for other, names in self._in_branch.items():
            if other.group == branch.group and other != branch:
                yield from names

    def _texts(self, name: str) -> Iterator[tuple[Callable[[str], Problem], str]]:
        """Every text that is rendered for a task, and what makes a problem with it; also those given to `render()`."""
        own = self._task(name).model_copy(update={"run_if": None, "when": None, **self._without_values(name)})
        at = ("tasks", self._indexes[name])
        written = [(partial(self._manifest.problem, (*at, *path)), text) for path, text in texts_with_paths(own)]
        written += [(partial(self._manifest.layout.problem, each.path), each.text) for each in self.conditions(name)]
        for each in self.loops(name):
            of_loop = texts_with_paths(each.values, each.path)
            written += [(partial(self._manifest.layout.problem, path), text) for path, text in of_loop]
        for place, text in written:
            yield from ((place, rendered) for rendered in texts_to_render(text, self._values))

    def _without_values(self, name: str) -> dict[str, None]:
        """What a task in a loop has of its values: they are those of the loop."""
        return {"foreach": None} if self.loops(name) else {}

    def not_before(self, name: str) -> str:
        """The message for a use of the outputs of a task that does not run before."""
        if name in self._indexes:
            return f"uses the outputs of {name!r}, which does not run before it"
        with_hyphen = [other for other in self._indexes if other.startswith(f"{name}-")]
        hint = f"; write `outputs['{with_hyphen[0]}']`" if with_hyphen else did_you_mean(name, self._indexes)
        return f"there is no task {name!r}{hint}"


def _by_branch(tasks: Iterable[PlacedTask]) -> dict[Branch, set[str]]:
    """The tasks in each branch of the groups with a limit."""
    found: dict[Branch, set[str]] = {}
    for placed in tasks:
        for branch in placed.branches:
            found.setdefault(branch, set()).add(placed.task.id)
    return found
