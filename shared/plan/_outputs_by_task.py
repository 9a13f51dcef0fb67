"""`outputs` in an expression of a task: the outputs of the tasks and Loops before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from shared.expressions.values import UNKNOWN, ExpressionError, LazyValue
from shared.plan._graph import FlowGraph


class OutputsByTask(LazyValue, Mapping[str, object]):
    """`outputs` for a task: the outputs of the tasks before it, each made when it is first used."""

    def __init__(
        self, task: str, graph: FlowGraph, outputs_of: Callable[[str], object], more: Iterable[str] = ()
    ) -> None:
        self._task = task
        before = graph.outputs_before(task)
        self._names = before.union(more) if more else before
        self._graph = graph
        self._outputs_of = outputs_of

    def __getitem__(self, name: str) -> object:
        if name not in self._names:
            raise KeyError(name)
        return self._outputs_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def as_text(self) -> str:
        """Raise ExpressionError: there is no text of all outputs."""
        raise ExpressionError(f"name one of its values: {', '.join(self) or 'it has none'}")

    def part(self, name: object) -> object:
        """The outputs of a task. Raises KeyError if it does not run before."""
        other = str(name)
        if other in self._names or self._graph.may_be_before(self._task, other):
            is_known = self._graph.has_known_outputs(other) or other in self._graph.loops_before(self._task)
            return self._outputs_of(other) if is_known else UNKNOWN
        raise KeyError(other)

    def missing(self, name: str) -> str:
        """Why a task has no outputs here."""
        return self._graph.not_before(name)
