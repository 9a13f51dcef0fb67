"""Everything arrives three times, at once, out of order and late; timers overlap; hosts share the storage."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError

from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.documents.run_ended import RunEnded
from shared.errors import TryLater
from shared.events import JobEnded
from tests.chaos.lives import TICK, Ended, earlier_of, prepare
from tests.chaos.stories import GRAPH, ONE_TASK, REQUEST, RETRY, WRONG
from tests.integration.conftest import World
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.slow

TIMES = 3
AT_ONCE = 8


@dataclass
class Crowd:
    """Hosts of the app that share its storage, Batch account and topic, and are invoked at the same time.

    The clock of the second runs so far ahead that it takes up whatever the first is at, as if that had died.
    """

    world: World
    chance: random.Random
    published: queue.Queue[JobEnded] = field(default_factory=queue.Queue)
    delivered: list[JobEnded] = field(default_factory=list)
    hosts: tuple[App, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.hosts = tuple(
            replace(App.of(self.world.settings), events=self, now=lambda ahead=ahead: datetime.now(UTC) + ahead)
            for ahead in (timedelta(0), TICK)
        )

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Be the topic."""
        for event in events:
            self.published.put(event)

    def publish_end(self, ended: RunEnded) -> None:
        """Tell nobody."""

    def run(self, names: Iterable[str]) -> None:
        """Work on what was dropped until nothing is left to do."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            invoked = self._repeatedly(threads, submit_run.accept, names)
            while self.world.names("runs") or self.world.names("inbox") or not all(map(Future.done, invoked)):
                ticks = [threads.submit(poll_runs.poll, host) for host in self.hosts for _ in range(2)]
                invoked += self._repeatedly(threads, record_run.record, self._take())
                invoked += ticks
                ticks[0].exception(timeout=WAIT_SECONDS)
        for failed in filter(None, (each.exception() for each in invoked)):
            if not isinstance(failed, (AzureError, TryLater)):
                raise failed

    def repeat(self, names: Iterable[str]) -> None:
        """Deliver everything once more, now that all is over."""
        for name in names:
            submit_run.accept(self.hosts[0], name)
        for event in self.delivered:
            record_run.record(self.hosts[0], event)

    def _take(self) -> list[JobEnded]:
        events = [self.published.get() for _ in range(self.published.qsize())]
        self.delivered += events
        return events

    def _repeatedly(self, threads: ThreadPoolExecutor, story, what: Iterable[object]) -> list[Future[None]]:
        invocations = [(self.chance.choice(self.hosts), each) for each in what for _ in range(TIMES)]
        self.chance.shuffle(invocations)
        return [threads.submit(story, host, each) for host, each in invocations]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(2, 14))])
def test_duplicates_and_disorder_change_nothing(
    world: World, tmp_path: Path, injected: Callable[[int], None], seed: int
) -> None:
    """Promise: a drop is run once and recorded once, whoever works on it, and how often."""
    stories = {f"{number}.yaml": story for number, story in enumerate((ONE_TASK, ONE_TASK, GRAPH, GRAPH, WRONG))}
    runs = {name: world.drop(name, story.text(tmp_path)) for name, story in stories.items()}
    crowd = Crowd(world, random.Random(seed))
    crowd.run(runs)
    injected(TIMES * (len(runs) + len(crowd.delivered)))
    ended = {name: Ended.of(world, run, name, tmp_path) for name, run in runs.items()}
    assert {name: each.ran for name, each in ended.items()} == {n: sorted(s.ran) for n, s in stories.items()}
    assert [each.shape["state"] for each in ended.values()] == ["SUCCESS"] * 4 + ["REJECTED"]
    crowd.repeat(runs)
    assert {name: Ended.of(world, run, name, tmp_path) for name, run in runs.items()} == ended
    for name, run in runs.items():
        for number in range(1, 1 + len(ended[name].shape["jobs"])):
            world.await_end(run, number)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(2, 8))])
def test_retries_that_arrive_together_are_runs_of_their_own(
    world: World, tmp_path: Path, injected: Callable[[int], None], seed: int
) -> None:
    """Promise: a retry that is dropped twice is two retries, however often each is delivered; none disturbs another."""
    prepare(world, RETRY, tmp_path)
    (tmp_path / "ok").touch()
    text = RETRY.text(tmp_path).replace("EARLIER", earlier_of(world))
    runs = {name: world.drop(name, text) for name in ("a.yaml", "b/a.yaml")}
    runs["c.yaml"] = world.drop("c.yaml", REQUEST.text(tmp_path))
    crowd = Crowd(world, random.Random(seed))
    crowd.run(runs)
    injected(TIMES * (len(runs) + len(crowd.delivered)))
    ended = {name: Ended.of(world, run, name, tmp_path) for name, run in runs.items()}
    assert [each.ran for each in ended.values()] == [sorted(story.ran) for story in (RETRY, RETRY, REQUEST)]
    assert {each.shape["state"] for each in ended.values()} == {"SUCCESS"}
    assert ended["a.yaml"] == ended["b/a.yaml"]
    crowd.repeat(runs)
    assert {name: Ended.of(world, run, name, tmp_path) for name, run in runs.items()} == ended
