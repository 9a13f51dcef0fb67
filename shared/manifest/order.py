"""Which tasks a task waits for: from the order of the flow, `dependsOn`, groups and disabled tasks to a graph.

A task waits for tasks that must end well, and follows others, which must only have ended.
"""

from __future__ import annotations

import graphlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.errors import did_you_mean
from shared.manifest._children import TASK_OF_ENTRY
from shared.manifest.types import PropertyPath

_START, _ERRORS, _FINALLY = " (start)", " (errors)", " (finally)"  # no id of a task has a space
_MADE_UP = "."
"""In the id of a task that only its group has made, as a Switch without `defaults` does; it is repeated with that."""


@dataclass(frozen=True)
class OrderEntry:
    """An entry in the order of a flow: a task, the start or the end of a group, or the start of its errors or finally.

    The tasks of a group wait for its start, and its end, which has the group's id, waits for them. Only tasks that are
    not disabled are run: other entries just pass the order on.

    `path` is its place in the manifest. `waits_for` are the ids of other entries that must end well; they are explicit
    if they come from `dependsOn` and not from the order of the flow. `limited_by` is one more: it has to end because
    the group limits how many run at once. `within` is the entry of the list of errors or finally that it is in: what is
    explicit does not get around waiting for that. `follows` are entries that must have ended, well or not. `loops` are
    those that it is in.
    """

    id: str
    path: PropertyPath
    waits_for: tuple[str, ...]
    is_explicit: bool
    is_run: bool
    limited_by: str | None = None
    follows: tuple[str, ...] = ()
    within: str | None = None
    loops: tuple[str, ...] = ()

    @property
    def waits_for_all(self) -> tuple[str, ...]:
        """Every entry that it waits for, for whatever reason."""
        others = (self.limited_by, self.within if self.is_explicit else None)
        return (*self.waits_for, *(other for other in others if other))

    @property
    def comes_after(self) -> tuple[str, ...]:
        """Every entry that must have ended before it, well or not."""
        return (*self.waits_for_all, *self.follows)

    @property
    def name(self) -> str:
        """The id in the manifest; empty for what has none."""
        return self.id.partition(" ")[0]

    @property
    def order_path(self) -> PropertyPath:
        """The path of its `dependsOn`: that of a task in a Dag stands beside the task."""
        return (*(self.path[:-1] if self.is_in_dag else self.path), "dependsOn")

    @property
    def is_in_dag(self) -> bool:
        """Whether it is a task of a Dag, which can wait only for others of the same Dag."""
        return self.path[-1:] == (TASK_OF_ENTRY,)


def start_of(group: str) -> str:
    """The id of the entry for the start of a group."""
    return group + _START


def errors_of(group: str) -> str:
    """The id of the entry for the start of the `errors` of a group."""
    return group + _ERRORS


def finally_of(group: str) -> str:
    """The id of the entry for the start of the `finally` of a group."""
    return group + _FINALLY


@dataclass(frozen=True)
class OrderProblem:
    """A problem with the order, and the path of the property that has it."""

    path: PropertyPath
    message: str


