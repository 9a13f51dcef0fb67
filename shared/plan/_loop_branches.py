"""The branches that the units of tasks in loops are in: of groups, and of loops that run several items at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shared.documents.items import Item
from shared.manifest.blocks import Branch
from shared.plan._graph import FlowGraph
from shared.plan._unit_plan import Unit, UnitPlan, item_as_branch


class LoopBranches:
    """The branches in the loops of a flow; `plan_of` is the plan of the loops that a task is in."""

    def __init__(self, graph: FlowGraph, plan_of: Callable[[str], UnitPlan | None]) -> None:
        self._graph = graph
        self._plan_of = plan_of
        self._limits: dict[str, frozenset[str]] = {}

    def of(self, name: str, item: Item) -> tuple[Branch, ...]:
        """The branches that a unit is in; in a loop, a group is another one for each of its items."""
        branches = self._graph.branches(name)
        if not branches and not self._limited(name):
            return ()
        return (*(_of_item(branch, item) for branch in branches), *self._items_as_branches(name, item))

    def begins(self, name: str, item: Item) -> tuple[Branch, ...]:
        """Of these, those that it begins later than the first ones."""
        begun, plan = self._graph.begun_branches(name), self._plan_of(name)
        if not begun and not self._limited(name):
            return ()
        of_groups = (_of_item(branch, item) for branch in begun)
        own = plan.begins.get(Unit(name, item.index), ()) if plan else ()
        limited = self._items_as_branches(name, item)
        return (*of_groups, *(branch for branch in own if branch in limited))

    def _items_as_branches(self, name: str, item: Item) -> tuple[Branch, ...]:
        return tuple(
            item_as_branch(each.id, part, each.limit)
            for each, part in zip(self._graph.loops(name), item.lineage, strict=True)
            if each.id in self._limited(name)
        )

    def _limited(self, name: str) -> frozenset[str]:
        """The loops that a task is in of which several items run at once, up to a limit, until one fails."""
        if name not in self._limits:
            limited = (each.id for each in self._graph.loops(name) if each.limit > 1 and self._graph.can_fail(each.id))
            self._limits[name] = frozenset(limited)
        return self._limits[name]


def _of_item(branch: Branch, item: Item) -> Branch:
    if not branch.depth:
        return branch
    return replace(branch, group=f"{branch.group}.{item.lineage[branch.depth - 1].index}")
