"""Which tasks in loops run in the next round, and for which items: the units of a plan.

A task in a loop waits for the one before it for the same item only; what comes after a loop inside another one, for all
items that belong to the same item of the outer loop. With a limit of *n*, what comes first for an item waits for what
comes last for the *n*-th item before it, and does not run any more once something in the loop has failed.

A unit of a task that needs no node is evaluated meanwhile, once all has ended that it waits for and whose values it
uses. Until then it passes on what it waits for; but if it may stop others, these are in a later round.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.documents.items import Item
from shared.plan._unit_plan import (
    Known,
    Late,
    Loop,
    LoopTask,
    Outside,
    Unit,
    UnitPlan,
    Wait,
    item_as_branch,
    loop_tree,
    loops_in,
)
from shared.plan._unit_state import DONE, NEVER, Frame, UnitState, joined

MAX_FAN_IN = 16  # the units of a round for whose ends another unit of it can look: each takes a prefix of its own


def plan_units(tasks: Mapping[str, LoopTask], outside: Mapping[str, Outside], known: Known, plan: UnitPlan) -> None:
    """Plan the units of the tasks that share an outermost loop; `outside` is by task.

    What is evaluated meanwhile may look at the `plan`, as far as it is made.
    """
    _Units(tasks, outside, known, plan).run(loop_tree(tasks))


class _Units:
    def __init__(
        self, tasks: Mapping[str, LoopTask], outside: Mapping[str, Outside], known: Known, plan: UnitPlan
    ) -> None:
        self.plan = plan
        self._tasks = tasks
        self._outside = outside
        self._known = known
        self._ended = {name: known.ended(name) for name in tasks}
        self._failed, self._begun = set[tuple[str, int]](), set[tuple[str, int]]()
        self._failed_tasks = set[tuple[str, tuple[int, ...]]]()
        for name, ended in self._ended.items():
            for index, is_well in ended.is_well.items():
                self._note(name, ended.lineages[index], is_well=is_well)
        self._states: dict[Unit, UnitState] = {}
        self._loops: dict[tuple[str, int], UnitState] = {}
        self._frames: list[Frame] = []
        self._depths = {
            name: self._depths_of(task, (*task.waits_for, *task.uses_values_of, *task.stopped_by))
            for name, task in tasks.items()
        }
        self._waits_at = {
            name: max((self._depths[name][other] for other in task.waits_for), default=0)
            for name, task in tasks.items()
        }

    def _note(self, task: str, lineage: tuple[int, ...], *, is_well: bool) -> None:
        items = set(zip(self._tasks[task].loops, lineage, strict=True))
        self._begun |= items
        if not is_well:
            self._failed |= items
            self._failed_tasks |= {(task, lineage[: depth + 1]) for depth in range(len(lineage))}

    def run(self, loop: Loop) -> None:
        """Plan the units of the outermost loop."""
        self._loop(loop, None)

    # --- loops

    def _loop(self, loop: Loop, parent: Item | None) -> None:
        """The units of a loop for one item of the loop around it."""
        before = self._before_loop(loop, parent)
        items = () if before.is_never else self._items(loop, parent)
        if items is None:
            self.plan.incomplete.update(loops_in(loop))
            self.plan.rounds = max(self.plan.rounds, before.round + 2)
            state = UnitState(known=before.round + 2, round=before.round + 1)
        elif not items:
            state = before
        else:
            state = self._items_of(loop, items)
        if parent:
            self._loops[loop.id, parent.index] = state
            for frame in self._frames:
                frame.add(UnitState(state.is_never, state.known, state.round))

    def _before_loop(self, loop: Loop, parent: Item | None) -> UnitState:
        """What a loop inside another one waits for there."""
        if parent is None:
            return DONE
        pairs = ((name, other) for name in loop.tasks for other in self._tasks[name].waits_for)
        depths = {other: self._depths[name][other] for name, other in pairs if other not in loop.tasks}
        frame = self._frames[-1]
        waits = [self._of(other, parent.lineage[depth - 1]) for other, depth in depths.items()]
        stopped = [NEVER] if frame.is_stopped else []
        is_first = len(parent.lineage) not in depths.values()
        return joined([*waits, *stopped, *([frame.before] if frame.before and is_first else [])])

    def _items(self, loop: Loop, parent: Item | None) -> Sequence[Item] | None:
        listed = self.plan.items.setdefault(loop.id, [])
        if loop.id in self.plan.incomplete:
            return None
        found = self._known.items(loop.id, parent, len(listed))
        listed += found or ()
        return found

    def _items_of(self, loop: Loop, items: Sequence[Item]) -> UnitState:
        limit = self._known.limit(loop.id)
        has_failed = bool(limit) and any((loop.id, item.index) in self._failed for item in items)
        found: list[UnitState] = []
        for place, item in enumerate(items):
            before = found[place - limit] if limit and place >= limit else None
            is_stopped = has_failed and place >= limit and (loop.id, item.index) not in self._begun
            self._frames.append(Frame(loop, item, limit, before, is_stopped))
            for each in loop.inside:
                if isinstance(each, str):
                    self._unit(self._tasks[each], item)
                else:
                    self._loop(each, item)
            found.append(self._frames.pop().ended)
            has_failed = has_failed or (bool(limit) and (loop.id, item.index) in self._failed)
        last = joined(found[-limit:])
        return UnitState(
            any(each.is_never for each in found),
            max(each.known for each in found),
            max(each.round for each in found),
            last.stands,
        )

    # --- units

    def _of(self, other: str, item: Item) -> UnitState:
        """Another task for an item, or for all items of a loop inside that belong to it."""
        loops, lineage = self._tasks[other].loops, item.lineage
        depth = len(lineage)
        if len(loops) > depth:
            return self._loops[loops[depth], item.index]
        return self._states[Unit(other, lineage[len(loops) - 1].index)]

    def _depths_of(self, task: LoopTask, others: Sequence[str]) -> dict[str, int]:
        """How many loops others share with a task."""
        pairs = ((other, zip(self._tasks[other].loops, task.loops, strict=False)) for other in others)
        return {other: sum(itertools.takewhile(bool, (one == own for one, own in loops))) for other, loops in pairs}

    def _unit(self, task: LoopTask, item: Item) -> None:
        unit = Unit(task.id, item.index)
        is_well = self._ended[task.id].state(item.index)
        waits: tuple[Wait, ...] = ()
        if is_well is None:
            state, waits = self._open(task, item, unit)
        else:
            state = DONE if is_well else NEVER
        self._states[unit] = state
        for frame in self._frames:
            frame.add(state, waits)

    def _open(self, task: LoopTask, item: Item, unit: Unit) -> tuple[UnitState, tuple[Wait, ...]]:
        """A unit that has not ended, and what it waits for in this round."""
        lineage, outside = item.lineage, self._outside[task.id]
        depths = self._depths[task.id]
        states = [self._of(other, lineage[depths[other] - 1]) for other in task.waits_for]
        frame = self._limiting(self._waits_at[task.id])
        if frame and frame.before:
            states.append(frame.before)
        before = joined(states)
        plan = self.plan
        is_stopped = any(each.is_stopped for each in self._frames) or self._is_stopped(task, lineage)
        if before.is_never or outside.is_never or is_stopped:
            plan.nothing.setdefault(task.id, []).append(Late(item, (), is_left_out=False))
            return NEVER, ()
        own: tuple[Wait, ...] = (task.id,) if outside.is_beside else ()
        waits = (*own, *before.stands)
        own_round = max(before.round, int(outside.is_later))
        begins = before.begins
        if frame and frame.before and frame.limit > 1:
            begins = (*begins, item_as_branch(frame.loop.id, frame.item, frame.limit))
        if self._known.is_left_out(task.id, item):
            if own_round:
                plan.later.setdefault(task.id, []).append(item.index)
            else:
                plan.nothing.setdefault(task.id, []).append(Late(item, waits, is_left_out=True))
            known = max(before.known, own_round + 1 if outside.is_later or outside.is_beside else 0)
            return UnitState(known=known, round=own_round, stands=waits, begins=begins), ()
        if not task.needs_node:
            return self._without_node(task, item, before, UnitState(round=own_round, stands=waits, begins=begins)), ()
        round_number = self._round(task, lineage, before, outside)
        if round_number:
            plan.later.setdefault(task.id, []).append(item.index)
            plan.rounds = max(plan.rounds, round_number + 1)
            return UnitState(known=round_number + 1, round=round_number), ()
        plan.ready.append(unit)
        plan.waits[unit] = waits
        if begins:
            plan.begins[unit] = begins
        return UnitState(known=1, stands=(unit,)), waits

    def _without_node(self, task: LoopTask, item: Item, before: UnitState, passed: UnitState) -> UnitState:
        """What a unit of a task means that the app evaluates: now, if it is its turn, or before a later round."""
        known = max(before.known, self._values_known(task, item.lineage), int(self._outside[task.id].is_open))
        if not known and self._known.evaluate(task.id, item):
            is_well = self._ended[task.id].is_well[item.index]
            self._note(task.id, self._ended[task.id].lineages[item.index], is_well=is_well)
            return DONE if is_well else NEVER
        self.plan.later.setdefault(task.id, []).append(item.index)
        is_outside = self._outside[task.id].is_later or self._outside[task.id].is_beside
        known = max(known, passed.round + 1 if is_outside else 1)
        if task.may_stop:
            self.plan.rounds = max(self.plan.rounds, known)
            return UnitState(known=known, round=known)
        return replace(passed, known=known)

    def _is_stopped(self, task: LoopTask, lineage: tuple[Item, ...]) -> bool:
        """Whether another branch of its group has failed for the same item, in an earlier round."""
        if not task.stopped_by or not self._failed_tasks:
            return False
        items, depths = tuple(item.index for item in lineage), self._depths[task.id]
        return any((other, items[: depths[other]]) in self._failed_tasks for other in task.stopped_by)

    def _limiting(self, depth: int) -> Frame | None:
        """The innermost loop whose limit a unit waits for, as it waits for nothing else of the same item there."""
        return next((frame for frame in reversed(self._frames[depth:]) if frame.before), None)

    def _round(self, task: LoopTask, lineage: tuple[Item, ...], before: UnitState, outside: Outside) -> int:
        """In which round from now a unit runs at the earliest."""
        found = before.round + (len(before.stands) > MAX_FAN_IN)
        found = max(found, self._values_known(task, lineage))
        if found == 0 and (outside.is_later or not self._known.admits(task.id)):
            return 1
        return found

    def _values_known(self, task: LoopTask, lineage: tuple[Item, ...]) -> int:
        """The first round in which the values are known that a unit uses."""
        depths = self._depths[task.id]
        used = (self._of(other, lineage[depths[other] - 1]) for other in task.uses_values_of)
        return max((each.known for each in used), default=0)
