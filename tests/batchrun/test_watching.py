"""When `run` looks at its runs: ends are noticed at once, however long a look at tasks takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from batchrun.cli import _watching
from batchrun.cli._watching import PAUSE_FACTOR, POLL_SECONDS, NewRuns
from batchrun.client.refs import DroppedRun, RunRef
from batchrun.client.runs import RunView
from shared.documents.states import State


@dataclass
class Clock:
    """A clock that moves by pauses and by what takes time."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """What it shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


@dataclass
class Storage:
    """The records of runs, which exist from a moment on."""

    clock: Clock
    recorded: dict[RunRef, float]

    def record(self, ref: RunRef) -> Any:
        """The record, if it exists by now."""
        self.clock.now += 0.01
        return SimpleNamespace(state=State.SUCCESS) if self.clock.now >= self.recorded[ref] else None


@dataclass
class Display:
    """When which end was shown, and when a run was looked at."""

    clock: Clock
    ends: dict[RunRef, float] = field(default_factory=dict)
    looks: list[float] = field(default_factory=list)

    def seen(self, *_: object) -> None:
        """Note a look."""
        self.looks.append(self.clock.now)

    def ended(self, ref: RunRef, _: State) -> None:
        """Note an end."""
        self.ends[ref] = self.clock.now

    def say(self, *_: object) -> None:
        """Nothing."""


def dropped(name: str) -> DroppedRun:
    return DroppedRun(RunRef(f"{name}-20260101t000000-00000000", name), f"{name}.yaml", "etag")


def watch(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, list[float]], ends: dict[str, float]) -> Display:
    """Watch runs; each look at one takes the next of its `seconds`, later ones as long as the last."""
    clock = Clock()
    display, runs = Display(clock), {name: dropped(name) for name in ends}
    left = {runs[name].ref: iter([*taken, *[taken[-1]] * 10_000]) for name, taken in seconds.items()}

    def look(ref: RunRef) -> RunView:
        clock.now += next(left[ref])
        return RunView(State.RUNNING)

    monkeypatch.setattr(_watching, "time", clock)
    monkeypatch.setattr(_watching, "WatchedRun", lambda _, ref: SimpleNamespace(look=lambda: look(ref)))
    storage = Storage(clock, {runs[name].ref: 1000 + end for name, end in ends.items()})
    app = SimpleNamespace(check=lambda: None, knows_all=True, command=lambda *_: "")
    services = SimpleNamespace(results=storage, inbox=SimpleNamespace(holds=lambda _: False))
    list(NewRuns([], app, None, waits=True)._watch(services, list(runs.values()), display))
    return display


@pytest.mark.parametrize("slow", [1.0, 9.0, 60.0])
def test_an_end_is_noticed_after_one_look_that_was_slow(monkeypatch, slow: float) -> None:
    """A service that was busy once answers late once: what ends after that is noticed at once, of any run."""
    display = watch(monkeypatch, {"fan": [slow, 0.1], "other": [0.1]}, {"fan": 100.0, "other": slow + 2})
    late = {ref.folder: at - 1000 for ref, at in display.ends.items()}
    assert late["other"] - (slow + 2) < 2 * POLL_SECONDS
    assert late["fan"] - 100 < 2 * POLL_SECONDS


def test_an_end_waits_for_no_more_than_the_look_that_is_under_way(monkeypatch) -> None:
    display = watch(monkeypatch, {"fan": [3.0], "other": [0.1]}, {"fan": 100.0, "other": 50.0})
    late = {ref.folder: at - 1000 for ref, at in display.ends.items()}
    assert late["other"] - 50 < 3 + 2 * POLL_SECONDS


def test_looks_at_many_tasks_are_rare(monkeypatch) -> None:
    """A fifth of the time at most is spent in looking at one run."""
    display = watch(monkeypatch, {"fan": [2.0]}, {"fan": 100.0})
    assert len(display.looks) <= 100 / (2 * (1 + PAUSE_FACTOR)) + 1


def test_one_run_that_is_slow_to_look_at_does_not_slow_the_others(monkeypatch) -> None:
    display = watch(monkeypatch, {"fan": [2.0], "other": [0.01]}, {"fan": 100.0, "other": 100.0})
    assert len(display.looks) > 100


def test_a_run_whose_end_was_noticed_is_not_looked_at_again(monkeypatch) -> None:
    assert len(watch(monkeypatch, {"one": [0.01]}, {"one": 0.0}).looks) == 0
