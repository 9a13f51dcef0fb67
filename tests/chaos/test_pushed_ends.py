"""Markers of ends that come twice, late, at once with ticks, or never; and a topic that is down when they come."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError

from shared import poll_runs, record_run
from shared.documents.end_markers import EndMarker
from shared.errors import TryLater
from tests.chaos.lives import Ended
from tests.chaos.stories import ONE_TASK, SIXTEEN, Story
from tests.chaos.test_outage import Topic
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(2, 20))]


@pytest.mark.parametrize("story", [ONE_TASK, SIXTEEN], ids=["one task", "sixteen at once"])
@pytest.mark.parametrize("seed", SEEDS)
def test_markers_come_twice_late_or_never_and_at_once_with_ticks(
    world: World, tmp_path: Path, injected: Callable[[int], None], story: Story, seed: int
) -> None:
    """Promise: one record, complete; each task ran once; others are told; nothing is left behind."""
    chance = random.Random(seed)
    run = world.accept(text=story.text(tmp_path))
    world.await_end(run)
    markers = world.markers(run)
    events = [marker for marker in markers for _ in range(chance.choice([0, 1, 1, 2]))]
    chance.shuffle(events)
    injected(len(markers))
    work: list[Callable[[], None]] = [lambda event=event: record_run.record(world.app, event) for event in events]
    work[chance.randint(0, len(work)) :] += [lambda: poll_runs.poll(world.app)] * 2
    with ThreadPoolExecutor(8) as threads:
        for failed in [done.exception() for done in [threads.submit(each) for each in work]]:
            assert failed is None or isinstance(failed, (AzureError, TryLater))
    first = Ended.of(world, run, "m.yaml", tmp_path) if not world.names("runs") else None
    later = world.later(minutes=1)
    while world.names("runs"):  # what no marker brought, a tick does
        poll_runs.poll(later)
        for event in world.outbox.take():
            record_run.record(later, event)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert first in (None, ended)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", sorted(story.ran))
    assert {told.run_id for told in world.outbox.ends} == {run}
    for late in (*markers, *world.outbox.take()):
        record_run.record(world.app, late)
    assert Ended.of(world, run, "m.yaml", tmp_path) == ended, "what comes late changes nothing"


def test_a_marker_whose_file_never_came_is_left_to_a_tick(world: World, tmp_path: Path) -> None:
    """Promise: an event is not believed: the blob that it names must be there."""
    run = world.accept(text=ONE_TASK.text(tmp_path))
    world.await_end(run)
    (marker,) = world.markers(run)
    world.remove("staging", marker.blob)
    record_run.record(world.app, marker)
    assert world.names("runs")
    world.finish()
    assert Ended.of(world, run, "m.yaml", tmp_path).ran == ["one"]


def test_while_the_topic_is_down_ends_are_recorded_and_all_that_follows_comes_later(
    world: World, tmp_path: Path, injected: Callable[[int], None]
) -> None:
    """Promise: nothing is lost, nothing is recorded twice; a run stays open until others have been told."""
    runs = {world.accept(f"{number}.yaml", ONE_TASK.text(tmp_path)): f"{number}.yaml" for number in range(5)}
    topic = Topic(is_reachable=False)
    down = replace(world.app, events=topic)
    markers: list[EndMarker] = []
    for run in runs:
        world.await_end(run)
        markers += world.markers(run)
    injected(len(markers))
    for marker in [*markers, *markers]:
        record_run.record(down, marker)
    records = {run: world.record(run, name) for run, name in runs.items()}
    assert len(world.names("runs")) == len(runs)
    topic.is_reachable = True
    up = replace(world.later(minutes=1), events=topic)
    poll_runs.poll(up)
    for event in topic.published:
        record_run.record(up, event)
    assert sorted(told.run_id for told in topic.ends) == sorted(runs)
    assert {run: world.record(run, name) for run, name in runs.items()} == records
    assert [Ended.of(world, run, name, tmp_path).ran for run, name in runs.items()] == [["one"]] * len(runs)
