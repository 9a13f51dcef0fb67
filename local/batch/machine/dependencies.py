"""Which tasks of a job may start, as far as their dependencies go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from local.batch.models.common import key_of
from local.batch.models.task import TaskDependencies


class Dependencies:
    """The tasks of a job that others may build on, and the tasks that wait for one that does not allow it yet.

    A waiting task watches one of its unmet dependencies at a time: whatever their number, each is looked at about once.
    """

    def __init__(self) -> None:
        self._satisfied: set[str] = set()
        self._watchers: dict[str, list[tuple[str, TaskDependencies]]] = defaultdict(list)

    def is_met(self, task_key: str, depends_on: TaskDependencies | None) -> bool:
        """Whether a task may start; if not, `satisfy` returns its key once it may."""
        unmet = self._first_unmet(depends_on) if depends_on else None
        if unmet is None or depends_on is None:
            return True
        self._watchers[unmet].append((task_key, depends_on))
        return False

    def satisfy(self, task_key: str) -> list[str]:
        """Note that others may build on a task; return the keys of the tasks that may start because of it."""
        self._satisfied.add(task_key)
        watchers = self._watchers.pop(task_key, [])
        return [waiting for waiting, depends_on in watchers if self.is_met(waiting, depends_on)]

    def withdraw(self, task_key: str) -> None:
        """Note that no task may start any more because of this one: it was deleted, or runs again."""
        self._satisfied.discard(task_key)

    def _first_unmet(self, depends_on: TaskDependencies) -> str | None:
        return next((key for key in _keys(depends_on) if key not in self._satisfied), None)


def _keys(depends_on: TaskDependencies) -> Iterator[str]:
    yield from map(key_of, depends_on.task_ids)
    ranges: Iterable[range] = (range(ids.start, ids.end + 1) for ids in depends_on.task_id_ranges)
    yield from (str(number) for numbers in ranges for number in numbers)
