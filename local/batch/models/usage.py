"""What tasks have used of their nodes, as it was measured there."""

from __future__ import annotations

from datetime import datetime, timedelta

from local.batch.models.common import BatchModel, Duration


class Usage(BatchModel):
    """What processes have used: time of all cores together, and what they read and wrote, if that is known."""

    user_cpu_time: Duration = timedelta()
    kernel_cpu_time: Duration = timedelta()
    read_operations: int | None = 0
    write_operations: int | None = 0
    read_bytes: int | None = 0
    written_bytes: int | None = 0

    def __add__(self, other: Usage) -> Usage:
        """Return what both have used together; not known is what is not known of one."""
        pairs = ((name, value, getattr(other, name)) for name, value in self)
        return Usage(**{name: None if None in (one, two) else one + two for name, one, two in pairs})


class TaskUsage(BatchModel):
    """What the runs of a task that were measured have used in all, and how long they took."""

    runs: int
    first_start: datetime
    wall_clock_time: Duration
    used: Usage
