"""The tasks of a graph: what they wait for, in which order they can run, and which of them never will."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.documents.states import State

SUCCESSFUL_STATES = frozenset({State.SUCCESS, State.WARNING})
FAILED_STATES = frozenset({State.FAILED, State.KILLED})


@dataclass(frozen=True)
class GraphTask:
    """A task and its dependencies.

    `waits_for` are the tasks that must end well before it; `uses_values_of` are those whose results its expressions
    need; `stopped_by` are those after whose failure it does not begin, although it does not wait for them.
    One that the app evaluates needs no node; if it `may_stop` the flow, nothing after it begins before it is evaluated.
    `follows` are those that must have ended before it, well or not. `loops` are those that it is in, the outermost
    first.
    """

    id: str
    waits_for: tuple[str, ...]
    uses_values_of: frozenset[str]
    is_fan_out: bool
    is_serial: bool = False
    stopped_by: frozenset[str] = frozenset()
    needs_node: bool = True
    may_stop: bool = True
    follows: frozenset[str] = frozenset()
    loops: tuple[str, ...] = ()

    def shares_loop(self, other: GraphTask) -> bool:
        """Whether both are in the same outermost loop."""
        return self.loops[:1] == other.loops[:1] != ()


def in_dependency_order(graph: Mapping[str, GraphTask]) -> Iterator[GraphTask]:
    """All tasks, each after the tasks that it waits for or follows; otherwise in the order of the flow.

    A task in loops comes after all that any task in the same outermost loop waits for outside of it.
    """
    positions = {name: position for position, name in enumerate(graph)}
    outside: dict[str, set[str]] = {}
    for task in (each for each in graph.values() if each.loops):
        others = (name for name in (*task.waits_for, *task.follows) if not task.shares_loop(graph[name]))
        outside.setdefault(task.loops[0], set()).update(others)
    sorter = graphlib.TopologicalSorter(
        {
            name: {*task.waits_for, *task.follows, *outside.get(task.loops[0] if task.loops else "", ())}
            for name, task in graph.items()
        }
    )
    sorter.prepare()
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=positions.__getitem__):
            yield graph[name]
            sorter.done(name)


def never_run(graph: Mapping[str, GraphTask], ended: Mapping[str, State]) -> frozenset[str]:
    """The tasks that cannot run any more, because one that they wait for, or that stops them, did not end well.

    What tasks in the same loop mean for each other is told value by value, and not here; but where the first of them is
    kept from running for all values, so are those after it.
    """
    never: set[str] = set()
    for task in in_dependency_order(graph):
        waits_for = [name for name in task.waits_for if name in never or not task.shares_loop(graph[name])]
        stopped_by = (name for name in task.stopped_by if not task.shares_loop(graph[name]))
        if task.id in ended:
            continue
        if any(name in never or ended.get(name, State.SUCCESS) not in SUCCESSFUL_STATES for name in waits_for) or any(
            ended.get(name) in FAILED_STATES for name in stopped_by
        ):
            never.add(task.id)
    return frozenset(never)
