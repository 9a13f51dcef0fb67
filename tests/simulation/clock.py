"""Simulated time, and what is due when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Clock:
    """The time, which goes on only when something is taken that is due later."""

    now: datetime
    _due: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something done so many seconds from now."""
        heapq.heappush(self._due, (self.now + timedelta(seconds=seconds), next(self._order), action))

    def next_due(self) -> datetime | None:
        """When the next thing is due."""
        return self._due[0][0] if self._due else None

    def advance(self) -> None:
        """Go on to what is due next, and do it."""
        at, _, action = heapq.heappop(self._due)
        self.now = max(self.now, at)
        action()
