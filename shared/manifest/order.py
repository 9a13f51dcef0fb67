"""Which tasks a task waits for: from the order of the flow, `dependsOn`, groups and disabled tasks to a graph."""

from __future__ import annotations

import graphlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.errors import did_you_mean
from shared.manifest.types import PropertyPath

_START = " (start)"  # no id of a task has a space


@dataclass(frozen=True)
class OrderEntry:
    """An entry in the order of a flow: a task, or the start or the end of a group.

    The tasks of a group wait for its start, and its end, which has the group's id, waits for them. Only tasks that are
    not disabled are run: other entries just pass the order on.

    `path` is its place in the manifest. `waits_for` are the ids of other entries; they are explicit if they come from
    `dependsOn` and not from the order of the flow. `limited_by` is one more: it has to end because the group limits how
    many run at once. `loops` are those that it is in.
    """

    id: str
    path: PropertyPath
    waits_for: tuple[str, ...]
    is_explicit: bool
    is_run: bool
    limited_by: str | None = None
    loops: tuple[str, ...] = ()

    @property
    def waits_for_all(self) -> tuple[str, ...]:
        """Every entry that it waits for, for whatever reason."""
        return (*self.waits_for, self.limited_by) if self.limited_by else self.waits_for

    @property
    def name(self) -> str:
        """The id in the manifest."""
        return self.id.removesuffix(_START)


def start_of(group: str) -> str:
    """The id of the entry for the start of a group."""
    return group + _START


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
        if seen[entry.id] > 1 and not entry.id.endswith(_START):
            message = f"task ids must differ; there is more than one {entry.id!r}"
            yield OrderProblem((*entry.path, "id"), message)


def _own_or_unknown(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    ids = {entry.id for entry in entries}
    names = [entry.name for entry in entries]
    for entry in (entry for entry in entries if entry.is_explicit):
        for index, other in enumerate(entry.waits_for):
            path = (*entry.path, "dependsOn", index)
            if other == entry.name:
                yield OrderProblem(path, "a task cannot wait for itself")
            elif other not in ids or other.endswith(_START):
                yield OrderProblem(path, f"there is no task {other!r}{did_you_mean(other, names)}")


def _cycle(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    by_id = {entry.id: entry for entry in entries}
    try:
        graphlib.TopologicalSorter(_with_whole_loops(by_id)).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        edges = list(itertools.pairwise(circle))
        is_limited = any(before == by_id[after].limited_by for before, after in edges)
        hint = "; with `concurrent`, a task of the group also waits for one before it" if is_limited else ""
        names = " → ".join(dict.fromkeys(by_id[entry_id].name for entry_id in reversed(circle)))
        for before, after in edges:
            entry = by_id[after]
            others = entry.waits_for if entry.is_explicit else ()
            index = next((i for i, other in enumerate(others) if before in (other, *by_id[other].loops)), None)
            if index is not None:
                path = (*entry.path, "dependsOn", index)
                yield OrderProblem(path, f"tasks cannot wait for each other: {names} → {by_id[circle[-1]].name}{hint}")
                return


def _with_whole_loops(by_id: Mapping[str, OrderEntry]) -> dict[str, set[str]]:
    """What each entry waits for, where a loop counts as a whole.

    What waits for a task in it waits for all of the loop, and all of the loop for what a task in it waits for.
    """
    found: dict[str, set[str]] = {name: set(entry.waits_for_all) for name, entry in by_id.items()}
    for entry in by_id.values():
        for other in (by_id[name] for name in entry.waits_for_all):
            found[entry.id].update(loop for loop in other.loops if loop not in (*entry.loops, entry.id))
            for loop in (each for each in entry.loops if each not in other.loops and each != other.name):
                found[start_of(loop)].add(other.id)
    return found


def _nothing_to_run(entries: Sequence[OrderEntry]) -> Iterator[OrderProblem]:
    if not any(entry.is_run for entry in entries):
        yield OrderProblem(entries[0].path, "every task is disabled; there is nothing to run")


def dependencies_of(entries: Sequence[OrderEntry]) -> Mapping[str, tuple[str, ...]]:
    """The dependencies of each task that is run: the tasks that it waits for, directly or through other entries.

    The entries must have no problems.
    """
    by_id = {entry.id: entry for entry in entries}
    behind: dict[str, tuple[str, ...]] = {}
    for entry_id in graphlib.TopologicalSorter({entry.id: entry.waits_for_all for entry in entries}).static_order():
        found: dict[str, None] = {}
        for other in by_id[entry_id].waits_for_all:
            found |= dict.fromkeys([other] if by_id[other].is_run else behind[other])
        behind[entry_id] = tuple(found)
    return {entry.id: behind[entry.id] for entry in entries if entry.is_run}


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
