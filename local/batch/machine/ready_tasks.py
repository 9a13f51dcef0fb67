"""The tasks of a job that could start now, so that thousands that fit nowhere do not hold up the search for one."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from itertools import count


class ReadyTasks:
    """Keys of tasks, by the slots that they need and in the order in which they became ready."""

    def __init__(self) -> None:
        self._orders: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._slots: dict[str, int] = {}
        self._next = count()

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, key: str, slots: int) -> None:
        """Add a task behind all others."""
        self.discard(key)
        self._slots[key] = slots
        self._orders[slots][key] = next(self._next)

    def discard(self, key: str) -> None:
        """Take a task out, if it is there."""
        slots = self._slots.pop(key, None)
        if slots is not None:
            del self._orders[slots][key]

    def fitting(self, slots: int) -> Iterator[str]:
        """Yield the tasks that need no more than so many slots, in the order in which they became ready."""
        fitting = (orders.items() for needed, orders in self._orders.items() if needed <= slots)
        return (key for key, _ in heapq.merge(*fitting, key=lambda item: item[1]))