def problems_of_order(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    """Every id that is repeated or unknown, and every task that waits for itself.

    If there are none: a cycle, or that no task is run.
    """
    wrong_ids = itertools.chain(_repeated(entries), _own_or_unknown(entries))
    if (first := next(wrong_ids, None)) is not None:
        yield from itertools.chain((first,), wrong_ids)
    elif (cycle := next(_cycle(entries), None)) is not None:
        yield cycle
    else:
        yield from _nothing_to_run(entries)


def _repeated(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    seen: Counter[str] = Counter()
    for entry in entries:
        seen[entry.id] += 1
        if seen[entry.id] > 1 and entry.id == entry.name and _MADE_UP not in entry.id:
            message = f"task ids must differ; there is more than one {entry.id!r}"
            yield OrderProblem((*entry.path, "id"), message)


def _own_or_unknown(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    by_id = {entry.id: entry for entry in entries if entry.id == entry.name}
    for entry in (entry for entry in entries if entry.is_explicit):
        for index, name in enumerate(entry.waits_for):
            path, other = (*entry.order_path, index), by_id.get(name)
            if name == entry.name:
                yield OrderProblem(path, "a task cannot wait for itself")
            elif other is None:
                yield OrderProblem(path, f"there is no task {name!r}{did_you_mean(name, by_id)}")
            elif entry.is_in_dag and other.path[:-2] != entry.path[:-2]:
                yield OrderProblem(
                    path, f"{name!r} is not a task of this Dag, whose tasks can only wait for each other"
                )


def _cycle(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    by_id = {entry.id: entry for entry in entries}
    try:
        graphlib.TopologicalSorter(_with_whole_loops(by_id)).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        edges = list(itertools.pairwise(circle))
        is_limited = any(before == by_id[after].limited_by for before, after in edges)
        hint = "; with `concurrent`, a task of the group also waits for one before it" if is_limited else ""
        names = list(dict.fromkeys(name for entry_id in reversed(circle) if (name := by_id[entry_id].name)))
        message = f"tasks cannot wait for each other: {' → '.join((*names, names[0]))}{hint}"
        places = (place for before, after in edges for place in _places_of_edge(before, after, by_id))
        yield OrderProblem(next(places, by_id[circle[0]].path), message)


def _places_of_edge(before: str, after: str, by_id: Mapping[str, OrderEntry]) -> Iterator[PropertyPath]:
    """The places that say that an entry, or for the start of a loop one in it, waits for another, or for one in it."""
    inside = (entry for entry in by_id.values() if after in map(start_of, entry.loops))
    for entry in filter(lambda each: each.is_explicit, (by_id[after], *inside)):
        for index, other in enumerate(entry.waits_for):
            if before in (other, *by_id[other].loops):
                yield (*entry.order_path, index)


def _with_whole_loops(by_id: Mapping[str, OrderEntry]) -> dict[str, set[str]]:
    """What each entry waits for, where a loop counts as a whole for `dependsOn`.

    What waits for a task in it waits for all of the loop, and all of the loop for what a task in it waits for. It ends
    after its start, also if none of its last tasks waits for that.
    """
    found: dict[str, set[str]] = {name: set(entry.comes_after) for name, entry in by_id.items()}
    for loop in {loop for entry in by_id.values() for loop in entry.loops}:
        found[loop].add(start_of(loop))
    for entry in filter(lambda each: each.is_explicit, by_id.values()):
        for other in (by_id[name] for name in entry.waits_for):
            found[entry.id].update(loop for loop in other.loops if loop not in (*entry.loops, entry.id))
            for loop in (each for each in entry.loops if each not in other.loops and each != other.name):
                found[start_of(loop)].add(other.id)
    return found


def _nothing_to_run(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    tasks = [entry for entry in entries if entry.path[:1] == ("tasks",)]
    if not any(entry.is_run for entry in tasks):
        yield OrderProblem(tasks[0].path, "every task is disabled; there is nothing to run")


def dependencies_of(entries: Sequence[OrderEntry]) -> Mapping[str, tuple[str, ...]]:
    """The dependencies of each task that is run: the tasks that it waits for, directly or through other entries.

    The entries must have no problems.
    """
    by_id = {entry.id: entry for entry in entries}
    behind: dict[str, tuple[str, ...]] = {}
    for entry_id in _in_order(entries):
        found: dict[str, None] = {}
        for other in by_id[entry_id].waits_for_all:
            found |= dict.fromkeys([other] if by_id[other].is_run else behind[other])
        behind[entry_id] = tuple(found)
    return {entry.id: behind[entry.id] for entry in entries if entry.is_run}


def followed_tasks(entries: Sequence[OrderEntry]) -> Mapping[str, tuple[str, ...]]:
    """The tasks that each task that is run follows, directly or through other entries: they must have ended before it.

    These are beside its dependencies. The entries must have no problems.
    """
    by_id = {entry.id: entry for entry in entries}
    waits_for: dict[str, dict[str, None]] = {}
    follows: dict[str, dict[str, None]] = {}
    for entry_id in _in_order(entries):
        entry, waits_for[entry_id], follows[entry_id] = by_id[entry_id], {}, {}
        for other in entry.waits_for_all:
            is_run = by_id[other].is_run
            waits_for[entry_id] |= {other: None} if is_run else waits_for[other]
            follows[entry_id] |= {} if is_run else follows[other]
        for other in entry.follows:
            follows[entry_id] |= {other: None} if by_id[other].is_run else {**waits_for[other], **follows[other]}
    return {
        entry.id: tuple(name for name in follows[entry.id] if name not in waits_for[entry.id])
        for entry in entries
        if entry.is_run
    }


def _in_order(entries: Sequence[OrderEntry]) -> Iterable[str]:
    return graphlib.TopologicalSorter({entry.id: entry.comes_after for entry in entries}).static_order()


def tasks_before(task: str, dependencies: Mapping[str, tuple[str, ...]]) -> set[str]:
    """All tasks that a task waits for, also through other tasks."""
    found: set[str] = set()
    todo = list(dependencies[task])
    while todo:
        other = todo.pop()
        if other not in found:
            found.add(other)
            todo.extend(dependencies[other])
    return found
