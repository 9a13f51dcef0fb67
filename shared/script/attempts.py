"""How often the commands of a task are tried, the pauses between, and how long all of it may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_BETWEEN = timedelta(minutes=1)  # to end the processes of an attempt, to empty the working directory, to copy inputs
_LONGEST_PAUSE = timedelta(days=7)  # longer than any run; the shell counts in whole milliseconds


@dataclass(frozen=True)
class Attempts:
    """At most `most` attempts (None: as many as there is time), none of them later than `longest` after the first.

    The pause after the first attempt is `lowest`; it grows by `factor` up to `highest`. If `is_random`, each pause is
    anywhere between the two.
    """

    most: int | None = 1
    longest: timedelta | None = None
    lowest: timedelta = timedelta(0)
    highest: timedelta = timedelta(0)
    factor: float = 1.0
    is_random: bool = False

    @property
    def are_several(self) -> bool:
        """Whether there may be more than one."""
        return self.most != 1

    @property
    def pause_seconds(self) -> float:
        """How long all pauses take at most, in seconds."""
        limit = self.longest.total_seconds() if self.longest else float("inf")
        if self.most is None:
            return limit
        pause, highest = (self.highest if self.is_random else self.lowest).total_seconds(), self.highest.total_seconds()
        total = 0.0
        for _ in range(self.most - 1):
            total += pause
            pause = min(pause * self.factor, highest)
        return min(total, limit)

    def seconds(self, time_limit: timedelta) -> float:
        """How long all attempts and pauses take at most, if an attempt may take `time_limit`; in seconds."""
        by_count = by_time = float("inf")
        one, between = time_limit.total_seconds(), _BETWEEN.total_seconds()
        if self.most is not None:
            by_count = self.most * one + self.pause_seconds + (self.most - 1) * between
        if self.longest is not None:
            by_time = self.longest.total_seconds() + between + one
        return min(by_count, by_time)

    def shell_values(self) -> dict[str, str | int]:
        """The values that the script counts with: times in milliseconds, 0 for no limit."""
        return {
            "most": self.most or 0,
            "longest": _milliseconds(self.longest or timedelta(0)),
            "lowest": _milliseconds(self.lowest),
            "highest": _milliseconds(self.highest),
            "millionths": round(self.factor * 1_000_000),
            "is_random": "yes" if self.is_random else "no",
        }


ONE_ATTEMPT = Attempts()


def _milliseconds(span: timedelta) -> int:
    return int(min(span, _LONGEST_PAUSE) / timedelta(milliseconds=1))
