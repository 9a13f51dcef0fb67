"""Manifests and names that mean harm are rejected, or run as anything else, at a bounded cost; nothing leaks."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.chaos.hostile import attacks
from tests.chaos.lives import Host
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

BATCH = 50
ALL = 2_000
SECRET = "the-value-of-a-hostile-secret"
ENDS = {"REJECTED", "SUCCESS", "WARNING", "FAILED"}


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(1, ALL // BATCH))])
def test_hostile_manifests_are_rejected_or_run_and_nothing_leaks(
    make_world: Callable[..., World], injected: Callable[[int], None], caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Promise: every drop ends in a record, which blames no bug of ours; no setting's value is in anything."""
    caplog.set_level(logging.INFO)
    world = make_world(SECRET_HOSTILE=SECRET)
    host, runs = Host(world), {}
    for attack in attacks(seed, BATCH):
        runs[attack.name] = host.drop(attack.name, attack.content)
    host.work()
    injected(len(runs))
    for name, run in runs.items():
        record = world.record(run, name)
        assert record["state"] in ENDS
        assert (record["failure"] or {}).get("category") != "internal", f"{name}: {record['failure']}"
    _assert_nothing_leaks(world, caplog.text)
    assert world.accept("afterwards.yaml")
    host.work()


def _assert_nothing_leaks(world: World, logged: str) -> None:
    settings = world.settings
    values = [SECRET, settings.batch.account_key, settings.topic.key, settings.storage.connection_string]
    values.append(values[-1].partition("AccountKey=")[2].partition(";")[0])
    results = world._storage.get_container_client(settings.containers.results)
    texts = {name: results.download_blob(name).readall().decode(errors="replace") for name in world.names("results")}
    for name, text in {**texts, "the log": logged}.items():
        assert not [value for value in values if value in text], f"{name} has the value of a setting"
        assert "root:x:0" not in text, f"{name} has a file of this machine"
