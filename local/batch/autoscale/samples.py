"""The samples of a pool's tasks and nodes that formulas look at.

Of https://learn.microsoft.com/azure/batch/batch-automatic-scaling#obtain-sample-data: a sample is recorded every 30
seconds, and "it takes approximately one minute for samples to propagate through the system"; here it is always one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PERIOD = timedelta(seconds=30)
PROPAGATION = timedelta(minutes=1)
_KEPT = int(timedelta(days=1) / PERIOD)


@dataclass(frozen=True)
class Counts:
    """What is counted of a pool: tasks and nodes. Of active tasks those do not count that wait for others."""

    active: int = 0
    running: int = 0
    dedicated: int = 0
    low_priority: int = 0
    usable: int = 0
    preempted: int = 0

    @property
    def pending(self) -> int:
        """The tasks that run or could."""
        return self.active + self.running


Metric = Callable[[Counts], int]

METRICS: dict[str, Metric] = {
    "$ActiveTasks": lambda counts: counts.active,
    "$RunningTasks": lambda counts: counts.running,
    "$PendingTasks": lambda counts: counts.pending,
    "$CurrentDedicatedNodes": lambda counts: counts.dedicated,
    "$CurrentLowPriorityNodes": lambda counts: counts.low_priority,
    "$UsableNodeCount": lambda counts: counts.usable,
    "$PreemptedNodeCount": lambda counts: counts.preempted,
}
"""The variables that have samples, and what of a sample is theirs."""


@dataclass(frozen=True)
class Sample:
    """What was counted at a moment, and from when on formulas see it."""

    at: datetime
    visible_from: datetime
    counts: Counts


@dataclass
class History:
    """The samples of a pool, oldest first; those of a day are kept."""

    _samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def record(self, at: datetime, counts: Counts, *, delay: timedelta = PROPAGATION) -> None:
        """Add a sample, which formulas see when it has propagated."""
        self._samples.append(Sample(at, at + delay, counts))

    def visible(self, now: datetime) -> list[Sample]:
        """Return the samples that a formula sees, oldest first."""
        return [sample for sample in self._samples if sample.visible_from <= now]

    def between(self, start: datetime, end: datetime, now: datetime) -> Iterator[Sample]:
        """Yield the samples of a time frame that a formula sees, oldest first: its start does not belong to it."""
        return (sample for sample in self.visible(now) if start < sample.at <= end)


def percentage(samples: int, start: datetime, end: datetime) -> float:
    """How many of the samples that can be had of a time frame so many are, in percent; none can be had of a moment."""
    possible = round((end - start) / PERIOD)
    return min(100.0, 100 * samples / possible) if possible > 0 else 0.0
