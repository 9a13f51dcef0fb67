"""Decides which tasks of a flow run in the next round, which in a later one, and which never.

A round is one Batch job. A task is in the next round if every task that it waits for has succeeded, or is in the same
round, where Batch itself waits for it. It needs a later round if its expressions use values that an earlier task
prints, if it follows a fan-out, or if it runs on another pool. A fan-out whose items run one after the other is in a
round with nothing but tasks that it waits for: an item that fails ends the round, and nothing else may end with it.
"""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from shared.documents.states import JobReason, State
from shared.manifest.order import tasks_before

_SUCCESSFUL_STATES = frozenset({State.SUCCESS, State.WARNING})
_FAILED_STATES = frozenset({State.FAILED, State.KILLED})


@dataclass(frozen=True)
class GraphTask:
    """A task and its dependencies.

    `waits_for` are the tasks that must end well before it; `uses_values_of` are those whose results its expressions
    need; `stopped_by` are those after whose failure it does not begin, although it does not wait for them.
    One that the app evaluates needs no node; if it `may_stop` the flow, nothing after it begins before it is evaluated.
    `follows` are those that must have ended before it, well or not.
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


@dataclass(frozen=True)
class Split:
    """The tasks of a flow that have not ended, sorted by when they can run; each group in a possible order.

    `empty` are tasks with nothing to run whose turn it is: who waits for them waits for what they wait for. So it is
    for `passed`, which the app evaluates only after the round; those of `turn` it can evaluate now. `reason` is why the
    ready tasks were not ready in an earlier round.
    """

    ready: tuple[str, ...]
    later: tuple[str, ...]
    never: tuple[str, ...]
    reason: JobReason
    empty: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()

    @property
    def is_anything_left(self) -> bool:
        """Whether any task can run, or be evaluated."""
        return bool(self.ready or self.empty or self.turn)


class _Placement(Enum):
    DONE = "succeeded"
    EMPTY = "nothing to run"
    PASSED = "evaluated after this round"
    TURN = "evaluated before this round"
    READY = "in this round"
    LATER = "in a later round"
    NEVER = "a task that it waits for did not succeed"


_SUCCEEDED = frozenset({_Placement.DONE, _Placement.EMPTY})
_ENDED = frozenset({_Placement.DONE, _Placement.NEVER})
_OVER = frozenset({*_SUCCEEDED, _Placement.NEVER})
_PASSES = frozenset({*_SUCCEEDED, _Placement.PASSED})


def split(  # noqa: PLR0913 - what it decides by
    graph: Mapping[str, GraphTask],
    ended: Mapping[str, State],
    pool_of: Callable[[str], str],
    is_empty: Callable[[str], bool],
    *,
    is_left_out: Callable[[str], bool] = lambda _: False,
    is_first: bool = False,
) -> Split:
    """Split the tasks that have not ended by when they can run; `ended` are the results of the earlier rounds.

    `is_left_out` says whether a condition that is known does not hold. `pool_of` and `is_empty` (whether a task is a
    fan-out without items) are called only for tasks whose expressions use known values only. The first round of a retry
    has tasks that have ended already.
    """
    never = never_run(graph, ended)
    placements: dict[str, _Placement] = {}
    pool: str | None = None
    for task in in_dependency_order(graph):
        if task.id in ended:
            placements[task.id] = _placement_of_ended(ended[task.id])
            continue
        if not task.follows <= ended.keys() | never:
            placements[task.id] = _Placement.NEVER if task.id in never else _Placement.LATER
            continue
        placement = _Placement.NEVER if task.id in never else _placement(task, graph, placements, is_left_out)
        if placement is _Placement.READY and is_empty(task.id):
            placement = _Placement.EMPTY
        if placement is _Placement.READY:
            pool = pool if pool is not None else pool_of(task.id)
            placement = placement if pool_of(task.id) == pool else _Placement.LATER
        placements[task.id] = placement
    for name in _not_alone(graph, [name for name, placement in placements.items() if placement is _Placement.READY]):
        placements[name] = _Placement.LATER

    def placed(placement: _Placement) -> tuple[str, ...]:
        return tuple(name for name, found in placements.items() if found is placement and name not in ended)

    found = Split(
        ready=placed(_Placement.READY),
        later=placed(_Placement.LATER),
        never=placed(_Placement.NEVER),
        empty=placed(_Placement.EMPTY),
        passed=placed(_Placement.PASSED),
        turn=placed(_Placement.TURN),
        reason=JobReason.FIRST,
    )
    if not ended or is_first:
        return found
    return replace(found, reason=_reason(found.ready, {*found.empty, *found.passed}, graph))


def never_run(graph: Mapping[str, GraphTask], ended: Mapping[str, State]) -> frozenset[str]:
    """The tasks that cannot run any more, because one that they wait for, or that stops them, did not end well."""
    never: set[str] = set()
    for task in in_dependency_order(graph):
        if task.id not in ended and (
            any(ended.get(name) in _FAILED_STATES for name in task.stopped_by)
            or any(name in never or ended.get(name, State.SUCCESS) not in _SUCCESSFUL_STATES for name in task.waits_for)
        ):
            never.add(task.id)
    return frozenset(never)


def _reason(ready: Iterable[str], without_task: AbstractSet[str], graph: Mapping[str, GraphTask]) -> JobReason:
    """Why the ready tasks were not ready earlier."""
    waits = _waits_through(graph, without_task)
    return why_not_earlier((replace(graph[name], waits_for=waits[name]) for name in ready), graph)


def _placement_of_ended(state: State) -> _Placement:
    return _Placement.DONE if state in _SUCCESSFUL_STATES else _Placement.NEVER


def _placement(
    task: GraphTask,
    graph: Mapping[str, GraphTask],
    placements: Mapping[str, _Placement],
    is_left_out: Callable[[str], bool],
) -> _Placement:
    before = [(name, placements[name]) for name in task.waits_for]
    has_task = not is_left_out(task.id)
    if has_task and not task.needs_node and not all(placements[name] in _ENDED for name in _needed(task)):
        return _passed(task, before, graph)
    if has_task and any(placements[name] not in _OVER for name in task.uses_values_of):
        return _Placement.LATER  # the used task may be one that it waits for only through others
    if not all(_is_in_round(placement, graph[name]) for name, placement in before):
        return _Placement.LATER
    if not has_task:
        return _Placement.EMPTY
    return _Placement.READY if task.needs_node else _Placement.TURN


def _needed(task: GraphTask) -> Iterable[str]:
    return (*task.waits_for, *task.uses_values_of)


def _passed(task: GraphTask, before: Iterable[tuple[str, _Placement]], graph: Mapping[str, GraphTask]) -> _Placement:
    """The placement of a task that the app evaluates, but not now: what waits for it may run in this round."""
    may_pass = not task.may_stop and all(_is_in_round(placement, graph[name]) for name, placement in before)
    return _Placement.PASSED if may_pass else _Placement.LATER


def _is_in_round(placement: _Placement, task: GraphTask) -> bool:
    """Whether what waits for a task may run in this round."""
    return placement in _PASSES or (placement is _Placement.READY and not task.is_fan_out)


def _not_alone(graph: Mapping[str, GraphTask], ready: Sequence[str]) -> list[str]:
    """The serial fan-outs that must leave the round, because it holds tasks that they do not wait for."""
    left = set(ready)
    for name in reversed(ready):
        if graph[name].is_serial and not left <= {name, *_all_before(name, graph)}:
            left.remove(name)
    return [name for name in ready if name not in left]


def _all_before(name: str, graph: Mapping[str, GraphTask]) -> set[str]:
    return tasks_before(name, {task.id: task.waits_for for task in graph.values()})


def waits_in_round(graph: Mapping[str, GraphTask], split: Split) -> dict[str, tuple[str, ...]]:
    """Which ready tasks each ready task, and each with nothing to run, waits for."""
    ready, waits = set(split.ready), _waits_through(graph, {*split.empty, *split.passed})
    return {name: tuple(other for other in waits[name] if other in ready) for name in (*split.ready, *split.empty)}


def _waits_through(graph: Mapping[str, GraphTask], empty: AbstractSet[str]) -> dict[str, tuple[str, ...]]:
    """What each task waits for, where those with nothing to run pass on what they wait for."""
    found: dict[str, tuple[str, ...]] = {}
    for task in in_dependency_order(graph):
        names = [found[name] if name in empty else (name,) for name in task.waits_for]
        found[task.id] = tuple(dict.fromkeys(itertools.chain.from_iterable(names)))
    return found


def why_not_earlier(tasks: Iterable[GraphTask], graph: Mapping[str, GraphTask]) -> JobReason:
    """Why tasks run in a later round than the tasks that they wait for."""
    late_tasks = list(tasks)
    if any(task.uses_values_of for task in late_tasks):
        return JobReason.VALUES
    if any(task.is_serial or any(graph[name].is_fan_out for name in task.waits_for) for task in late_tasks):
        return JobReason.FAN_OUT
    return JobReason.POOL


def in_dependency_order(graph: Mapping[str, GraphTask]) -> Iterator[GraphTask]:
    """All tasks, each after the tasks that it waits for or follows; otherwise in the order of the flow."""
    positions = {name: position for position, name in enumerate(graph)}
    sorter = graphlib.TopologicalSorter({name: (*task.waits_for, *task.follows) for name, task in graph.items()})
    sorter.prepare()
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=positions.__getitem__):
            yield graph[name]
            sorter.done(name)
