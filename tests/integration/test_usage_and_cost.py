"""What tasks used and cost: from Azure Batch's listing of them to record, report, ledger and RunEnded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from shared import record_run
from shared.documents.ledger import FOLDER
from shared.events import JobEnded
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

TEXT = """
tasks:
  - {id: busy, commands: ['i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'], requiredSlots: 2}
  - {id: fan, foreach: 3, commands: [echo]}
  - {id: skipped, runIf: 'false', commands: [echo]}
"""


@pytest.fixture
def priced(make_world) -> World:
    """An app that knows the price of the nodes of the pool."""
    size = make_world().app.batch.pools(at_least="local")["local"].vm_size
    return make_world(NODE_PRICES=json.dumps({size: 3600.0}), PRICE_CURRENCY="EUR")


@pytest.fixture
def without_statistics(priced: World) -> Iterator[World]:
    priced.change_batch(statisticsDelaySeconds="never")
    yield priced
    priced.change_batch(statisticsDelaySeconds=0)


def test_a_task_has_the_usage_that_batch_reports(priced: World) -> None:
    run = priced.accept(text=TEXT)
    priced.finish()
    record = priced.record(run)
    busy, fan, skipped = record["tasks"]
    assert busy["usage"]["cpuUserSeconds"] > 0
    assert busy["usage"]["wallSeconds"] >= busy["usage"]["cpuUserSeconds"] * 0.5
    assert fan["usage"] is None
    assert (fan["items"]["usage"]["count"], fan["items"]["usage"]["reported"]) == (3, 3)
    assert all(item["usage"]["wallSeconds"] is not None for item in fan["items"]["records"])
    assert skipped["usage"] is None
    assert (record["usage"]["count"], record["usage"]["reported"]) == (4, 4)
    assert record["usage"]["busiest"] == "busy"


def test_a_task_costs_its_share_of_the_node_for_the_time_that_it_took_it(priced: World) -> None:
    """At 3,600 EUR an hour a node costs one EUR a second."""
    run = priced.accept(text=TEXT)
    priced.finish()
    record = priced.record(run)
    slots = record["jobs"][0]["nodes"]["slots"]
    busy, fan, skipped = record["tasks"]
    assert busy["cost"] == pytest.approx(_seconds(busy) * 2 / slots, abs=1e-5)
    items = fan["items"]["records"]
    assert fan["cost"] == pytest.approx(sum(_seconds(item) for item in items) / slots, abs=1e-5)
    assert skipped["cost"] is None
    cost = record["cost"]
    assert cost["amount"] == pytest.approx(busy["cost"] + fan["cost"], abs=1e-5)
    assert (cost["currency"], cost["priced"], cost["unpriced"]) == ("EUR", 4, 0)
    figure = {"amount": cost["amount"], "currency": "EUR"}
    assert priced.outbox.ends[-1].model_dump(by_alias=True)["cost"] == figure
    ledger = priced.text("results", next(name for name in priced.names("results") if name.startswith(FOLDER)))
    assert [line["cost"] for line in map(json.loads, ledger.splitlines())] == [None, figure]


def _seconds(result: dict[str, str]) -> float:
    started, ended = (datetime.fromisoformat(result[name]) for name in ("started", "ended"))
    return (ended - started).total_seconds()


def test_what_batch_does_not_report_is_null_and_said_so(without_statistics: World) -> None:
    world = without_statistics
    run = world.accept(text=TEXT)
    world.finish()
    record = world.record(run)
    assert [task["usage"] for task in record["tasks"]] == [None, None, None]
    assert (record["usage"]["count"], record["usage"]["reported"], record["usage"]["cpuUserSeconds"]) == (4, 0, None)
    assert record["cost"]["priced"] == 4
    report = world.text("results", next(name for name in world.results() if name.endswith("report.html")))
    assert report.count(">not reported<") == 5 * 3  # of the task, of the fan-out, and of the run


def test_it_takes_no_further_call_of_batch(priced: World) -> None:
    run = priced.accept()
    priced.await_end(run)
    priced.batch_requests()
    record_run.record(priced.app, JobEnded(run, 1))
    assert priced.batch_requests() == {"Tasks_ListTasks": 1, "Jobs_DeleteJob": 1}


def test_an_app_without_prices_says_nothing_of_cost(world: World) -> None:
    run = world.accept(text=TEXT)
    world.finish()
    record = world.record(run)
    assert (record["cost"], {task["cost"] for task in record["tasks"]}) == (None, {None})
    assert world.outbox.ends[-1].cost is None
