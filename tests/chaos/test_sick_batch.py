"""Batch fails, limits, delays; its nodes die, its pulls and uploads fail."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.documents.names import dropped_at
from tests.chaos.lives import Ended, Host
from tests.chaos.stories import FAN_OUT, GATED, GRAPH, ONE_TASK
from tests.integration.conftest import World
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

DROPPERS = 4
SICK = (
    {"share": 0.07, "seed": 1, "status": 429, "code": "TooManyRequests"},
    {"share": 0.04, "seed": 2, "status": 500, "code": "InternalError"},
    {"share": 0.03, "seed": 3, "status": 500, "code": "OperationTimedOut", "afterwards": True},
    {"share": 0.03, "seed": 4, "status": 503, "retryAfterSeconds": 1},
    {"share": 0.03, "seed": 5, "status": 503, "afterwards": True},
    {"share": 0.2, "seed": 6, "latencySeconds": 0.1},
)
"""A fifth of all answers are errors, of which some are answers to what was carried out all the same."""


@pytest.fixture
def change_batch(world: World) -> Iterator[Callable[..., None]]:
    """Change settings of the Batch service for a test."""
    before = _local(world, "settings")

    yield lambda **settings: _local(world, "settings", "PATCH", settings)
    _local(world, "settings", "PATCH", before)


def _local(world: World, path: str, method: str = "GET", body: object = None) -> Any:
    url = f"{world.settings.batch.endpoint}/_local/{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as answer:
        return json.loads(answer.read() or "null")


def _drop_all(host: Host, texts: dict[str, str]) -> dict[str, str]:
    with ThreadPoolExecutor(DROPPERS) as threads:
        return dict(zip(texts, threads.map(lambda name: host.drop(name, texts[name]), texts), strict=True))


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.chaos)])
@pytest.mark.timeout(3600)
def test_a_fifth_of_all_answers_may_be_errors(
    world: World, tmp_path: Path, injected: Callable[[int], None], count: int
) -> None:
    """Promise: nothing dropped is lost, and nothing runs twice, whatever Batch answers."""
    texts = {f"{number}.yaml": ONE_TASK.text(tmp_path) for number in range(count)}
    host = Host(world)
    world.batch_fails(*SICK)
    runs = _drop_all(host, texts)
    host.work()
    world.batch_fails()
    injected(sum(world.batch_requests().values()) // 5)
    ended = [Ended.of(world, run, name, tmp_path) for name, run in runs.items()]
    assert [(each.shape["state"], each.ran) for each in ended] == [("SUCCESS", ["one"])] * count


@pytest.mark.parametrize("quota_and_count", [(2, 12), pytest.param((5, 200), marks=pytest.mark.chaos)])
@pytest.mark.timeout(3600)
def test_more_drops_than_the_quota_allows_jobs(
    world: World,
    change_batch: Callable[..., None],
    tmp_path: Path,
    injected: Callable[[int], None],
    quota_and_count: tuple[int, int],
) -> None:
    """Promise: what waits for the quota is submitted once there is room, the oldest first."""
    quota, count = quota_and_count
    change_batch(activeJobQuota=quota)
    blocked = [world.accept(f"blocks/{number}.yaml", "commands: [sleep 600]") for number in range(quota)]
    texts = {f"{number}.yaml": ONE_TASK.text(tmp_path) for number in range(count)}
    host = Host(world)
    runs = _drop_all(host, texts)
    assert [run.progress.waiting for run in world.app.runs.list() if run.id not in blocked] == ["quota"] * count
    for run in blocked:
        world.put("inbox", f"{run}.cancel")
    host.tick()
    host.work()
    injected(count)
    submitted = []
    for name, run in runs.items():
        ended = Ended.of(world, run, name, tmp_path)
        assert (ended.shape["state"], ended.ran) == ("SUCCESS", ["one"])
        submitted.append((datetime.fromisoformat(world.record(run, name)["timings"]["submitted"]), dropped_at(run)))
    dropped = [when for _, when in sorted(submitted)]
    side_by_side = 2 * quota  # of those that are tried at once, Batch decides which it takes
    assert all(when <= min(dropped[place + side_by_side :], default=when) for place, when in enumerate(dropped))


def test_a_node_that_dies_takes_no_run_with_it(world: World, tmp_path: Path, injected: Callable[[int], None]) -> None:
    """Promise: what Batch itself runs again, on another node, is recorded once."""
    host = Host(world)
    run = host.drop("m.yaml", GATED.text(tmp_path))
    wait_for((tmp_path / run).exists)
    node = f"pools/local/nodes/{world.app.batch.tasks(f'{run}-1')['1'].node}"
    _local(world, node, "PUT", {"state": "unusable"})
    _local(world, node, "PUT", {"state": "idle"})
    (tmp_path / f"{run}.open").touch()
    host.work()
    injected(1)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", ["begun", "begun", "ended"])


@pytest.mark.parametrize(("pattern", "lost"), [("*one.txt", "outputs"), ("../std*.txt", "logs")])
def test_an_upload_that_fails_is_recorded_and_never_run_again(
    world: World, tmp_path: Path, injected: Callable[[int], None], pattern: str, lost: str
) -> None:
    """Promise: what the user's commands did is done once; what of it is missing is said."""
    host = Host(world)
    world.nodes_fail(uploads=[{"filePattern": pattern, "next": 1}])
    run = host.drop("m.yaml", ONE_TASK.text(tmp_path))
    host.work()
    injected(1)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    task = world.record(run)["tasks"][0]
    assert (ended.shape["state"], ended.ran) == ("FAILED", ["one"])
    assert (task["exitCode"], task["failure"]["code"]) == (0, "FileUploadMiscError")
    assert (lost == "outputs") == (task["outputs"]["outputFiles"] == {})


def test_a_pull_that_fails_twice_and_then_works(world: World, tmp_path: Path, injected: Callable[[int], None]) -> None:
    """Promise: what failed before the commands began is run again, and its commands run once."""
    host = Host(world)
    world.nodes_fail(imagePulls=[{"next": 2}])
    run = host.drop("m.yaml", GRAPH.text(tmp_path))
    host.work()
    injected(2)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", sorted(GRAPH.ran))


def test_both_ways_to_name_uploaded_files_give_the_same_results(
    world: World, change_batch: Callable[..., None], tmp_path: Path
) -> None:
    """Promise: how Batch names what it uploads, which it does not document, makes no difference."""
    shapes = []
    for naming in ("working-directory", "literal-folder"):
        change_batch(blobNaming=naming)
        host = Host(world)
        runs = _drop_all(
            host,
            {
                f"{naming}/graph.yaml": GRAPH.text(tmp_path),
                f"{naming}/all.yaml": FAN_OUT.text(tmp_path).replace("foreach: 8", "foreach: 3"),
            },
        )
        host.work()
        shapes.append([Ended.of(world, run, name, tmp_path).shape for name, run in runs.items()])
    assert shapes[0] == shapes[1]
    assert [shape["state"] for shape in shapes[0]] == ["SUCCESS", "SUCCESS"]
