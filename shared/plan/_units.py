"""Which tasks in loops run in the next round, and for which items: the units of a plan.

A task in a loop waits for the one before it for the same item only; what comes after a loop inside another one, for all
items that belong to the same item of the outer loop. With a limit of *n*, what comes first for an item waits for what
comes last for the *n*-th item before it, and does not run any more once something in the loop has failed.
"""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from shared.documents.record import Item
from shared.manifest.blocks import Branch

MAX_FAN_IN = 16  # the units of a round for whose ends another unit of it can look: each takes a prefix of its own


class Unit(NamedTuple):
    """A task for one item, by its index."""

    task: str
    item: int


Wait = Unit | str
"""A unit that must end well before another one; or a task, for all that it waits for outside of its loops."""


@dataclass(frozen=True)
class LoopTask:
    """A task in `loops`, the outermost first; `waits_for` and `uses_values_of` name only tasks in the same loops."""

    id: str
    loops: tuple[str, ...]
    waits_for: tuple[str, ...]
    uses_values_of: tuple[str, ...] = ()
    stopped_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outside:
    """What a task waits for outside of its loops: whether it did not end well, or ends in this or in a later round."""

    is_never: bool = False
    is_later: bool = False
    is_beside: bool = False


@dataclass(frozen=True)
class EndedUnits:
    """How the units of a task ended in earlier rounds: by their indexes, whether well, and the items they belong to.

    `others` is how those ended of which nothing is recorded; None if they have not.
    """

    is_well: Mapping[int, bool] = field(default_factory=dict)
    lineages: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    others: bool | None = None

    def state(self, index: int) -> bool | None:
        """Whether a unit ended well; None if it has not ended."""
        return self.is_well.get(index, self.others)


class Known(Protocol):
    """What is known of the items of loops, and of how their units ended in earlier rounds."""

    def limit(self, loop: str) -> int:
        """For how many items a loop runs at once; 0 for all."""

    def items(self, loop: str, parent: Item | None, first: int) -> Sequence[Item] | None:
        """The items of a loop for an item of the loop around it, the indexes from `first`; None if not known yet."""

    def ended(self, task: str) -> EndedUnits:
        """How the units of a task ended in earlier rounds."""

    def is_left_out(self, task: str, item: Item) -> bool:
        """Whether a condition that is known does not hold."""

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


@dataclass(frozen=True, slots=True)
class _State:
    """What a unit, or all units of an item or of a loop, mean for what waits for them.

    `stands` are the units of this round that must end well before it; `round` is that of the last of them, from 0.
    """

    is_never: bool = False
    is_done: bool = True
    round: int = 0
    stands: tuple[Wait, ...] = ()


_DONE, _NEVER = _State(), _State(is_never=True, is_done=False)


def _joined(states: Iterable[_State]) -> _State:
    found = list(states)
    if not found:
        return _DONE
    if len(found) == 1:
        return found[0]
    return _State(
        any(each.is_never for each in found),
        all(each.is_done for each in found),
        max(each.round for each in found),
        tuple(dict.fromkeys(itertools.chain.from_iterable(each.stands for each in found))),
    )


@dataclass(frozen=True)
class _Loop:
    """A loop, with the tasks and loops in it in the order in which they can run."""

    id: str
    inside: tuple[_Loop | str, ...]
    tasks: tuple[str, ...]


def loop_tree(tasks: Mapping[str, LoopTask]) -> _Loop:
    """The loops of tasks that share the outermost one. Raises ValueError if a loop waits for itself."""
    [outermost] = {task.loops[0] for task in tasks.values()}
    return _tree(outermost, tasks, tuple(tasks), 1)


def _tree(loop: str, tasks: Mapping[str, LoopTask], names: tuple[str, ...], depth: int) -> _Loop:
    node_of = {name: (f"{tasks[name].loops[depth]} (loop)" if len(tasks[name].loops) > depth else name) for name in names}
    before: dict[str, dict[str, None]] = {node: {} for node in node_of.values()}
    for name in names:
        for other in tasks[name].waits_for:
            if node_of.get(other, node_of[name]) != node_of[name]:
                before[node_of[name]][node_of[other]] = None
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        raise ValueError(" → ".join(map(str, error.args[1]))) from error
    members: dict[str, tuple[str, ...]] = {node: () for node in order}
    for name in names:
        members[node_of[name]] += (name,)
    inside = (
        each if each in tasks else _tree(tasks[members[each][0]].loops[depth], tasks, members[each], depth + 1)
        for each in order
    )
    return _Loop(loop, tuple(inside), names)


