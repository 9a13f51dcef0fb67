"""Spot nodes are taken away while tasks run on them, and come back when there is capacity."""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.batch import models

from shared import poll_runs
from tests.chaos.lives import Ended, Host
from tests.chaos.stories import FAN_OUT, GATED, GRAPH, ONE_TASK, STOPPED, WHOLE, Story
from tests.integration.conftest import World
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

SPOT = "spot"
PREEMPTIONS = 4
LONGEST_PAUSE_SECONDS = 0.5
CHAOS = pytest.mark.chaos
SEEDS = [1, *(pytest.param(seed, marks=CHAOS) for seed in range(2, 6))]
STORIES = [GRAPH, *(pytest.param(story, marks=CHAOS) for story in (ONE_TASK, FAN_OUT, STOPPED, WHOLE))]


@pytest.fixture
def world(make_world: Callable[..., World]) -> Iterator[World]:
    """A world whose pool has two spot nodes and no others."""
    made = make_world(BATCH_POOL_ID=SPOT)
    client = made.app.batch._client
    image = models.BatchVmImageReference(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2404")
    machine = models.VirtualMachineConfiguration(
        image_reference=image,
        node_agent_sku_id="batch.node.ubuntu 24.04",
        container_configuration=models.BatchContainerConfiguration(type="dockerCompatible"),
    )
    client.create_pool(
        models.BatchPoolCreateOptions(
            id=SPOT,
            vm_size="Standard_D2s_v5",
            target_low_priority_nodes=2,
            task_slots_per_node=4,
            virtual_machine_configuration=machine,
        )
    )
    yield made
    made.change_batch(nodeLimits=[], completionDelaySeconds=0)
    client.begin_delete_pool(SPOT, polling_interval=0.1).result()


def _preempt(world: World) -> None:
    url = f"{world.settings.batch.endpoint}/_local/pools/{SPOT}/preempt"
    urllib.request.urlopen(urllib.request.Request(url, b"{}", method="POST")).close()


def _preempt_at_random(world: World, chance: random.Random) -> None:
    """Take all nodes away, and again some time after there are any, which may be in the midst of anything."""
    nodes = world.app.batch._client.list_nodes
    for _ in range(PREEMPTIONS):
        wait_for(lambda: any(node.state in ("idle", "running") for node in nodes(SPOT)))
        time.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        _preempt(world)


def _end(host: Host, world: World, name: str, text: str, ledger: Path) -> Ended:
    run = host.drop(name, text)
    host.work()
    return Ended.of(world, run, name, ledger)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_spot_nodes_may_be_taken_at_any_time(
    world: World, tmp_path: Path, injected: Callable[[int], None], story: Story, seed: int
) -> None:
    """Promise: Batch runs again what was lost; the run ends as it does on nodes that stay, and is recorded once."""
    host, text = Host(world), story.text(tmp_path)
    undisturbed = _end(host, world, "calm.yaml", text, tmp_path)
    with ThreadPoolExecutor(1) as threads:
        thief = threads.submit(_preempt_at_random, world, random.Random(seed))
        ended = _end(host, world, "taken.yaml", text, tmp_path)
        thief.result()
    injected(PREEMPTIONS)
    assert ended.shape == undisturbed.shape
    assert (set(undisturbed.ran), set(ended.ran)) == (set(story.ran), set(story.ran))


def test_a_node_that_is_taken_after_the_uploads_changes_nothing(
    world: World, tmp_path: Path, injected: Callable[[int], None]
) -> None:
    """Promise: what is uploaded of a task that Batch runs again is not recorded before it has ended."""
    world.change_batch(completionDelaySeconds=600)
    host = Host(world)
    run = host.drop("m.yaml", ONE_TASK.text(tmp_path))
    wait_for(lambda: world.markers(run))
    world.change_batch(completionDelaySeconds=0, nodeLimits=[{"poolId": SPOT, "nodes": 0}])
    _preempt(world)
    host.tick()
    assert world.names("runs") == [f"{run}.json"]
    world.change_batch(nodeLimits=[])
    host.work()
    injected(1)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", ["one", "one"])


def test_while_there_is_no_capacity_a_run_waits_and_says_so(
    world: World, tmp_path: Path, injected: Callable[[int], None]
) -> None:
    """Promise: a run is not lost with its nodes; it goes on when Azure has some."""
    host = Host(world)
    run = host.drop("m.yaml", GATED.text(tmp_path))
    wait_for((tmp_path / run).exists)
    world.change_batch(nodeLimits=[{"poolId": SPOT, "nodes": 0}])
    _preempt(world)
    poll_runs.poll(world.later(seconds=130))
    told = json.loads(world.text("results", next(name for name in world.results() if name.endswith("status.json"))))
    assert (told["waiting"], told["message"]) == (
        "pool",
        f"none of the nodes of the pool {SPOT} can run tasks: 2 preempted",
    )
    world.change_batch(nodeLimits=[])
    (tmp_path / f"{run}.open").touch()
    host.work()
    injected(1)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", ["begun", "begun", "ended"])
