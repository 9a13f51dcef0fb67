"""What ties the tasks of a round to each other: which of them must end well before which, and how they learn of it.

Azure Batch never starts a task if one that it depends on is not satisfied: it would wait for ever. So where other tasks
may be running, a failure satisfies too, and the script of the next task looks for a marker before it does anything
else. The marker of a task holds its exit code, and is uploaded however it ends: a task whose node is lost after that
may run again, and end otherwise. Where nothing else can be running, a failure just ends the job: that needs no markers,
and starts none of the tasks that must not run.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from shared.documents.end_markers import MARKER_OF_JOB, MARKER_OF_TASK
from shared.documents.names import BEGUN
from shared.manifest.blocks import Branch
from shared.plan.round_plan import MarkerOf, PlannedTask, Ties
from shared.script.build import STOP, Gate

Value = TypeVar("Value")

MAX_NAMED_MARKERS = 4  # for more, the markers of all tasks are downloaded: the number of prefixes is limited
MAX_LAST_TASKS = 16  # each of their ends starts an invocation; a round with more relies on the tick


def tied(tasks: Sequence[PlannedTask], round_number: int) -> tuple[PlannedTask, ...]:
    """The tasks of a round, numbered from 1, with what ties them to each other: nothing, if many wait for none."""
    if len(tasks) > MAX_LAST_TASKS and not any(task.depends_on for task in tasks):
        return tuple(tasks)
    alone = _never_beside_another(tasks)
    ends_job = {task.number for task in tasks if task.number in alone and not task.allow_failure}
    of_round = _Round(tasks, round_number, ends_job)
    return tuple(replace(task, ties=of_round.ties(task)) for task in tasks)


def _never_beside_another(tasks: Sequence[PlannedTask]) -> set[int]:
    """The numbers of the tasks while which none of the others can be running: each is before or after it.

    All tasks before number *n* are before it in the graph if each of them has a dependant up to *n*; all after it are
    after it in the graph if each of them has a dependency from *n* on.
    """
    first_dependant = {task.number: len(tasks) + 1 for task in tasks}
    for task in reversed(tasks):
        for number in task.depends_on:
            first_dependant[number] = task.number
    latest = itertools.accumulate((first_dependant[task.number] for task in tasks[:-1]), max, initial=0)
    last_dependency = [max(task.depends_on, default=0) for task in tasks]
    earliest = [*itertools.accumulate(reversed(last_dependency[1:]), min, initial=len(tasks) + 1)][::-1]
    return {
        task.number
        for task, before, after in zip(tasks, latest, earliest, strict=False)
        if before <= task.number <= after
    }


class _Round:
    """The tasks of a round; in the order of their numbers, so that a task comes after those that it depends on."""

    def __init__(self, tasks: Sequence[PlannedTask], number: int, ends_job: set[int]) -> None:
        self._number = number
        self._ends_job = ends_job
        self._depended_on = {other for task in tasks for other in task.depends_on}
        self._limited = {branch.group for task in tasks for branch in task.begins}
        last = [task.number for task in tasks if task.number not in self._depended_on]
        self._pushing = frozenset(last) if len(last) <= MAX_LAST_TASKS else frozenset()
        self._tasks = {task.number: task for task in tasks}
        self._asked_by: dict[int, tuple[PlannedTask, ...]] = {}
        self._stopping: dict[int, tuple[tuple[str, int], ...]] = {}
        self._needed_by_all = _common((task.name, {each.number for each in self._asked(task)}) for task in tasks)
        self._begun_by_all = _common((task.name, set(task.begins)) for task in tasks)
        self._sizes = Counter(branch for task in tasks for branch in task.branches)
        self._leaving = {task.name for task in tasks if self._markers(task)}
        self._gates: dict[str, Gate] = {}

    def ties(self, task: PlannedTask) -> Ties:
        if task.name not in self._gates:
            self._gates[task.name] = self._gate(task)
        gate, needed, stops = self._gates[task.name], self._needed_by_item(task), self._stops_by_item(task)
        return Ties(
            gate=gate,
            prefixes=tuple(self._prefixes(task, gate, needed, stops)),
            words=(*map(_word, needed), *(f"{STOP}{group}/{index}" for group, index in stops)),
            stops=(
                *(folder for folder, _ in gate.stops),
                *(task.paths.failures(group, self._number) for group, _ in stops),
            ),
            markers=self._markers(task),
            end_markers=self._end_markers(task),
            is_depended_on=task.number in self._depended_on,
            ends_job=task.number in self._ends_job,
        )

    def _asked(self, task: PlannedTask) -> tuple[PlannedTask, ...]:
        """The tasks before it that must have left a marker: not those that end the job.

        After a task that may fail, what kept that task from running keeps this one too.
        """
        if task.number not in self._asked_by:
            found: dict[int, PlannedTask] = {}
            for number in task.depends_on:
                other = self._tasks[number]
                asked = self._asked(other) if other.allow_failure else (other,) if number not in self._ends_job else ()
                found |= {each.number: each for each in asked}
            self._asked_by[task.number] = tuple(found.values())
        return self._asked_by[task.number]

    def _gate(self, task: PlannedTask) -> Gate:
        """The gate of the task: the same for all items of a fan-out, which share a script."""
        before = (self._tasks[number] for number in task.depends_on)
        allowed = [self._gates[other.name] for other in before if other.allow_failure]
        begins = [branch for branch in task.begins if not self._is_of_item(task, branch)]
        return Gate(
            needed=tuple(self._success(self._tasks[number]) for number in sorted(self._needed_by_all[task.name])),
            stops=_distinct(
                ((self._failures(task, branch), branch.index) for branch in begins),
                *(gate.stops for gate in allowed),
            ),
            markers=task.paths.all_success_markers(self._number) if task.item else "",
            failures=task.paths.all_failures if task.item else "",
            round=self._number,
            leaves_marker=task.name in self._leaving,
        )

    def _is_alone_in(self, task: PlannedTask, branch: Branch) -> bool:
        """Whether a task is all of an item of a loop, so that nobody asks whether the item has begun."""
        return self._sizes[branch] == 1 and self._is_of_item(task, branch)

    def _needed_by_item(self, task: PlannedTask) -> list[PlannedTask]:
        """The tasks that an item asks for and not every item of its task."""
        return [other for other in self._asked(task) if other.number not in self._needed_by_all[task.name]]

    def _is_of_item(self, task: PlannedTask, branch: Branch) -> bool:
        """Whether a branch may be another one for each item of a task."""
        return task.item is not None and branch not in self._begun_by_all[task.name]

    def _stops_by_item(self, task: PlannedTask) -> tuple[tuple[str, int], ...]:
        """The groups that must not have failed for an item to run, and its branch of each."""
        if task.number not in self._stopping:
            own = ((branch.group, branch.index) for branch in task.begins if self._is_of_item(task, branch))
            before = (self._tasks[number] for number in task.depends_on)
            inherited = (self._stops_by_item(other) for other in before if other.allow_failure and task.item)
            self._stopping[task.number] = _distinct(own, *inherited)
        return self._stopping[task.number]

    def _prefixes(
        self, task: PlannedTask, gate: Gate, needed: list[PlannedTask], stops: Sequence[tuple[str, int]]
    ) -> Iterable[str]:
        """The prefixes of what the gate looks for."""
        markers, are_many = task.paths.all_success_markers(self._number), len(gate.needed) > MAX_NAMED_MARKERS
        yield from [markers] if are_many else map(_folder, gate.needed)
        yield from () if are_many else (_folder(self._success(other)) for other in needed)
        yield from (folder for folder, _ in gate.stops)
        yield from (task.paths.failures(group, self._number) for group, _ in stops)

    def _markers(self, task: PlannedTask) -> dict[str, MarkerOf]:
        """The blobs that the task leaves for others."""
        is_depended_on = task.number in self._depended_on
        found: dict[str, MarkerOf] = {}
        if is_depended_on and (task.allow_failure or task.item):  # what waits for it looks for failures too
            begins = (branch for branch in task.begins if not self._is_alone_in(task, branch))
            found |= {f"{self._failures(task, branch)}{BEGUN}-{branch.index}": MarkerOf.END for branch in begins}
        if task.allow_failure:
            return found
        limited = (branch for branch in task.branches if branch.group in self._limited)
        found |= {f"{self._failures(task, branch)}{branch.index}": MarkerOf.FAILURE for branch in limited}
        is_asked = is_depended_on and task.number not in self._ends_job
        return found | ({self._success(task): MarkerOf.END} if is_asked else {})

    def _end_markers(self, task: PlannedTask) -> dict[str, MarkerOf]:
        """The blob by which the app learns that nothing of the round may be left to wait for."""
        if task.number in self._pushing:
            return {task.paths.end_marker(self._number, MARKER_OF_TASK): MarkerOf.END}
        if task.number in self._ends_job:
            return {task.paths.end_marker(self._number, MARKER_OF_JOB): MarkerOf.FAILURE}
        return {}

    def _failures(self, task: PlannedTask, branch: Branch) -> str:
        return task.paths.failures(branch.group, self._number)

    def _success(self, task: PlannedTask) -> str:
        return task.paths.success_marker(self._number)


def _word(task: PlannedTask) -> str:
    """How the marker of a task is named to the script of another one."""
    return task.name if task.item is None else f"{task.name}/{task.item.index}"


def _common(sets: Iterable[tuple[str, set[Value]]]) -> dict[str, set[Value]]:
    """By name, what is in all of its sets."""
    found: dict[str, set[Value]] = {}
    for name, values in sets:
        found[name] = found[name] & values if name in found else values
    return found


def _folder(blob: str) -> str:
    return blob[: blob.rindex("/") + 1]


def _distinct(*parts: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(itertools.chain.from_iterable(parts)))
