"""Which tasks of a flow run in the next round, which in a later one, and which never.

A round is one Batch job. A task joins the round as soon as everything it waits for has ended well, or is in the same
round and is waited for by Batch itself. It needs a later round if values that an earlier task prints decide it, if it
follows a fan-out, or if it runs on another pool.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from shared.documents.states import JobReason, State

_SATISFIED = frozenset({State.SUCCESS, State.WARNING})


@dataclass(frozen=True)
class GraphTask:
    """A task as far as its place in the order matters.

    `waits_for` are the tasks before it, `uses_values_of` those of them whose results its expressions need.
    """

    id: str
    waits_for: tuple[str, ...]
    uses_values_of: frozenset[str]
    is_fan_out: bool


@dataclass(frozen=True)
class Split:
    """The tasks of a flow that have not ended, in an order in which they can run.

    `empty` are fan-outs without items whose turn it is; what waits for them does not wait any more. `reason` tells why
    the tasks that are ready were not ready in an earlier round.
    """

    ready: tuple[str, ...]
    later: tuple[str, ...]
    never: tuple[str, ...]
    reason: JobReason
    empty: tuple[str, ...] = ()


class _Fate(Enum):
    DONE = "ended well"
    EMPTY = "nothing to run"
    READY = "in this round"
    LATER = "in a later round"
    NEVER = "what it waits for did not end well"


_OVER = frozenset({_Fate.DONE, _Fate.EMPTY})


def split(
    graph: Mapping[str, GraphTask],
    ended: Mapping[str, State],
    pool_of: Callable[[str], str],
    is_empty: Callable[[str], bool],
) -> Split:
    """Sort out what is left of a flow, given how the tasks of earlier rounds ended.

    `pool_of` and `is_empty` (whether it is a fan-out without items) are asked only for tasks all of whose values are
    known.
    """
    fates: dict[str, _Fate] = {}
    pool: str | None = None
    for task in in_order(graph):
        fate = _ended(ended[task.id]) if task.id in ended else _fate(task, graph, fates)
        if fate is _Fate.READY and is_empty(task.id):
            fate = _Fate.EMPTY
        if fate is _Fate.READY:
            pool = pool if pool is not None else pool_of(task.id)
            fate = fate if pool_of(task.id) == pool else _Fate.LATER
        fates[task.id] = fate
    left = [(name, fate) for name, fate in fates.items() if name not in ended]
    ready = tuple(name for name, fate in left if fate is _Fate.READY)
    return Split(
        ready=ready,
        later=tuple(name for name, fate in left if fate is _Fate.LATER),
        never=tuple(name for name, fate in left if fate is _Fate.NEVER),
        empty=tuple(name for name, fate in left if fate is _Fate.EMPTY),
        reason=why_not_earlier((graph[name] for name in ready), graph) if ended else JobReason.FIRST,
    )


def _ended(state: State) -> _Fate:
    return _Fate.DONE if state in _SATISFIED else _Fate.NEVER


def _fate(task: GraphTask, graph: Mapping[str, GraphTask], fates: Mapping[str, _Fate]) -> _Fate:
    before = [(name, fates[name]) for name in task.waits_for]
    if any(fate is _Fate.NEVER for _, fate in before):
        return _Fate.NEVER
    if any(fates[name] not in _OVER for name in task.uses_values_of):
        return _Fate.LATER  # also of tasks that it waits for only through others
    for name, fate in before:
        in_this_round = fate is _Fate.READY and not graph[name].is_fan_out
        if fate not in _OVER and not in_this_round:
            return _Fate.LATER
    return _Fate.READY


def why_not_earlier(tasks: Iterable[GraphTask], graph: Mapping[str, GraphTask]) -> JobReason:
    """Why tasks run in a later round than the tasks before them."""
    of_tasks = list(tasks)
    if any(task.uses_values_of for task in of_tasks):
        return JobReason.VALUES
    if any(graph[name].is_fan_out for task in of_tasks for name in task.waits_for):
        return JobReason.FAN_OUT
    return JobReason.POOL


def in_order(graph: Mapping[str, GraphTask]) -> Iterator[GraphTask]:
    """Every task after those that it waits for; otherwise in the order of the flow."""
    places = {name: place for place, name in enumerate(graph)}
    sorter = graphlib.TopologicalSorter({name: task.waits_for for name, task in graph.items()})
    sorter.prepare()
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=places.__getitem__):
            yield graph[name]
            sorter.done(name)
