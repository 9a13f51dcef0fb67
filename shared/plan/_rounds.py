"""Decides which tasks of a flow run in the next round, which in a later one, and which never.

A round is one Batch job. A task is in the next round if every task that it waits for has succeeded, or is in the same
round, where Batch itself waits for it. It needs a later round if its expressions use values that an earlier task
prints, if it follows a fan-out, if it runs after the end of others, well or not, or if it runs on another pool. A
fan-out whose items run one after the other is in a round with nothing but tasks that it waits for: an item that fails
ends the round, and nothing else may end with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from shared.documents.states import JobReason, State
from shared.manifest.order import tasks_before
from shared.plan._graph_task import FAILED_STATES, SUCCESSFUL_STATES, GraphTask, in_dependency_order, never_run
from shared.plan._unit_plan import Outside


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


class Placement(Enum):
    """What becomes of a task in a round."""

    DONE = "succeeded"
    EMPTY = "nothing to run"
    PASSED = "evaluated after this round"
    TURN = "evaluated before this round"
    SPOILED = "nothing to run any more, and some of its items did not end well"
    BESIDE = "nothing to run, once items of the same loop have ended in this round"
    READY = "in this round"
    LATER = "in a later round"
    NEVER = "a task that it waits for did not succeed"


PlaceLoop = Callable[[Mapping[str, Outside], Callable[[str], bool]], Mapping[str, Placement]]
"""Places the tasks that share an outermost loop: by what each waits for outside, and whether the round admits it."""

_WITHOUT_TASK = frozenset({Placement.EMPTY, Placement.SPOILED, Placement.BESIDE})
_SUCCEEDED = frozenset({Placement.DONE, Placement.EMPTY})
_ENDED = frozenset({Placement.DONE, Placement.NEVER})
_OVER = frozenset({*_SUCCEEDED, Placement.NEVER})
_PASSES = frozenset({*_SUCCEEDED, Placement.PASSED})
_BESIDE = frozenset({Placement.READY, Placement.EMPTY, Placement.PASSED})


def split(  # noqa: PLR0913 - what it decides by
    graph: Mapping[str, GraphTask],
    ended: Mapping[str, State],
    pool_of: Callable[[str], str],
    is_empty: Callable[[str], bool],
    *,
    is_left_out: Callable[[str], bool] = lambda _: False,
    place_loop: PlaceLoop = lambda _, __: {},
    is_first: bool = False,
) -> Split:
    """Split the tasks that have not ended by when they can run; `ended` are the results of the earlier rounds.

    `is_left_out` says whether a condition that is known does not hold. `pool_of` and `is_empty` (whether a task is a
    fan-out without items) are called only for tasks whose expressions use known values only. `place_loop` is asked once
    for all tasks in a loop. The first round of a retry has tasks that have ended already.
    """
    placements = _placements(graph, ended, pool_of, is_empty, is_left_out, place_loop)
    for name in _not_alone(graph, placements):
        placements[name] = Placement.LATER
    found = _split_by(placements, ended.keys())
    if not ended or is_first:
        return found
    return replace(found, reason=_reason(found.ready, {*found.empty, *found.passed}, graph))


def _placements(  # noqa: PLR0913, PLR0917 - as `split`
    graph: Mapping[str, GraphTask],
    ended: Mapping[str, State],
    pool_of: Callable[[str], str],
    is_empty: Callable[[str], bool],
    is_left_out: Callable[[str], bool],
    place_loop: PlaceLoop,
) -> dict[str, Placement]:
    """What becomes of each task, whatever else is in the round."""
    never, followed = never_run(graph, ended), _followed_by_loops(graph)
    placements: dict[str, Placement] = {}
    in_loops: dict[str, Placement] = {}
    pool: str | None = None

    def admits(name: str) -> bool:
        nonlocal pool
        pool = pool if pool is not None else pool_of(name)
        return pool_of(name) == pool

    for task in in_dependency_order(graph):
        if task.id in ended:
            placements[task.id] = _placement_of_ended(ended[task.id])
            continue
        follows = followed[task.loops[0]] if task.loops else task.follows
        if task.id in never or not follows <= ended.keys() | never:
            placements[task.id] = Placement.NEVER if task.id in never else Placement.LATER
            continue
        if task.loops and not is_left_out(task.id):
            if task.id not in in_loops:
                in_loops |= place_loop(_outside(task, graph, placements, ended), admits)
            placements[task.id] = in_loops[task.id]
            continue
        placement = _placement(task, graph, placements, is_left_out)
        if placement is Placement.READY and (is_empty(task.id) or not admits(task.id)):
            placement = Placement.EMPTY if is_empty(task.id) else Placement.LATER
        placements[task.id] = placement
    return placements


def _followed_by_loops(graph: Mapping[str, GraphTask]) -> dict[str, set[str]]:
    """What must have ended before the tasks in loops, by their outermost loop: none of them begins earlier."""
    found: dict[str, set[str]] = {}
    for task in graph.values():
        if task.loops:
            found.setdefault(task.loops[0], set()).update(task.follows)
    return found


def _split_by(placements: Mapping[str, Placement], ended: AbstractSet[str]) -> Split:
    def placed(*wanted: Placement) -> tuple[str, ...]:
        return tuple(name for name, found in placements.items() if found in wanted and name not in ended)

    return Split(
        ready=placed(Placement.READY),
        later=placed(Placement.LATER),
        never=placed(Placement.NEVER),
        empty=placed(*_WITHOUT_TASK),
        passed=placed(Placement.PASSED),
        turn=placed(Placement.TURN),
        reason=JobReason.FIRST,
    )


def _is_stopped(task: GraphTask, ended: Mapping[str, State]) -> bool:
    return any(ended.get(name) in FAILED_STATES for name in task.stopped_by)


def _outside(
    member: GraphTask, graph: Mapping[str, GraphTask], placements: Mapping[str, Placement], ended: Mapping[str, State]
) -> dict[str, Outside]:
    """What the tasks that share the outermost loop with `member` wait for outside of it."""
    tasks = [task for task in graph.values() if task.shares_loop(member)]
    own = {task.id for task in tasks}
    found: dict[str, Outside] = {}
    for task in tasks:
        outer = replace(
            task,
            waits_for=tuple(name for name in task.waits_for if name not in own),
            uses_values_of=task.uses_values_of - own,
            stopped_by=task.stopped_by - own,
        )
        placement = _placement(outer, graph, placements, lambda _: False)
        found[task.id] = Outside(
            is_never=placement is Placement.NEVER or _is_stopped(outer, ended),
            is_later=placement is Placement.LATER,
            is_beside=any(placements[name] in _BESIDE for name in outer.waits_for),
            is_open=any(placements[name] not in _ENDED for name in _needed(outer)),
        )
    return found


def _reason(ready: Iterable[str], without_task: AbstractSet[str], graph: Mapping[str, GraphTask]) -> JobReason:
    """Why the ready tasks were not ready earlier."""
    waits = _waits_through(graph, without_task)
    return why_not_earlier((replace(graph[name], waits_for=waits[name]) for name in ready), graph)


def _placement_of_ended(state: State) -> Placement:
    return Placement.DONE if state in SUCCESSFUL_STATES else Placement.NEVER


def _placement(
    task: GraphTask,
    graph: Mapping[str, GraphTask],
    placements: Mapping[str, Placement],
    is_left_out: Callable[[str], bool],
) -> Placement:
    before = [(name, placements[name]) for name in task.waits_for]
    if any(placement in {Placement.NEVER, Placement.SPOILED} for _, placement in before):
        return Placement.NEVER
    has_task = not is_left_out(task.id)
    if has_task and not task.needs_node and not all(placements[name] in _ENDED for name in _needed(task)):
        return _passed(task, graph, placements)
    if has_task and any(placements[name] not in _OVER for name in task.uses_values_of):
        return Placement.LATER  # the used task may be one that it waits for only through others
    if not all(_is_in_round(name, graph, placements) for name in task.waits_for):
        return Placement.LATER
    if not has_task:
        return Placement.EMPTY
    return Placement.READY if task.needs_node else Placement.TURN


def _needed(task: GraphTask) -> Iterable[str]:
    return (*task.waits_for, *task.uses_values_of)


def _passed(task: GraphTask, graph: Mapping[str, GraphTask], placements: Mapping[str, Placement]) -> Placement:
    """The placement of a task that the app evaluates, but not now: what waits for it may run in this round."""
    may_pass = not task.may_stop and all(_is_in_round(name, graph, placements) for name in task.waits_for)
    return Placement.PASSED if may_pass else Placement.LATER


def _is_in_round(name: str, graph: Mapping[str, GraphTask], placements: Mapping[str, Placement]) -> bool:
    """Whether what waits for a task may run in this round; through tasks in loops with nothing to run."""
    task, placement = graph[name], placements[name]
    if placement is Placement.EMPTY and task.loops:
        return all(_is_in_round(other, graph, placements) for other in task.waits_for)
    return placement in _PASSES or (placement is Placement.READY and not task.is_fan_out)


def _not_alone(graph: Mapping[str, GraphTask], placements: Mapping[str, Placement]) -> list[str]:
    """The serial fan-outs that must leave the round, because it holds tasks that they do not wait for.

    With the tasks of a loop leave those that have nothing to run once items of them have ended.
    """
    ready = [name for name, placement in placements.items() if placement is Placement.READY]
    left = set(ready)
    for name in reversed(ready):
        if name in left and graph[name].is_serial:
            own = {name, *(other for other in left if graph[name].shares_loop(graph[other]))}
            if not left <= own.union(*(_all_before(each, graph) for each in own)):
                left -= own
    gone = [graph[name] for name in ready if name not in left]
    beside = (graph[name] for name, placement in placements.items() if placement is Placement.BESIDE)
    with_them = (task for task in beside if any(task.shares_loop(other) for other in gone))
    return [task.id for task in (*gone, *with_them)]


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
    is_evaluated = (not graph[name].needs_node for task in late_tasks for name in task.waits_for)
    if any(task.uses_values_of for task in late_tasks) or any(is_evaluated):
        return JobReason.VALUES
    if any(task.is_serial or any(graph[name].is_fan_out for name in task.waits_for) for task in late_tasks):
        return JobReason.FAN_OUT
    return JobReason.ENDS if any(task.follows for task in late_tasks) else JobReason.POOL
