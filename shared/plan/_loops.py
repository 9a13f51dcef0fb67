"""What planning knows of the loops of a flow: their items, and which units of them run in the round."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.states import State
from shared.errors import Problem
from shared.manifest.blocks import Each
from shared.manifest.read import Manifest
from shared.manifest.types import PropertyPath
from shared.plan._fan_out import ItemSource, items_of
from shared.plan._graph import FlowGraph
from shared.plan._loop_branches import LoopBranches
from shared.plan._loop_values import PlaceInLoop
from shared.plan._rendering import Bindings, Rendering
from shared.plan._rounds import Placement
from shared.plan._unit_plan import EndedUnits, Late, LoopTask, Outside, Unit, UnitPlan, Wait
from shared.plan._units import plan_units
from shared.plan.lookups import Lookups, NotKnownYet
from shared.plan.round_plan import NothingToRun

MAX_ROUNDS = 100
_WELL = (State.SUCCESS, State.WARNING)


class Loops:
    """The loops of a run's flow. `bindings_of` is what an expression of a task can use, given the item of a loop.

    `is_left_out` says whether a condition of a task does not hold for an item; `evaluated` is what becomes of a task
    that needs no node, for an item; None if something must be read first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what loops are made of
        self,
        manifest: Manifest,
        graph: FlowGraph,
        run: Run,
        lookups: Lookups,
        bindings_of: Callable[[str, Item | None, PlaceInLoop], Bindings],
        is_left_out: Callable[[str, Item], bool],
        evaluated: Callable[[str, Item], NothingToRun | None],
    ) -> None:
        self._place = manifest.layout.problem
        self._graph = graph
        self._run = run
        self._lookups = lookups
        self._bindings_of = bindings_of
        self.is_left_out = is_left_out
        self._evaluate = evaluated
        self._evaluated: dict[str, dict[int, NothingToRun]] = {}
        self._each = {each.id: each for name in graph.tasks for each in graph.loops(name)}
        self._renderings: dict[tuple[str, int], Rendering] = {}
        self._outermost: dict[str, tuple[Item, ...] | None] = {}
        self._plans: dict[str, UnitPlan] = {}
        self._ended: dict[str, EndedUnits] = {}
        self._admits: Callable[[str], bool] = lambda _: True
        self.branches = LoopBranches(graph, self.plan_of)
        self._not_now: set[str] = set()

    def problems_of_tasks(self) -> Iterator[tuple[str, Problem]]:
        """What is wrong with the values of loops, for each task in them; once tasks have ended, if it is its turn."""
        for (loop, _), rendering in self._renderings.items():
            for name in self._graph.tasks_in(loop) if rendering.problems else ():
                if name not in self._not_now:
                    yield from ((name, problem) for problem in rendering.problems)

    # --- the plan of a round

    def place(self, outside: Mapping[str, Outside], admits: Callable[[str], bool]) -> dict[str, Placement]:
        """Plan the tasks that share an outermost loop, and say what becomes of each in the round."""
        self._admits = admits
        tasks = {name: self._loop_task(name) for name in outside}
        root = next(iter(tasks.values())).loops[0]
        plan = self._plans[root] = UnitPlan()
        plan_units(tasks, outside, self, plan)
        if plan.rounds > MAX_ROUNDS:
            self._rendering(root, None).fail((), _TOO_MANY_ROUNDS.format(plan.rounds))
        waiting = {name for name, each in outside.items() if each != Outside()}
        if self._run.body.jobs or self._run.body.finished:
            self._not_now |= waiting
        wrong = {loop for (loop, _), rendering in self._renderings.items() if rendering.problems}
        failing = {name for name, task in tasks.items() if not wrong.isdisjoint(task.loops)} - waiting
        return {
            name: Placement.READY if name in failing else self._placement(name, tasks, plan, outside) for name in tasks
        }

    def _placement(
        self, name: str, tasks: Mapping[str, LoopTask], plan: UnitPlan, outside: Mapping[str, Outside]
    ) -> Placement:
        task, ready = tasks[name], plan.ready_tasks
        is_awaited = any(each.is_later for each in outside.values())
        has_units = plan.ready or plan.later or self._evaluated
        if outside[name].is_never or (not has_units and self._never_begins(plan)):
            return Placement.NEVER
        if task.id in self._evaluated:
            return Placement.TURN
        if name in ready:
            return Placement.READY
        own = {task.id, *self._graph.upstream_of(task.id)}
        is_open = any(not plan.is_last_round(name, self._graph.tasks[name].loops) for name in own if name in tasks)
        if is_open or outside[name].is_later or (is_awaited and not plan.items.get(task.loops[-1])):
            return Placement.LATER
        late = plan.nothing.get(task.id, ())
        if not all(self.ended(task.id).is_well.values()) or not all(each.is_left_out for each in late):
            return Placement.SPOILED
        is_beside = not ready.isdisjoint(own) or any(isinstance(wait, Unit) for each in late for wait in each.waits)
        return Placement.BESIDE if is_beside else Placement.EMPTY

    def _never_begins(self, plan: UnitPlan) -> bool:
        """Whether nothing in the loops has run, nor is left out, so that there is nothing to tell of their items."""
        units = list(itertools.chain.from_iterable(plan.nothing.values()))
        names = {name for loop in plan.items for name in self._graph.tasks_in(loop)}
        has_begun = not names.isdisjoint(self._run.body.unfinished.keys() | self._run.body.finished.keys())
        return bool(units) and not has_begun and not any(each.is_left_out for each in units)

    def _loop_task(self, name: str) -> LoopTask:
        task = self._graph.tasks[name]
        return LoopTask(
            name,
            task.loops,
            tuple(other for other in task.waits_for if self._graph.shares_loop(name, other)),
            tuple(sorted(other for other in task.uses_values_of if self._graph.shares_loop(name, other))),
            tuple(sorted(other for other in task.stopped_by if self._graph.shares_loop(name, other))),
            task.needs_node,
            task.may_stop,
        )

    def plan_of(self, name: str) -> UnitPlan | None:
        """The plan of the loops that a task is in; None if it is in none, or they have ended or are left out."""
        loops = self._graph.loops(name)
        return self._plans.get(loops[0].id) if loops else None

    def ready_with(self, name: str, names: Sequence[str]) -> Sequence[Unit]:
        """The units of this round of a task that is ready, and of those in the same loops that are, too."""
        plan = self.plan_of(name)
        return [unit for unit in plan.ready if unit.task in names] if plan else []

    def waits(self, unit: Unit) -> tuple[Wait, ...]:
        """What a unit of this round waits for."""
        plan = self.plan_of(unit.task)
        return plan.waits[unit] if plan else ()

    def left_for_later(self, names: Sequence[str]) -> dict[str, tuple[Item, ...]]:
        """The items of tasks in loops that run in later rounds, as far as they are known: of those that have begun."""
        found: dict[str, tuple[Item, ...]] = {}
        for name in self._graph.tasks:
            plan = self.plan_of(name)
            has_begun = name in names or name in self._run.body.unfinished
            if plan and has_begun and (name in self._evaluated or not self._is_last_round(name, plan)):
                listed = plan.items.get(self._graph.loops(name)[-1].id, [])
                left = (*plan.later.get(name, ()), *self._evaluated.get(name, ()))
                found[name] = tuple(listed[index] for index in left)
        return found

    def open_after_evaluation(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """The indexes of the items of these tasks, as far as they are known, that have not ended once some have."""
        found: dict[str, tuple[int, ...]] = {}
        for name in names:
            waiting = (each.item.index for each in self.nothing(name) if each.waits)
            plan = self.plan_of(name)
            left = (*(plan.later.get(name, ()) if plan else ()), *waiting)
            if plan and (left or not self._is_last_round(name, plan)):
                found[name] = left
        return found

    def _is_last_round(self, name: str, plan: UnitPlan) -> bool:
        return plan.is_last_round(name, self._graph.tasks[name].loops)

    def nothing(self, name: str) -> Sequence[Late]:
        """The items of a task that need no task in Batch, in the round in which the last of its items end."""
        plan = self.plan_of(name)
        return plan.nothing.get(name, ()) if plan and self._is_last_round(name, plan) else ()

    def evaluated(self, name: str) -> Mapping[int, NothingToRun]:
        """What became of the items of a task that were evaluated while the round was planned."""
        return self._evaluated.get(name, {})

    def has_ended(self, name: str, other: str, item: Item | None) -> bool:
        """Whether another task in the same loops has ended for what belongs to the item of a task."""
        if item is None or item.index < 0 or not self._graph.shares_loop(name, other):
            return False
        depth, lineages = self._shared(name, other, item), self.ended(other).lineages
        own = tuple(each.index for each in item.lineage[:depth])
        plan = self.plan_of(other)
        deep = plan.items.get(self._graph.loops(other)[-1].id, ()) if plan else ()
        if len(self._graph.loops(other)) == depth:
            return own[-1] in lineages or bool(plan and plan.leaves_out(other, own[-1]))
        inside = [each.index for each in deep if tuple(one.index for one in each.lineage[:depth]) == own]
        return all(index in lineages or bool(plan and plan.leaves_out(other, index)) for index in inside)

    def _shared(self, name: str, other: str, item: Item) -> int:
        """How many loops two tasks share, of those that the item is of."""
        pairs = zip(self._graph.loops(name)[: len(item.lineage)], self._graph.loops(other), strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0].id == pair[1].id, pairs))

    # --- items

    def items_of(self, name: str) -> tuple[Item, ...] | None:
        """The items of a task in loops; None if not all are known yet."""
        plan = self.plan_of(name)
        if plan and not plan.incomplete.isdisjoint(each.id for each in self._graph.loops(name)):
            return None
        try:
            return self._known_items_of(name)
        except NotKnownYet:
            return None

    def known_items_of(self, name: str) -> Sequence[Item]:
        """The items of a task in loops, as far as they are known. Raises NotKnownYet if they must first be read."""
        return self._known_items_of(name) or ()

    def _known_items_of(self, name: str) -> tuple[Item, ...] | None:
        loops, plan = self._graph.loops(name), self.plan_of(name)
        if plan:
            return plan.listed(loops[-1].id)
        if len(loops) > 1 and name in self._run.body.finished:
            return tuple(record.item for record in self._lookups.items(name))
        return self._items_of_outermost(loops[0].id) if len(loops) == 1 else None

    def _items_of_outermost(self, loop: str) -> tuple[Item, ...] | None:
        if loop not in self._outermost:
            self._outermost[loop] = self._found(loop, None, 0)
        return self._outermost[loop]

    def _found(self, loop: str, parent: Item | None, first: int) -> tuple[Item, ...] | None:
        each, name = self._each[loop], self._graph.tasks_in(loop)[0]
        source = ItemSource(name, each.values, is_loop=True, is_isolated=each.is_isolated)
        return items_of(source, self._rendering(loop, parent), self._run, self._lookups, parent, first)

    def _rendering(self, loop: str, parent: Item | None) -> Rendering:
        key = (loop, parent.index if parent else -1)
        if key not in self._renderings:
            place = PlaceInLoop(self._each[loop].is_in_group)
            bindings = self._bindings_of(self._graph.tasks_in(loop)[0], parent, place)
            self._renderings[key] = Rendering(partial(self._at, self._each[loop]), bindings)
        return self._renderings[key]

    def _at(self, each: Each, path: PropertyPath, message: str) -> Problem:
        return self._place((*each.path, *path[1:]), message)

    # --- what a plan of units asks

    def limit(self, loop: str) -> int:
        """For how many items a loop runs at once; 0 for all."""
        return self._each[loop].limit

    def items(self, loop: str, parent: Item | None, first: int) -> Sequence[Item] | None:
        """The items of a loop for an item of the loop around it, the indexes from `first`; None if not known yet."""
        return self._items_of_outermost(loop) if parent is None else self._found(loop, parent, first)

    def admits(self, task: str) -> bool:
        """Whether the round may have the task."""
        return self._admits(task)

    def evaluate(self, task: str, item: Item) -> bool:
        """Evaluate a task that needs no node, for an item whose turn it is; false if something must be read first."""
        found = self._evaluate(task, item)
        if found is None:
            return False
        self._evaluated.setdefault(task, {})[item.index] = found
        self.ended(task).add(item, is_well=found.record.state in _WELL)
        return True

    def ended(self, task: str) -> EndedUnits:
        """How the units of a task ended in earlier rounds."""
        if task not in self._ended:
            self._ended[task] = self._ended_units(task)
        return self._ended[task]

    def _ended_units(self, task: str) -> EndedUnits:
        body = self._run.body
        if task not in body.finished and task not in body.unfinished:
            return EndedUnits()
        try:
            records = self._lookups.items(task)
        except NotKnownYet:
            records = ()  # they are read before anything is planned with them
        ended = body.finished.get(task)
        return EndedUnits(
            {record.index: record.is_left_out or record.state in _WELL for record in records},
            {record.index: tuple(item.index for item in record.item.lineage) for record in records},
            None if ended is None else ended.is_left_out or ended.state in _WELL,
        )


_TOO_MANY_ROUNDS = (
    "it would take {} rounds, one job after the other, because a task uses what the one before it printed for the same"
    f" value, and the limit is {MAX_ROUNDS}; `concurrencyLimit: 0` takes the values side by side"
)
