"""Which tasks a task waits for: the order of the flow, `dependsOn`, disabled tasks → a graph without cycles. Pure."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A place in the order of a flow: a task, or what only passes the order on (a disabled task).

    `waits_for` are the ids of the steps before it, which may be of any kind.
    """

    id: str
    waits_for: tuple[str, ...]
    is_run: bool


@dataclass(frozen=True)
class OrderProblem:
    """What is wrong with `waits_for[entry]` of a step."""

    step: str
    entry: int
    message: str


def problems_of_order(steps: Sequence[Step]) -> list[OrderProblem]:
    """Every id that is unknown or the step's own; and if there is none, a cycle."""
    ids = {step.id for step in steps}
    found = [
        OrderProblem(step.id, entry, _own_or_unknown(step.id, other, ids))
        for step in steps
        for entry, other in enumerate(step.waits_for)
        if other == step.id or other not in ids
    ]
    return found or list(_cycle(steps))


def _own_or_unknown(own: str, other: str, ids: set[str]) -> str:
    if own == other:
        return "a task cannot wait for itself"
    nearest = difflib.get_close_matches(other, ids, n=1)
    return f"there is no task {other!r}" + (f'; did you mean "{nearest[0]}"?' if nearest else "")


def _cycle(steps: Sequence[Step]) -> Iterator[OrderProblem]:
    waits_for = {step.id: step.waits_for for step in steps}
    try:
        graphlib.TopologicalSorter(waits_for).prepare()
    except graphlib.CycleError as error:
        before, after = error.args[1][-2:]
        circle = " → ".join(reversed(error.args[1]))
        yield OrderProblem(after, waits_for[after].index(before), f"tasks cannot wait for each other: {circle}")


def dependencies(steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    """By task that is run, the tasks it waits for: those behind disabled ones stand in their place.

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
