"""The tasks of one job, indexed by what can become of them next."""

from __future__ import annotations

from collections.abc import Iterator

from local.batch.machine.dependencies import Dependencies
from local.batch.machine.exit_conditions import exit_actions
from local.batch.machine.ready_tasks import ReadyTasks
from local.batch.models.common import key_of
from local.batch.models.task import ON_NODE, DependencyAction, Task, TaskState


class JobTasks:
    """All tasks of a job by key; `ready` ones could start now, in the order in which they became ready."""

    def __init__(self) -> None:
        self.all: dict[str, Task] = {}
        self._ready = ReadyTasks()
        self._running: dict[str, None] = {}
        self._open: dict[str, None] = {}
        self._dependencies = Dependencies()

    @property
    def running_count(self) -> int:
        """How many tasks are running, or preparing to."""
        return len(self._running)

    @property
    def ready_count(self) -> int:
        """How many tasks could start now."""
        return len(self._ready)

    @property
    def has_ready(self) -> bool:
        """Whether a task could start now."""
        return bool(self._ready)

    @property
    def all_completed(self) -> bool:
        """Whether every task has completed, which holds for a job without tasks too."""
        return not self._open

    def ready(self, slots: int) -> Iterator[Task]:
        """Yield the tasks that could start now where so many slots are free."""
        return (self.all[key] for key in self._ready.fitting(slots))

    def running(self) -> list[Task]:
        """Return the tasks that are running, or preparing to."""
        return [self.all[key] for key in self._running]

    def put(self, task: Task) -> None:
        """Add a task, or take note of its new state."""
        key = key_of(task.id)
        self._forget(key)
        self.all[key] = task
        if task.state is TaskState.COMPLETED:
            self._note_completed(key, task)
            return
        self._open[key] = None
        if task.state in ON_NODE:
            self._running[key] = None
        elif self._dependencies.is_met(key, task.depends_on):
            self._ready.add(key, task.required_slots)

    def remove(self, task: Task) -> None:
        """Forget a task; what depends on it waits for ever."""
        key = key_of(task.id)
        self._forget(key)
        del self.all[key]

    def _forget(self, key: str) -> None:
        for index in (self._running, self._open):
            index.pop(key, None)
        self._ready.discard(key)
        self._dependencies.withdraw(key)

    def _note_completed(self, key: str, task: Task) -> None:
        if exit_actions(task).dependency is DependencyAction.SATISFY:
            for waiting in self._dependencies.satisfy(key):
                if waiting in self._open and waiting not in self._running:
                    self._ready.add(waiting, self.all[waiting].required_slots)
