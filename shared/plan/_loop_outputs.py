"""What expressions see of the outputs of tasks in loops, and of Loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.task_result import ItemRecord
from shared.expressions.render import render
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import PlaceInLoop, lines_of, typed
from shared.plan._loops import Loops
from shared.plan._rendering import Bindings
from shared.plan.lookups import Lookups, NotKnownYet


class LoopOutputs:
    """How the tasks in the loops of a run ended for their items; `bindings_of` is what an expression can use."""

    def __init__(
        self,
        graph: FlowGraph,
        run: Run,
        lookups: Lookups,
        loops: Loops,
        bindings_of: Callable[[str, Item | None, PlaceInLoop], Bindings],
    ) -> None:
        self._graph = graph
        self._run = run
        self._lookups = lookups
        self._loops = loops
        self._bindings_of = bindings_of
        self._by_index: dict[str, dict[int, ItemRecord]] = {}
        self._lines: dict[str, tuple[int, dict[tuple[str, ...], int]]] = {}

    def are_left_out(self, name: str) -> bool:
        """Whether a condition leaves out all items of a task, which nothing is recorded of yet."""
        plan = self._loops.plan_of(name)
        late = plan.nothing.get(name, ()) if plan and name not in self._run.body.finished else ()
        return (
            bool(late) and len(late) == len(self._loops.known_items_of(name)) and all(each.is_left_out for each in late)
        )

    def known_items_of(self, name: str) -> Sequence[Item]:
        """The items of a task in loops, as far as they are known."""
        return self._loops.known_items_of(name)

    def sibling(self, name: str, item: Item) -> ItemRecord | Item | None:
        """How a task ended for what an item belongs to; the item alone if it has not, None if that are several."""
        loops = self._graph.loops(name)
        if len(loops) > len(item.lineage):
            return None
        own = item.lineage[len(loops) - 1]
        return self.ended_item(name, own.index) or own

    def ended_item(self, name: str, index: int) -> ItemRecord | None:
        """How a task ended for an item; None if it has not."""
        evaluated = self._loops.evaluated(name).get(index)
        return evaluated.item_record() if evaluated else self.ended_items(name).get(index)

    def ended_items(self, name: str) -> dict[int, ItemRecord]:
        """How the items of a task ended in earlier rounds, by their indexes."""
        body = self._run.body
        if name not in body.finished and name not in body.unfinished:
            return {}
        if name not in self._by_index:
            self._by_index[name] = {record.index: record for record in self._lookups.items(name)}
        return self._by_index[name]

    def lines(self, name: str) -> dict[tuple[str, ...], int]:
        """The texts of the values of the items of a task, and their places."""
        loop = self._graph.loops(name)[-1].id
        known = self._loops.known_items_of(name)
        if loop not in self._lines or self._lines[loop][0] != len(known):
            self._lines[loop] = (len(known), lines_of(known))
        return self._lines[loop][1]

    def iterations(self, loop: str, item: Item | None) -> tuple[Item, ...]:
        """The items of a loop that has ended, of those that belong to an item. Raises NotKnownYet."""
        tasks = [name for name in self._graph.tasks_in(loop) if self._graph.loops(name)[-1].id == loop]
        around = self._graph.loops(self._graph.tasks_in(loop)[0])
        depth = [each.id for each in around].index(loop)
        own = item.lineage[depth - 1].index if item and depth else None
        names = tasks or self._graph.tasks_in(loop)
        listed = {
            part.index: part
            for name in names
            for each in self._loops.known_items_of(name)
            for part in each.lineage[depth : depth + 1]
        }
        found = tuple(each for each in listed.values() if own is None or (each.parent and each.parent.index == own))
        is_open = any(name not in self._run.body.finished for name in names)
        if is_open and (own is None or not all(self.ended_item(name, each.index) for name in tasks for each in found)):
            raise NotKnownYet
        return found

    def value_of(self, loop: str, item: Item) -> dict[str, Any]:
        """What a loop makes of the outputs for an item. Raises ExpressionError."""
        bindings = self._bindings_of(self._graph.tasks_in(loop)[-1], item, PlaceInLoop(outputs_of=loop))
        found: dict[str, Any] = {}
        for output in self._graph.loop(loop).outputs:
            text = render(output.text, bindings.values, bindings.functions, bindings.budget, bindings.major)
            found[output.id] = typed(output, text)
        return found
