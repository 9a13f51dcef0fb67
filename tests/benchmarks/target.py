"""A target, what was measured of it, and the table of all."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One row of the table: met if `value` is not above `target`, if there is one; `how` says what it is made of."""

    what: str
    value: float
    target: float | None
    unit: str
    how: str

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.target is None or self.value <= self.target


def ratio(what: str, own: float, bare: float, target: float | None = None, more: str = "") -> Measured:
    """A time as a multiple of that of bare calls."""
    return Measured(what, own / bare, target, "x", f"{own:.2f} s, bare {bare:.2f} s{more}")


@dataclass
class Lap:
    """How long something took."""

    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[Lap]:
    """Measure what stands inside of `with`."""
    lap, begin = Lap(), time.perf_counter()
    yield lap
    lap.seconds = time.perf_counter() - begin


def medians(repeats: int, *actions: Callable[[int], object]) -> list[float]:
    """The median seconds of some actions, each repeated; they take turns, so that all meet the same weather."""
    times: list[list[float]] = [[] for _ in actions]
    for repeat in range(repeats):
        for action, seconds in zip(actions, times, strict=True):
            with timed() as lap:
                action(repeat)
            seconds.append(lap.seconds)
    return [statistics.median(seconds) for seconds in times]


class Memory:
    """How much memory this process takes at most, in MB above what it took at the beginning (Linux)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far: proc(5)
        self._begin = self.now()

    def growth(self) -> float:
        """The growth so far."""
        return self.most() - self._begin

    @staticmethod
    def now() -> float:
        """All that this process takes, in MB."""
        return _megabytes("VmRSS")

    @staticmethod
    def most() -> float:
        """The most that this process has taken, in MB."""
        return _megabytes("VmHWM")


def _megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def show_heading() -> None:
    """Print the table's first line."""
    print(f"{'what':58} {'measured':>8} {'':5} {'target':>6} {'':5} met  how")


def show(row: Measured) -> None:
    """Print one row of the table."""
    print(f"{row.what:58} {_number(row.value)} {row.unit:5} {_target(row)}  {row.how}", flush=True)


def _target(row: Measured) -> str:
    if row.target is None:
        return " " * 19
    return f"{_number(row.target):>6} {row.unit:5} {'yes' if row.is_met else 'NO'}"


def _number(value: float) -> str:
    return f"{value:8.2f}" if value != int(value) else f"{value:8.0f}"


def write(rows: Sequence[Measured], path: Path) -> None:
    """Write the table as JSON."""
    path.write_text(json.dumps([{**asdict(row), "met": row.is_met} for row in rows], indent=2, ensure_ascii=False))
