"""The tasks of a run, and of its fan-outs the items that are worth a look."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import Attempt, ItemRecord, TaskRecord, TaskResult

MAX_TASKS = 200
MAX_FAN_OUTS = 20
ALL_ITEMS = 24
FAILED_ITEMS = 20
SLOWEST_ITEMS = 10
MAX_ATTEMPTS = 100

Result = TypeVar("Result", bound="TaskResult")


@dataclass(frozen=True)
class StateShare:
    """How many items ended in a state; `left` and `width` are percent of all items."""

    state: State
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class FanOut:
    """A fan-out: how its items ended, how long they took, and some of them, first those that did not end well."""

    task: TaskRecord
    shares: tuple[StateShare, ...]
    shortest: timedelta | None
    median: timedelta | None
    longest: timedelta | None
    items: tuple[ItemRecord, ...]
    left_out: int


@dataclass(frozen=True)
class AttemptOf:
    """One attempt of a task, or of an item, that needed several; `number` counts from 1."""

    name: str
    number: int
    attempt: Attempt


@dataclass(frozen=True)
class Tasks:
    """The tasks, fan-outs with items, and attempts that are listed, and how many more of each there are."""

    listed: tuple[TaskRecord, ...]
    left_out: int
    fan_outs: tuple[FanOut, ...]
    fan_outs_left_out: int
    attempts: tuple[AttemptOf, ...]
    attempts_left_out: int


def tasks(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> Tasks:
    """The tasks of a run; of more than MAX_TASKS, those that failed and those that took longest."""
    listed = most_telling(record.tasks, MAX_TASKS)
    fan_outs = [task for task in record.tasks if task.items and task.items.count]
    shown = [_fan_out(task, items.get(task.id, ())) for task in most_telling(fan_outs, MAX_FAN_OUTS)]
    attempts = [each for task in listed for each in _attempts(task.id, task)]
    for fan_out in shown:
        attempts += [each for item in fan_out.items for each in _attempts(f"{fan_out.task.id}[{item.index}]", item)]
    return Tasks(
        listed=tuple(listed),
        left_out=len(record.tasks) - len(listed),
        fan_outs=tuple(shown),
        fan_outs_left_out=len(fan_outs) - len(shown),
        attempts=tuple(attempts[:MAX_ATTEMPTS]),
        attempts_left_out=max(0, len(attempts) - MAX_ATTEMPTS),
    )


def _attempts(name: str, result: TaskResult) -> list[AttemptOf]:
    """The recorded attempts of a result that needed several; the last of them is the one after all retries."""
    first = result.retries + 2 - len(result.attempts)
    several = result.attempts if result.retries else ()
    return [AttemptOf(name, number, attempt) for number, attempt in enumerate(several, start=first)]


def most_telling(results: Sequence[Result], limit: int) -> Sequence[Result]:
    """At most `limit` results in their order: those that failed, and those that took longest."""
    if len(results) <= limit:
        return results
    chosen = {id(result) for result in worth_a_look(results, limit // 2, limit)[:limit]}
    return [result for result in results if id(result) in chosen]


def worth_a_look(results: Sequence[Result], failed: int, slowest: int) -> list[Result]:
    """The first `failed` results that did not end well, then the `slowest` longest of the others.

    Those that are taken over from an earlier run come last in both.
    """
    own_first = sorted(results, key=_is_taken)
    first_failed = [result for result in own_first if result.state is not State.SUCCESS][:failed]
    seen = {id(result) for result in first_failed}
    by_time = sorted(results, key=lambda result: (_is_taken(result), -_seconds(result)))
    return first_failed + [result for result in by_time[: slowest + len(seen)] if id(result) not in seen][:slowest]


def _is_taken(result: TaskResult) -> bool:
    return result.taken_from is not None


def _seconds(result: TaskResult) -> float:
    return (result.ended - result.started).total_seconds() if result.started and result.ended else 0.0


def _fan_out(task: TaskRecord, items: Sequence[ItemRecord]) -> FanOut:
    seconds = sorted(_seconds(item) for item in items if item.started and item.ended)
    shown = list(items) if len(items) <= ALL_ITEMS else worth_a_look(items, FAILED_ITEMS, SLOWEST_ITEMS)
    return FanOut(
        task=task,
        shares=_shares(task),
        shortest=timedelta(seconds=seconds[0]) if seconds else None,
        median=timedelta(seconds=statistics.median(seconds)) if seconds else None,
        longest=timedelta(seconds=seconds[-1]) if seconds else None,
        items=tuple(shown),
        left_out=len(items) - len(shown),
    )


def _shares(task: TaskRecord) -> tuple[StateShare, ...]:
    states = task.items.states if task.items else {}
    total = sum(states.values()) or 1
    shares, left = [], 0.0
    for state, count in states.items():
        width = round(100 * count / total, 3)
        shares.append(StateShare(state, count, round(left, 3), width))
        left += width
    return tuple(shares)