def plan_units(tasks: Mapping[str, LoopTask], outside: Mapping[str, Outside], known: Known) -> UnitPlan:
    """Plan the units of the tasks that share an outermost loop; `outside` is by task."""
    found = _Units(tasks, outside, known)
    found.run(loop_tree(tasks))
    return found.plan


@dataclass
class _Frame:
    """The item of a loop whose units are looked at. `before` is what the limit of the loop lets it wait for."""

    loop: _Loop
    item: Item
    limit: int
    before: _State | None
    is_stopped: bool
    state: _State = _DONE
    exits: dict[Wait, None] = field(default_factory=dict)

    def add(self, state: _State, waits: tuple[Wait, ...] = ()) -> None:
        """Add a unit of the item, and take what it waits for off what comes last."""
        for wait in waits:
            self.exits.pop(wait, None)
        self.exits |= dict.fromkeys(state.stands)
        own = self.state
        self.state = _State(
            own.is_never or state.is_never, own.is_done and state.is_done, max(own.round, state.round)
        )

    @property
    def ended(self) -> _State:
        """All units of the item: those that come last stand for them."""
        return _State(self.state.is_never, self.state.is_done, self.state.round, tuple(self.exits))


class _Units:
    def __init__(self, tasks: Mapping[str, LoopTask], outside: Mapping[str, Outside], known: Known) -> None:
        self.plan = UnitPlan()
        self._tasks = tasks
        self._outside = outside
        self._known = known
        self._ended = {name: known.ended(name) for name in tasks}
        self._failed, self._begun = set[tuple[str, int]](), set[tuple[str, int]]()
        self._failed_tasks = set[tuple[str, tuple[int, ...]]]()
        for name, ended in self._ended.items():
            for index, is_well in ended.is_well.items():
                items = set(zip(tasks[name].loops, ended.lineages[index], strict=True))
                self._begun |= items
                if not is_well:
                    self._failed |= items
                    lineage = ended.lineages[index]
                    self._failed_tasks |= {(name, lineage[: depth + 1]) for depth in range(len(lineage))}
        self._states: dict[Unit, _State] = {}
        self._loops: dict[tuple[str, int], _State] = {}
        self._frames: list[_Frame] = []

    def run(self, loop: _Loop) -> None:
        """Plan the units of the outermost loop."""
        self._loop(loop, None)

    # --- loops

    def _loop(self, loop: _Loop, parent: Item | None) -> None:
        """The units of a loop for one item of the loop around it."""
        before = self._before_loop(loop, parent)
        items = () if before.is_never else self._items(loop, parent, before)
        if items is None:
            self.plan.incomplete.update(_loops_in(loop))
            self.plan.rounds = max(self.plan.rounds, before.round + 2)
            state = _State(is_done=False, round=before.round + 1)
        elif not items:
            state = before
        else:
            state = self._items_of(loop, items)
        if parent:
            self._loops[loop.id, parent.index] = state
            for frame in self._frames:
                frame.add(_State(state.is_never, state.is_done, state.round))

    def _before_loop(self, loop: _Loop, parent: Item | None) -> _State:
        """What a loop inside another one waits for there."""
        if parent is None:
            return _DONE
        names = dict.fromkeys(other for name in loop.tasks for other in self._tasks[name].waits_for)
        frame = self._frames[-1]
        waits = [self._of(other, parent) for other in names if other not in loop.tasks]
        stopped = [_NEVER] if frame.is_stopped else []
        return _joined([*waits, *stopped, *([frame.before] if frame.before and not waits else [])])

    def _items(self, loop: _Loop, parent: Item | None, before: _State) -> Sequence[Item] | None:
        listed = self.plan.items.setdefault(loop.id, [])
        if loop.id in self.plan.incomplete:
            return None
        found = self._known.items(loop.id, parent, len(listed))
        listed += found or ()
        return found

    def _items_of(self, loop: _Loop, items: Sequence[Item]) -> _State:
        limit = self._known.limit(loop.id)
        has_failed = bool(limit) and any((loop.id, item.index) in self._failed for item in items)
        found: list[_State] = []
        for place, item in enumerate(items):
            before = found[place - limit] if limit and place >= limit else None
            is_stopped = has_failed and place >= limit and (loop.id, item.index) not in self._begun
            self._frames.append(_Frame(loop, item, limit, before, is_stopped))
            for each in loop.inside:
                if isinstance(each, str):
                    self._unit(self._tasks[each], item)
                else:
                    self._loop(each, item)
            found.append(self._frames.pop().ended)
        last = _joined(found[-limit:])
        return _State(
            any(each.is_never for each in found),
            all(each.is_done for each in found),
            max(each.round for each in found),
            last.stands,
        )

    # --- units

    def _of(self, other: str, item: Item) -> _State:
        """Another task for an item, or for all items of a loop inside that belong to it."""
        loops, lineage = self._tasks[other].loops, item.lineage
        depth = len(lineage)
        if len(loops) > depth:
            return self._loops[loops[depth], item.index]
        return self._states[Unit(other, lineage[len(loops) - 1].index)]

    def _common(self, other: str, task: LoopTask) -> int:
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(self._tasks[other].loops, task.loops, strict=False)))

    def _unit(self, task: LoopTask, item: Item) -> None:
        unit = Unit(task.id, item.index)
        is_well = self._ended[task.id].state(item.index)
        waits: tuple[Wait, ...] = ()
        if is_well is None:
            state, waits = self._open(task, item, unit)
        else:
            state = _DONE if is_well else _NEVER
        self._states[unit] = state
        for frame in self._frames:
            frame.add(state, waits)

    def _open(self, task: LoopTask, item: Item, unit: Unit) -> tuple[_State, tuple[Wait, ...]]:
        """A unit that has not ended, and what it waits for in this round."""
        lineage, outside = item.lineage, self._outside[task.id]
        depths = {other: self._common(other, task) for other in task.waits_for}
        states = [self._of(other, lineage[depth - 1]) for other, depth in depths.items()]
        frame = self._limiting(max(depths.values(), default=0))
        if frame and frame.before:
            states.append(frame.before)
        before = _joined(states)
        plan = self.plan
        is_stopped = any(each.is_stopped for each in self._frames) or self._is_stopped(task, lineage)
        if before.is_never or outside.is_never or is_stopped:
            plan.nothing.setdefault(task.id, []).append(Late(item, (), is_left_out=False))
            return _NEVER, ()
        own: tuple[Wait, ...] = (task.id,) if outside.is_beside else ()
        waits = (*own, *before.stands)
        if self._known.is_left_out(task.id, item):
            plan.nothing.setdefault(task.id, []).append(Late(item, waits, is_left_out=True))
            is_done = before.is_done and not (outside.is_later or outside.is_beside)
            return _State(is_done=is_done, round=max(before.round, int(outside.is_later)), stands=waits), ()
        round_number = self._round(task, lineage, before, outside)
        if round_number:
            plan.later.setdefault(task.id, []).append(item.index)
            plan.rounds = max(plan.rounds, round_number + 1)
            return _State(is_done=False, round=round_number), ()
        plan.ready.append(unit)
        plan.waits[unit] = waits
        if frame and frame.before and frame.limit > 1:
            plan.begins[unit] = (item_as_branch(frame.loop.id, frame.item, frame.limit),)
        return _State(is_done=False, stands=(unit,)), waits

    def _is_stopped(self, task: LoopTask, lineage: tuple[Item, ...]) -> bool:
        """Whether another branch of its group has failed for the same item, in an earlier round."""
        items = tuple(item.index for item in lineage)
        return any((other, items[: self._common(other, task)]) in self._failed_tasks for other in task.stopped_by)

    def _limiting(self, depth: int) -> _Frame | None:
        """The innermost loop whose limit a unit has to wait for, as it waits for nothing else of the same item there."""
        return next((frame for frame in reversed(self._frames[depth:]) if frame.before), None)

    def _round(self, task: LoopTask, lineage: tuple[Item, ...], before: _State, outside: Outside) -> int:
        """In which round from now a unit runs at the earliest."""
        found = before.round + (len(before.stands) > MAX_FAN_IN)
        for other in task.uses_values_of:
            used = self._of(other, lineage[self._common(other, task) - 1])
            found = max(found, used.round + (not used.is_done))
        if found == 0 and (outside.is_later or not self._known.admits(task.id)):
            return 1
        return found


def item_as_branch(loop: str, item: Item, limit: int) -> Branch:
    """The item of a loop as a branch of it; of a loop in a loop, as a branch of the loop for one item of the outer."""
    return Branch(f"{loop}.{item.parent.index}" if item.parent else loop, item.index, limit)


def _loops_in(loop: _Loop) -> Iterable[str]:
    yield loop.id
    for each in loop.inside:
        if isinstance(each, _Loop):
            yield from _loops_in(each)
