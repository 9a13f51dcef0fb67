"""The words for planning loops: units, which are tasks for one item each, what is known of them, and their plan."""

from __future__ import annotations

import bisect
import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from shared.documents.items import Item
from shared.manifest.blocks import Branch


class Unit(NamedTuple):
    """A task for one item, by its index."""

    task: str
    item: int


Wait = Unit | str
"""A unit that must end well before another one; or a task, for all that it waits for outside of its loops."""


@dataclass(frozen=True)
class LoopTask:
    """A task in `loops`, the outermost first; `waits_for` and `uses_values_of` name only tasks in the same loops.

    One that the app evaluates needs no node; if it `may_stop`, nothing after it begins before it is evaluated.
    """

    id: str
    loops: tuple[str, ...]
    waits_for: tuple[str, ...]
    uses_values_of: tuple[str, ...] = ()
    stopped_by: tuple[str, ...] = ()
    needs_node: bool = True
    may_stop: bool = True


@dataclass(frozen=True)
class Outside:
    """What a task waits for outside of its loops: whether it did not end well, or ends in this or in a later round.

    It `is_open` as long as anything has not ended that a task waits for, or whose values it uses.
    """

    is_never: bool = False
    is_later: bool = False
    is_beside: bool = False
    is_open: bool = False


@dataclass(frozen=True)
class EndedUnits:
    """How the units of a task ended in earlier rounds: by their indexes, whether well, and the items they belong to.

    `others` is how those ended of which nothing is recorded; None if they have not.
    """

    is_well: dict[int, bool] = field(default_factory=dict)
    lineages: dict[int, tuple[int, ...]] = field(default_factory=dict)
    others: bool | None = None

    def state(self, index: int) -> bool | None:
        """Whether a unit ended well; None if it has not ended."""
        return self.is_well.get(index, self.others)

    def add(self, item: Item, *, is_well: bool) -> None:
        """Add a unit that has ended while the round is planned."""
        self.is_well[item.index] = is_well
        self.lineages[item.index] = tuple(each.index for each in item.lineage)


class Known(Protocol):
    """What is known of the items of loops, and of how their units ended: in earlier rounds, or evaluated meanwhile."""

    def limit(self, loop: str) -> int:
        """For how many items a loop runs at once; 0 for all."""

    def items(self, loop: str, parent: Item | None, first: int) -> Sequence[Item] | None:
        """The items of a loop for an item of the loop around it, the indexes from `first`; None if not known yet."""

    def ended(self, task: str) -> EndedUnits:
        """How the units of a task ended in earlier rounds."""

    def is_left_out(self, task: str, item: Item) -> bool:
        """Whether a condition that is known does not hold."""

    def evaluate(self, task: str, item: Item) -> bool:
        """Evaluate a task that needs no node, for an item whose turn it is; false if something must be read first."""

    def admits(self, task: str) -> bool:
        """Whether the round may have the task: it wants the same pool."""


@dataclass(frozen=True)
class Late:
    """A unit that runs in no round any more, or needs no node; once what it waits for has ended."""

    item: Item
    waits: tuple[Wait, ...]
    is_left_out: bool


@dataclass
class UnitPlan:
    """The units of the tasks that share an outermost loop.

    `ready` are those of this round, each after those that it waits for; `later` the indexes of those of later rounds,
    by task. `nothing` are those without a task in Batch, by task. `begins` are the branches of limited loops that a
    unit begins. `rounds` is how many rounds there are left to come, as far as items are known.
    """

    ready: list[Unit] = field(default_factory=list)
    waits: dict[Unit, tuple[Wait, ...]] = field(default_factory=dict)
    begins: dict[Unit, tuple[Branch, ...]] = field(default_factory=dict)
    later: dict[str, list[int]] = field(default_factory=dict)
    nothing: dict[str, list[Late]] = field(default_factory=dict)
    items: dict[str, list[Item]] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    rounds: int = 1
    _ready_tasks: set[str] = field(default_factory=set)
    _listed: dict[str, tuple[Item, ...]] = field(default_factory=dict)

    @property
    def ready_tasks(self) -> set[str]:
        """The tasks with units of this round."""
        if not self._ready_tasks:
            self._ready_tasks.update(unit.task for unit in self.ready)
        return self._ready_tasks

    def is_last_round(self, task: str, loops: Iterable[str]) -> bool:
        """Whether nothing of a task in these loops is left for later rounds."""
        return task not in self.later and self.incomplete.isdisjoint(loops)

    def leaves_out(self, task: str, index: int) -> bool:
        """Whether a condition leaves a unit out in this round; such units are listed in the order of their indexes."""
        found = self.nothing.get(task, [])
        place = bisect.bisect_left(found, index, key=lambda each: each.item.index)
        return place < len(found) and found[place].item.index == index and found[place].is_left_out

    def listed(self, loop: str) -> tuple[Item, ...]:
        """The items of a loop, as far as they are known."""
        known = self.items.get(loop, ())
        if len(self._listed.get(loop, ())) != len(known):
            self._listed[loop] = tuple(known)
        return self._listed.get(loop, ())


@dataclass(frozen=True)
class Loop:
    """A loop, with the tasks and loops in it in the order in which they can run."""

    id: str
    inside: tuple[Loop | str, ...]
    tasks: tuple[str, ...]


def loop_tree(tasks: Mapping[str, LoopTask]) -> Loop:
    """The loops of tasks that share the outermost one. Raises ValueError if a loop waits for itself."""
    [outermost] = {task.loops[0] for task in tasks.values()}
    return _tree(outermost, tasks, tuple(tasks), 1)


def _tree(loop: str, tasks: Mapping[str, LoopTask], names: tuple[str, ...], depth: int) -> Loop:
    node_of = {
        name: (f"{tasks[name].loops[depth]} (loop)" if len(tasks[name].loops) > depth else name) for name in names
    }
    before: dict[str, dict[str, None]] = {node: {} for node in node_of.values()}
    for name in names:
        for other in tasks[name].waits_for:
            if node_of.get(other, node_of[name]) != node_of[name]:
                before[node_of[name]][node_of[other]] = None
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        raise ValueError(" → ".join(map(str, error.args[1]))) from error
    members: dict[str, tuple[str, ...]] = dict.fromkeys(order, ())
    for name in names:
        members[node_of[name]] += (name,)
    inside = (
        each if each in tasks else _tree(tasks[members[each][0]].loops[depth], tasks, members[each], depth + 1)
        for each in order
    )
    return Loop(loop, tuple(inside), names)


def item_as_branch(loop: str, item: Item, limit: int) -> Branch:
    """The item of a loop as a branch of it; of a loop in a loop, as a branch of the loop for one item of the outer."""
    return Branch(f"{loop}.{item.parent.index}" if item.parent else loop, item.index, limit)


def loops_in(loop: Loop) -> Iterable[str]:
    """The ids of a loop, and of all loops in it."""
    yield loop.id
    for each in loop.inside:
        if isinstance(each, Loop):
            yield from loops_in(each)
