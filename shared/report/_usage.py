"""What the tasks of a run used and cost, and what that says of the slots that they asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from shared.documents.record import Record
from shared.documents.task_result import TaskRecord
from shared.documents.usage import Amount, Cost, Usage, UsageSum
from shared.report._tasks import most_telling
from shared.report.text import count, duration, money, number, size

NOT_REPORTED = "not reported"
MAX_ROWS = 100
MAX_ADVICE = 10
LONG_ENOUGH = 60.0
"""Seconds of wall time below which the share of a core says little: starting a container takes some."""
SMALL_SHARE = 0.25
"""Of its slots: a task that keeps fewer cores busy could do with one slot."""


@dataclass(frozen=True)
class Transfer:
    """How much was read or written, and in how many operations, in words."""

    amount: str
    operations: str = ""


@dataclass(frozen=True)
class UsageRow:
    """What a task used, or the items of a fan-out together, in words; `note` says of how many it is."""

    task: str
    slots: str
    cpu: str
    cores: str
    wall: str
    read: Transfer
    written: Transfer
    cost: str
    note: str


@dataclass(frozen=True)
class UsageTable:
    """The rows of the tasks that ran, how many more there are, the sum, and advice.

    `about_cost` says what the estimate of the cost is; empty if there is none.
    """

    rows: tuple[UsageRow, ...]
    left_out: int
    total: UsageRow | None
    advice: tuple[str, ...]
    about_cost: tuple[str, ...]


def usage_table(record: Record) -> UsageTable:
    """What the tasks of a run used, if any of them ran."""
    ran = [task for task in record.tasks if task.taken_from is None and _used(task)]
    shown = most_telling(ran, MAX_ROWS)
    has_sum = record.usage is not None and record.usage.count > 1
    total = _row("all", None, record.usage, record.cost) if has_sum else None
    advice = [text for task in ran if (text := advice_on_slots(task))]
    return UsageTable(
        rows=tuple(_of_task(task, record.cost) for task in shown),
        left_out=len(ran) - len(shown),
        total=total,
        advice=tuple(advice[:MAX_ADVICE]),
        about_cost=tuple(_about(record.cost)) if record.cost else (),
    )


def _used(task: TaskRecord) -> Usage | None:
    """What a task used, of which nothing need be known; None if it did not run."""
    if task.items:
        return task.items.usage
    return (task.usage or Usage()) if task.node else None


def _of_task(task: TaskRecord, cost: Cost | None) -> UsageRow:
    amount = Amount(amount=task.cost, currency=cost.currency) if cost and task.cost is not None else None
    return _row(task.id, task.slots, _used(task), amount)


def _row(name: str, slots: int | None, used: Usage | None, cost: Amount | None) -> UsageRow:
    used = used or Usage()
    return UsageRow(
        task=name,
        slots=str(slots) if slots else "",
        cpu=_time(used.cpu_seconds),
        cores=NOT_REPORTED if used.cores is None else _rounded(used.cores),
        wall=_time(used.wall_seconds),
        read=_transfer(used.read_gib, used.read_operations),
        written=_transfer(used.write_gib, used.write_operations),
        cost=money(cost) if cost else "",
        note=" · ".join(_notes(used)) if isinstance(used, UsageSum) else "",
    )


def _notes(used: UsageSum) -> Iterator[str]:
    if 0 < used.reported < used.count:
        yield f"reported of {used.reported:,} of {used.count:,}"
    if used.busiest and used.busiest_cpu_seconds is not None and used.count > 1:
        yield f"busiest: {used.busiest}, {_time(used.busiest_cpu_seconds)}"


def _time(seconds: float | None) -> str:
    return NOT_REPORTED if seconds is None else duration(timedelta(seconds=seconds))


def _transfer(gib: float | None, operations: int | None) -> Transfer:
    amount = NOT_REPORTED if gib is None else size(round(gib * 2**30))
    return Transfer(amount, "" if operations is None else count(operations, "operation"))


def _rounded(value: float) -> str:
    """Two digits that count: more would only look exact."""
    return number(float(f"{value:.2g}"))


def advice_on_slots(task: TaskRecord) -> str:
    """What its usage says of the slots that a task asked for; empty if it says nothing."""
    used, slots = _used(task), task.slots or 1
    if used is None or used.cores is None or slots == 1 or used.cores >= slots * SMALL_SHARE:
        return ""
    ran = used.reported if isinstance(used, UsageSum) else 1
    if (used.wall_seconds or 0.0) / (ran or 1) < LONG_ENOUGH:
        return ""
    who = f"each item of `{task.id}`" if task.items else f"`{task.id}`"
    return (
        f"{who} asked for {slots} slots and used {_rounded(used.cores)} of a core. With `requiredSlots: 1` more of them"
        " can run at once, unless it needs the memory."
    )


def _about(cost: Cost) -> Iterator[str]:
    """What the estimate is, in sentences."""
    yield f"Estimated: {cost.basis}; {cost.excludes}."
    if cost.unpriced:
        yield f"It lacks {count(cost.unpriced, 'task')} whose price or times are not known."
