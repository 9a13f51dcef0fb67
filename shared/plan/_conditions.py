"""Whether the conditions of tasks hold: `runIf` of the task itself, and of the groups that it is in.

A task whose conditions do not hold is left out, and what waits for it runs, as in Kestra: see `_is_true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.documents.items import Item
from shared.documents.record import TaskRecord
from shared.errors import Problem
from shared.manifest.blocks import Condition
from shared.manifest.read import Manifest
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import PlaceInLoop
from shared.plan._rendering import Bindings, Rendering
from shared.plan.lookups import NotKnownYet
from shared.plan.round_plan import UNKNOWN_ITEM

_FALSE = frozenset({"", "false", "0", "-0"})


class Conditions:
    """The conditions of the tasks of a run; `ended` are those that have ended, `bindings_of` what a task can use.

    Those inside of a loop are asked for each item of it; what they can use is that of the item.
    """

    def __init__(
        self,
        manifest: Manifest,
        graph: FlowGraph,
        ended: Mapping[str, TaskRecord],
        bindings_of: Callable[[str, Item | None, PlaceInLoop], Bindings],
    ) -> None:
        self._place = manifest.layout.problem
        self._graph = graph
        self._bindings_of = bindings_of
        self._renderings: dict[tuple[str, int, bool, int | None], Rendering] = {}
        self._inner: dict[str, bool] = {}
        self._left_out = {name: task.is_left_out for name, task in ended.items()}

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the conditions that were looked at."""
        return [problem for rendering in self._renderings.values() for problem in rendering.problems]

    def is_left_out(self, name: str) -> bool:
        """Whether a condition of a task does not hold; false as long as that is not known."""
        if name not in self._left_out:
            try:
                self._left_out[name] = not self._hold(name)
            except NotKnownYet:
                return False
        return self._left_out[name]

    def is_left_out_for(self, name: str, item: Item) -> bool:
        """Whether a condition inside of a loop does not hold for an item; false as long as that is not known."""
        if not self._has_inner(name):
            return False
        try:
            return not self._hold(name, item)
        except NotKnownYet:
            return False

    def _has_inner(self, name: str) -> bool:
        """Whether a condition of a task is inside of a loop."""
        if name not in self._inner:
            self._inner[name] = any(each.depth for each in self._graph.conditions(name))
        return self._inner[name]

    def check(self, name: str) -> None:
        """Collect the problems of the conditions of a task, as far as they show now."""
        for condition in self._graph.conditions(name):
            item = UNKNOWN_ITEM if condition.depth else None
            self._rendering(name, condition, item).text(condition.path, condition.text)

    def _hold(self, name: str, item: Item | None = None) -> bool:
        """The outermost is asked first: where it does not hold, nothing inside is rendered."""
        lineage = item.lineage if item else ()
        conditions = (each for each in self._graph.conditions(name) if bool(each.depth) == bool(item))
        return all(_holds(each, self._text(name, each, lineage)) for each in conditions)

    def _text(self, name: str, condition: Condition, lineage: tuple[Item, ...]) -> str:
        item = lineage[condition.depth - 1] if condition.depth else None
        return self._rendering(name, condition, item).known_text(condition.path, condition.text)

    def _rendering(self, name: str, condition: Condition, item: Item | None) -> Rendering:
        key = (name, condition.depth, condition.is_in_group, item.index if item else None)
        if key not in self._renderings:
            bindings = self._bindings_of(name, item, PlaceInLoop(condition.is_in_group))
            self._renderings[key] = Rendering(self._place, bindings)
        return self._renderings[key]


def _holds(condition: Condition, rendered: str) -> bool:
    """Whether a condition holds. The keys of a Switch are compared as they are, as `FlowableUtils` does."""
    holds = rendered in condition.values if condition.values else _is_true(rendered)
    return holds is not condition.is_negated


def _is_true(text: str) -> bool:
    """Whether a rendered condition holds, as `io.kestra.core.utils.TruthUtils` has it."""
    return text.strip() not in _FALSE
