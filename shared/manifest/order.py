"""Which tasks a task waits for: the order of the flow, `dependsOn`, groups, disabled tasks → a graph without cycles."""

from __future__ import annotations

import graphlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.errors import did_you_mean
from shared.manifest._source import PropertyPath

_START = " (start)"  # no id of a task has a space


@dataclass(frozen=True)
class Step:
    """A place in the order of a flow: a task; or what only passes the order on, a disabled task or a group.

    A group is two steps: its start, which its tasks wait for, and itself, which waits for its tasks.

    `path` is where it stands in the manifest. `waits_for` are the ids of the steps before it; they are its own if they
    come from its `dependsOn`, and not from the order of the flow.
    """

    id: str
    path: PropertyPath
    waits_for: tuple[str, ...]
    is_own: bool
    is_run: bool

    @property
    def name(self) -> str:
        """The id in the manifest."""
        return self.id.removesuffix(_START)


def start_of(group: str) -> str:
    """The id of the step with which a group starts."""
    return group + _START


@dataclass(frozen=True)
class OrderProblem:
    """Something wrong with the order, and where."""

    path: PropertyPath
    message: str


def problems_of_order(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    """Every id that is repeated, unknown, or the task's own; where there is none, a cycle, or that nothing is run."""
    wrong_ids = itertools.chain(_repeated(steps), _own_or_unknown(steps))
    if (first := next(wrong_ids, None)) is not None:
        yield from itertools.chain((first,), wrong_ids)
    elif (cycle := next(_cycle(steps), None)) is not None:
        yield cycle
    else:
        yield from _nothing_to_run(steps)


def _repeated(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    seen: Counter[str] = Counter()
    for step in steps:
        seen[step.id] += 1
        if seen[step.id] > 1 and not step.id.endswith(_START):
            message = f"task ids must differ; there is more than one {step.id!r}"
            yield OrderProblem((*step.path, "id"), message)


def _own_or_unknown(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    ids = {step.id for step in steps}
    names = [step.name for step in steps]
    for step in (step for step in steps if step.is_own):
        for entry, other in enumerate(step.waits_for):
            path = (*step.path, "dependsOn", entry)
            if other == step.name:
                yield OrderProblem(path, "a task cannot wait for itself")
            elif other not in ids or other.endswith(_START):
                yield OrderProblem(path, f"there is no task {other!r}{did_you_mean(other, names)}")


def _cycle(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    by_id = {step.id: step for step in steps}
    try:
        graphlib.TopologicalSorter({step.id: step.waits_for for step in steps}).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        names = " → ".join(dict.fromkeys(by_id[step_id].name for step_id in reversed(circle)))
        for before, after in itertools.pairwise(circle):
            step = by_id[after]
            if step.is_own:
                path = (*step.path, "dependsOn", step.waits_for.index(before))
                yield OrderProblem(path, f"tasks cannot wait for each other: {names} → {by_id[circle[-1]].name}")
                return


def _nothing_to_run(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    if not any(step.is_run for step in steps):
        yield OrderProblem(steps[0].path, "every task is disabled; there is nothing to run")


def dependencies(steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    """By task that is run, the tasks it waits for: those behind what only passes the order on stand in its place.

    The steps must be free of problems.
    """
    by_id = {step.id: step for step in steps}
    behind: dict[str, tuple[str, ...]] = {}
    for step_id in graphlib.TopologicalSorter({step.id: step.waits_for for step in steps}).static_order():
        found: dict[str, None] = {}
        for other in by_id[step_id].waits_for:
            found |= dict.fromkeys([other] if by_id[other].is_run else behind[other])
        behind[step_id] = tuple(found)
    return {step.id: behind[step.id] for step in steps if step.is_run}


def tasks_before(task: str, waits_for: Mapping[str, tuple[str, ...]]) -> set[str]:
    """All tasks that a task waits for, also through others."""
    found: set[str] = set()
    todo = list(waits_for[task])
    while todo:
        other = todo.pop()
        if other not in found:
            found.add(other)
            todo.extend(waits_for[other])
    return found
