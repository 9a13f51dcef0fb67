"""What is paid for beside nodes: calls of storage and Batch, as `docs/operate.md` has them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from shared import poll_runs

if TYPE_CHECKING:
    from tests.integration.conftest import World


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The requests that the app makes, by service."""
    counted: Counter[str] = Counter()
    send = RequestsTransport.send

    def counting(self: RequestsTransport, request: Any, **options: Any) -> Any:
        counted["batch" if request.url.startswith(world.settings.batch.endpoint) else "storage"] += 1
        return send(self, request, **options)

    monkeypatch.setattr(RequestsTransport, "send", counting)
    return counted


def test_a_tick_without_runs_costs_two_listings(world: World, calls: Counter[str]) -> None:
    poll_runs.poll(world.app)
    assert calls == {"storage": 2}


def test_a_run_of_one_task_costs_thirty_storage_operations_and_eight_batch_calls_at_most(
    world: World, calls: Counter[str]
) -> None:
    """From drop to close, with one tick; every further tick of a running run costs two listings and a Batch call."""
    dropping = 1
    run = world.take("m.yaml", "commands: [echo hi > a.txt]\noutputFiles: [a.txt]")
    taken = dict(calls)
    world.await_end(run)
    calls.clear()
    poll_runs.poll(world.app)
    world.deliver()
    assert world.record(run)["state"] == "SUCCESS"
    assert 0 < taken["storage"] + calls["storage"] - dropping <= 30
    assert 0 < taken["batch"] + calls["batch"] <= 8
