"""A part of what a round ended with, apart from the run document."""

from __future__ import annotations

from pydantic import Field

from shared.documents.document import Document
from shared.documents.task_result import ItemRecord, TaskRecord


class Part(Document):
    """How up to a hundred tasks of a round ended. Stored outside the run document: there may be thousands of tasks."""

    tasks: tuple[TaskRecord, ...] = ()
    items: dict[str, tuple[ItemRecord, ...]] = Field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many tasks these are."""
        return len(self.tasks) + sum(map(len, self.items.values()))
