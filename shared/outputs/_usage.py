"""What several tasks used together: sums over those of which Azure Batch reports it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from shared.documents.task_result import ItemRecord, TaskRecord, TaskResult
from shared.documents.usage import Usage, UsageSum

_SECONDS = ("cpu_user_seconds", "cpu_kernel_seconds", "wall_seconds")
_GIB = ("read_gib", "write_gib")
_COUNTS = ("read_operations", "write_operations")


def has_run(result: TaskResult) -> bool:
    """Whether a task, or item, ran in this run on a node."""
    return result.started is not None and result.node is not None and result.taken_from is None


def usage_of_items(task: str, items: Iterable[ItemRecord]) -> UsageSum | None:
    """What the items of a fan-out used; None if none has run."""
    return _joined([_of_one(f"{task}[{item.index}]", item) for item in items if has_run(item)])


def usage_of_run(tasks: Iterable[TaskRecord]) -> UsageSum | None:
    """What all tasks of a run used; None if none has run."""
    found = (task.items.usage if task.items else _of_one(task.id, task) if has_run(task) else None for task in tasks)
    return _joined([each for each in found if each])


def _of_one(name: str, result: TaskResult) -> UsageSum:
    usage = result.usage
    if usage is None:
        return UsageSum(count=1)
    busiest = name if usage.cpu_seconds is not None else None
    return UsageSum(**dict(usage), count=1, reported=1, busiest=busiest, busiest_cpu_seconds=usage.cpu_seconds)


def _joined(sums: Sequence[UsageSum]) -> UsageSum | None:
    if not sums:
        return None
    seconds = {name: _sum(sums, name, 3) for name in _SECONDS}
    gib = {name: _sum(sums, name, 6) for name in _GIB}
    counts = {name: _sum(sums, name, None) for name in _COUNTS}
    busiest = max(sums, key=lambda each: -1.0 if each.busiest_cpu_seconds is None else each.busiest_cpu_seconds)
    return UsageSum.model_validate(
        {
            **seconds,
            **gib,
            **counts,
            "count": sum(each.count for each in sums),
            "reported": sum(each.reported for each in sums),
            "busiest": busiest.busiest,
            "busiest_cpu_seconds": busiest.busiest_cpu_seconds and round(busiest.busiest_cpu_seconds, 3),
        }
    )


def _sum(parts: Sequence[Usage], name: str, digits: int | None) -> float | None:
    return sum_of_known((getattr(each, name) for each in parts), digits)


def sum_of_known(values: Iterable[float | None], digits: int | None) -> float | None:
    """The sum of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return round(math.fsum(known), digits) if known else None
