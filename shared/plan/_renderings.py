"""The renderings of a plan: one for each task, and for each item of a fan-out or loop while it is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from shared.documents.items import Item
from shared.errors import Problem
from shared.manifest.read import Manifest
from shared.manifest.types import PropertyPath
from shared.plan._context import Context
from shared.plan._earlier_tasks import EarlierTasks
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import PlaceInLoop
from shared.plan._rendering import Bindings, Rendering
from shared.plan._scope import VALUES_OF_ENDED, Scope
from shared.plan.lookups import Lookups
from shared.plan.round_plan import UNKNOWN_ITEM


class Renderings:
    """The renderings of the tasks of a flow, each made when it is first asked for.

    `knows_outputs` says whether all has ended whose values the expressions of a task use, for an item of it.
    """

    def __init__(  # noqa: PLR0913 - each is another source of what expressions see
        self,
        manifest: Manifest,
        context: Context,
        graph: FlowGraph,
        earlier: EarlierTasks,
        lookups: Lookups,
        *,
        has_wrong_inputs: bool,
        knows_outputs: Callable[[str, Item | None], bool],
    ) -> None:
        self._manifest = manifest
        self._context = context
        self._graph = graph
        self._earlier = earlier
        self._lookups = lookups
        self._unknown = frozenset({*manifest.gaps.values, *(["inputs"] if has_wrong_inputs else [])})
        self._knows_outputs = knows_outputs
        self._indexes = {task.id: index for index, task in enumerate(manifest.flow.tasks)}
        self._found: dict[tuple[str, int | None], tuple[Scope, Rendering]] = {}

    def __iter__(self) -> Iterator[tuple[str, Rendering]]:
        """The renderings that there are, with the names of their tasks."""
        return ((name, rendering) for (name, _), (_, rendering) in self._found.items())

    def of(self, name: str, item: Item | None = None) -> Rendering:
        """The rendering of a task, or of a fan-out's task for one item."""
        return self._of(name, item)[1]

    def scope(self, name: str, item: Item | None) -> Scope:
        """What its expressions can use, and what they have used."""
        return self._of(name, item)[0]

    def forget(self, name: str, item: Item | None) -> None:
        """Let go of the rendering of an item, unless something is wrong with it: there may be thousands of items."""
        rendering = self.of(name, item)
        if item and rendering.is_complete and not rendering.problems:
            del self._found[name, item.index]

    def bindings(self, name: str, item: Item | None, place: PlaceInLoop) -> Bindings:
        """What an expression of a task can use that stands elsewhere: in a condition, or in a loop around it."""
        return self._in_scope(name, item, place)[1]

    def _of(self, name: str, item: Item | None) -> tuple[Scope, Rendering]:
        key = (name, item.index if item else None)
        if key not in self._found:
            scope, bindings = self._in_scope(name, item, PlaceInLoop(self._graph.placed(name).is_in_group))
            fan_out = self.of(name) if item else None
            problem = partial(_problem, self._manifest, self._indexes[name])
            self._found[key] = scope, Rendering(problem, bindings, fan_out)
        return self._found[key]

    def _in_scope(self, name: str, item: Item | None, place: PlaceInLoop) -> tuple[Scope, Bindings]:
        task, gaps, unknown = self._manifest.flow.tasks[self._indexes[name]], self._manifest.gaps, self._unknown
        scope = Scope(task, item, self._context, self._graph, self._earlier, self._lookups, place)
        if item is UNKNOWN_ITEM or name in gaps.items:
            unknown |= {"item", "taskrun", "parent", "parents"}
        if gaps.is_any or not self._knows_outputs(name, item):
            unknown |= VALUES_OF_ENDED
        return scope, scope.bindings(unknown)


def _problem(manifest: Manifest, index: int, path: PropertyPath, message: str) -> Problem:
    return manifest.problem(("tasks", index, *path), message)
