"""Whether the conditions of tasks hold: `runIf` of the task itself, and of the groups that it is in.

A task whose conditions do not hold is left out, and what waits for it runs, as in Kestra: see `is_true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.documents.items import Item
from shared.documents.states import SkippedBy, State
from shared.documents.task_result import TaskRecord
from shared.manifest.blocks import Condition
from shared.manifest.read import Manifest
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import PlaceInLoop
from shared.plan._rendering import Bindings, Rendering
from shared.plan.lookups import NotKnownYet
from shared.plan.round_plan import UNKNOWN_ITEM

_FAILED = frozenset({State.FAILED, State.KILLED})
_FALSE = frozenset({"", "false", "0", "-0"})


class Conditions:
    """The conditions of the tasks of a run; `ended` are those that have ended, `bindings_of` what a task can use.

    Its `renderings`, by task and what else they are for, have the problems of the conditions that were looked at.
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
        self.renderings: dict[tuple[str, int, bool, int | None], Rendering] = {}
        self._ended = ended
        self._inner: dict[str, bool] = {}
        self._left_out = {name: task.is_left_out for name, task in ended.items()}

    def is_left_out(self, name: str) -> bool:
        """Whether a condition of a task does not hold; false as long as that is not known."""
        if self._is_not_called_for(name):
            return True
        if name not in self._left_out:
            try:
                self._left_out[name] = not self._hold(name)
            except NotKnownYet:
                return False
        return self._left_out[name]

    def why_left_out(self, name: str) -> SkippedBy | None:
        """Why a task is left out; None if it is not, as far as that is known."""
        if self._is_not_called_for(name):
            return SkippedBy.NO_FAILURE
        return SkippedBy.CONDITION if self.is_left_out(name) else None

    def _is_not_called_for(self, name: str) -> bool:
        """Whether a task in `errors` has nothing to do: what it is there for has ended, and nothing of it failed."""
        return any(
            all(other in self._ended and self._ended[other].state not in _FAILED for other in others)
            for others in self._graph.runs_on_failure_of(name)
        )

    def are_known(self, name: str) -> bool:
        """Whether it is known whether the conditions of a task hold."""
        return self.is_left_out(name) or name in self._left_out

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
        if key not in self.renderings:
            bindings = self._bindings_of(name, item, PlaceInLoop(condition.is_in_group))
            self.renderings[key] = Rendering(self._place, bindings)
        return self.renderings[key]


def _holds(condition: Condition, rendered: str) -> bool:
    """Whether a condition holds. The keys of a Switch are compared as they are, as `FlowableUtils` does."""
    holds = rendered in condition.values if condition.values else is_true(rendered)
    return holds is not condition.is_negated


def is_true(text: str) -> bool:
    """Whether a rendered condition holds, as `io.kestra.core.utils.TruthUtils` has it."""
    return text.strip() not in _FALSE
