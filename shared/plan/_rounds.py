"""Which tasks of a flow run in the next round, which in a later one, and which never. Pure.

A round is one Batch job. A task joins the round as soon as everything it waits for has ended well, or is in the same
round and is waited for by Batch itself. It needs a later round if values that an earlier task prints decide it, if it
follows a fan-out, or if it runs on another pool.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterator, Mapping
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
    nodes: Mapping[str, GraphTask],
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
    for node in in_order(nodes):
        fate = _ended(ended[node.id]) if node.id in ended else _fate(node, nodes, fates)
        if fate is _Fate.READY and is_empty(node.id):
            fate = _Fate.EMPTY
        if fate is _Fate.READY:
            pool = pool if pool is not None else pool_of(node.id)
            fate = fate if pool_of(node.id) == pool else _Fate.LATER
        fates[node.id] = fate
    left = [(name, fate) for name, fate in fates.items() if name not in ended]
    ready = tuple(name for name, fate in left if fate is _Fate.READY)
    return Split(
        ready=ready,
        later=tuple(name for name, fate in left if fate is _Fate.LATER),
        never=tuple(name for name, fate in left if fate is _Fate.NEVER),
        empty=tuple(name for name, fate in left if fate is _Fate.EMPTY),
        reason=_reason([nodes[name] for name in ready], nodes, ended),
    )


def _ended(state: State) -> _Fate:
    return _Fate.DONE if state in _SATISFIED else _Fate.NEVER


def _fate(node: GraphTask, nodes: Mapping[str, GraphTask], fates: Mapping[str, _Fate]) -> _Fate:
    before = [(name, fates[name]) for name in node.waits_for]
    if any(fate is _Fate.NEVER for _, fate in before):
        return _Fate.NEVER
    if any(fates[name] not in _OVER for name in node.uses_values_of):
        return _Fate.LATER  # also of tasks that it waits for only through others
    for name, fate in before:
        in_this_round = fate is _Fate.READY and not nodes[name].is_fan_out
        if fate not in _OVER and not in_this_round:
            return _Fate.LATER
    return _Fate.READY


def _reason(ready: list[GraphTask], nodes: Mapping[str, GraphTask], ended: Mapping[str, State]) -> JobReason:
    if not ended:
        return JobReason.FIRST
    if any(node.uses_values_of for node in ready):
        return JobReason.VALUES
    if any(nodes[name].is_fan_out for node in ready for name in node.waits_for):
        return JobReason.FAN_OUT
    return JobReason.POOL


def in_order(nodes: Mapping[str, GraphTask]) -> Iterator[GraphTask]:
    """Every task after those that it waits for; otherwise in the order of the flow."""
    places = {name: place for place, name in enumerate(nodes)}
    sorter = graphlib.TopologicalSorter({name: node.waits_for for name, node in nodes.items()})
    sorter.prepare()
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=places.__getitem__):
            yield nodes[name]
            sorter.done(name)
