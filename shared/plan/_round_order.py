"""The order of the tasks of a round: their numbers, and which of them wait for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from shared.documents.items import Item
from shared.documents.states import SkippedBy
from shared.plan._graph import FlowGraph
from shared.plan._loops import Loops
from shared.plan._rounds import Split, waits_in_round
from shared.plan._unit_plan import Unit, Wait
from shared.plan._without_node import kept_from_running, left_out, without_items
from shared.plan.round_plan import NothingToRun


class RoundOrder:
    """The tasks of a round with their items; `items_to_run` are those of a task that is in no loop."""

    def __init__(
        self, graph: FlowGraph, loops: Loops, split: Split, items_to_run: Callable[[str], Sequence[Item | None]]
    ) -> None:
        self._graph = graph
        self._loops = loops
        self._ready, self._empty, self._turn = split.ready, split.empty, split.turn
        self._waits_in_round = waits_in_round(graph.tasks, split)
        self._items_to_run = items_to_run
        self._numbers: dict[Unit, int] = {}

    def counts(self) -> Counter[str]:
        """How many items each task has in the round."""
        return Counter(name for name, _ in self._units())

    def numbered(self) -> Iterator[tuple[int, tuple[str, Item | None]]]:
        """The tasks of the round with their items, numbered from 1: each after those that it waits for."""
        for number, (name, item) in enumerate(self._units(), start=1):
            self._numbers[Unit(name, item.index if item else -1)] = number
            yield number, (name, item)

    def _units(self) -> Iterator[tuple[str, Item | None]]:
        in_loops: set[str] = set()
        for name in self._ready:
            if not self._graph.loops(name):
                yield from ((name, item) for item in self._items_to_run(name))
            elif name not in in_loops:
                known: dict[str, Sequence[Item]] = {}
                for unit in self._loops.ready_with(name, self._ready):
                    if unit.task not in known:
                        known[unit.task] = self._loops.known_items_of(unit.task)
                    yield unit.task, known[unit.task][unit.item]
                in_loops |= known.keys()

    def depends_on(self, name: str, item: Item | None) -> tuple[int, ...]:
        """The numbers of the tasks that must end well before a task, or before a task for an item."""
        if item is None or not self._graph.loops(name):
            return self.waits_for(name)
        return self.waits_of(self._loops.waits(Unit(name, item.index)))

    def waits_for(self, name: str) -> tuple[int, ...]:
        """The numbers of the tasks of the round that must end well before a task that is ready, or an empty fan-out.

        Those in the same loops do not count: for them it waits item by item.
        """
        before = self._waits_in_round.get(name, ())
        others = (other for other in before if not self._graph.shares_loop(name, other))
        return tuple(self._numbers[Unit(other, -1)] for other in others)

    def waits_of(self, waits: Sequence[Wait]) -> tuple[int, ...]:
        """The numbers of units, and of what tasks wait for outside of their loops."""
        found: dict[int, None] = {}
        for wait in waits:
            found |= dict.fromkeys(self.waits_for(wait) if isinstance(wait, str) else (self._numbers[wait],))
        return tuple(found)

    def empty(
        self, why_left_out: Callable[[str], SkippedBy | None], why_empty: Callable[[str], str | None]
    ) -> Iterator[NothingToRun]:
        """The tasks, and items of tasks in loops, with nothing to run; called after the others have their numbers."""
        for name in self._graph.tasks:
            is_in_round = name in self._ready or name in self._empty or name in self._turn
            late = self._loops.nothing(name) if is_in_round else ()
            for each in late:
                record = left_out(name) if each.is_left_out else kept_from_running(name)
                yield NothingToRun(record, self.waits_of(each.waits), item=each.item)
            if name in self._empty and not late:
                why = why_left_out(name)
                record = left_out(name, why) if why else without_items(name, why_empty(name))
                yield NothingToRun(record, self.waits_for(name))
