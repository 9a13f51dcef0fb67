"""Event Grid takes nothing, or delivers nothing, for an hour; the hour is simulated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import ServiceRequestError

from shared import poll_runs, record_run
from shared.app import App
from shared.documents.progress import ListedRun, Progress
from shared.documents.run_ended import RunEnded
from shared.events import JobEnded
from shared.storage.runs import RunStore
from tests.chaos.lives import Ended
from tests.chaos.stories import ONE_TASK
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

RUNS = 5
HOUR = timedelta(hours=1)
PUBLICATIONS_IN_AN_HOUR = 7
"""At once, then after 30 s, 1, 2, 4, 8 and 16 minutes; the next pause ends after more than an hour."""


@dataclass
class SimulatedClock:
    """The time of the app, and of what storage says of its writes."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    writes: dict[str, datetime] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time."""
        return self.time


class SimulatedRunStore(RunStore):
    """Run documents that were written last when the clock says so."""

    def __init__(self, runs: RunStore, clock: SimulatedClock) -> None:
        super().__init__(runs._container)
        self._clock = clock

    def set_progress(self, run: ListedRun, progress: Progress) -> ListedRun | None:
        """As it is, with a note of the time."""
        written = super().set_progress(run, progress)
        if written is not None:
            self._clock.writes[written.etag.strip('"')] = self._clock.time
        return written

    def list(self) -> list[ListedRun]:
        """As it is, with the times that were noted."""
        return [
            replace(run, last_write=self._clock.writes.get(run.etag.strip('"'), run.last_write))
            for run in super().list()
        ]


@dataclass
class Topic:
    """A topic that can be out of reach."""

    is_reachable: bool = True
    calls: int = 0
    published: list[JobEnded] = field(default_factory=list)
    ends: list[RunEnded] = field(default_factory=list)

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Publish, if it can be reached."""
        self.calls += 1
        if not self.is_reachable:
            raise ServiceRequestError("the topic cannot be reached")
        self.published += events

    def publish_end(self, ended: RunEnded) -> None:
        """Tell others of an end, if the topic can be reached."""
        if not self.is_reachable:
            raise ServiceRequestError("the topic cannot be reached")
        self.ends.append(ended)


@dataclass
class Outage:
    """Runs whose jobs have ended, a topic, and an app whose clock is the test's."""

    runs: list[str]
    clock: SimulatedClock
    topic: Topic
    app: App

    def pass_an_hour(self, tick: timedelta) -> int:
        """Let an hour of ticks pass; their number."""
        end, ticks = self.clock.time + HOUR, 0
        while self.clock.time < end:
            with contextlib.suppress(ServiceRequestError):
                poll_runs.poll(self.app)
            self.clock.time += tick
            ticks += 1
        return ticks

    def deliver(self) -> None:
        """Deliver everything that was published, in the order in which it was not."""
        for event in reversed(self.topic.published):
            record_run.record(self.app, event)


@pytest.fixture
def outage(world: World, tmp_path: Path) -> Outage:
    """A few runs that have ended, and that nobody has been told of yet."""
    runs = [world.accept(f"{number}.yaml", ONE_TASK.text(tmp_path)) for number in range(RUNS)]
    for run in runs:
        world.await_end(run)
    clock, topic = SimulatedClock(), Topic()
    app = replace(world.app, events=topic, now=clock.now, runs=SimulatedRunStore(world.app.runs, clock))
    return Outage(runs, clock, topic, app)


EVERY = [timedelta(minutes=2), pytest.param(timedelta(seconds=15), marks=pytest.mark.chaos)]


@pytest.mark.parametrize("tick", EVERY, ids=str)
def test_a_topic_that_takes_nothing_for_an_hour(
    world: World, outage: Outage, tmp_path: Path, injected: Callable[[int], None], tick: timedelta
) -> None:
    """Promise: one call a tick, however many runs wait; once it is taken, everything is recorded."""
    outage.topic.is_reachable = False
    ticks = outage.pass_an_hour(tick)
    assert outage.topic.calls == ticks
    assert outage.topic.published == []
    outage.topic.is_reachable = True
    poll_runs.poll(outage.app)
    assert sorted(event.run_id for event in outage.topic.published) == sorted(outage.runs)
    injected(ticks)
    _assert_recorded(world, outage, tmp_path)


@pytest.mark.parametrize("tick", EVERY, ids=str)
def test_a_topic_that_delivers_nothing_for_an_hour(
    world: World, outage: Outage, tmp_path: Path, injected: Callable[[int], None], tick: timedelta
) -> None:
    """Promise: JobEnded is published again with growing pauses, and whatever comes at last is recorded once."""
    outage.pass_an_hour(tick)
    assert len(outage.topic.published) <= RUNS * PUBLICATIONS_IN_AN_HOUR
    assert len(outage.topic.published) >= RUNS * (PUBLICATIONS_IN_AN_HOUR - 2), "events may be lost, too"
    assert not any(event.last for event in outage.topic.published)
    injected(len(outage.topic.published))
    _assert_recorded(world, outage, tmp_path)


def test_a_topic_that_never_delivers(world: World, outage: Outage) -> None:
    """Promise: every run ends, at last in a record that says why; the number of publications is bounded."""
    for _ in range(12):
        outage.pass_an_hour(timedelta(minutes=30))
    published = [event for event in outage.topic.published if event.run_id == outage.runs[0]]
    assert [event.last for event in published[:13]] == [False] * 12 + [True]
    for event in outage.topic.published:
        if event.last:
            record_run.record(outage.app, event)
    assert {world.record(run, f"{number}.yaml")["failure"]["code"] for number, run in enumerate(outage.runs)} == {
        "NotRecorded"
    }
    assert world.names("runs") == world.names("staging") == []


def _assert_recorded(world: World, outage: Outage, ledger: Path) -> None:
    outage.deliver()
    ended = [Ended.of(world, run, f"{number}.yaml", ledger) for number, run in enumerate(outage.runs)]
    assert [(each.shape["state"], each.ran) for each in ended] == [("SUCCESS", ["one"])] * RUNS
