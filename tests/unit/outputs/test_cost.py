"""What tasks are estimated to have cost: from their times, slots, and the price of their node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.documents.record import PoolNodes
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.outputs.cost import SlotPrices, cost_of_run, kind_of
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.outcome import Outcome
from shared.prices import NodeKind, Prices

STARTED = datetime(2026, 11, 28, 12, tzinfo=UTC)
DEDICATED, SPOT = f"tvmps_{'0a' * 32}_d", f"tvmps_{'0a' * 32}_p"
PRICES = Prices.from_environ(
    {"NODE_PRICES": '{"Standard_D2s_v5": {"dedicated": 0.8, "spot": 0.2}}', "PRICE_CURRENCY": "EUR"}
)
NODES = PoolNodes(vm_size="standard_d2s_v5", slots=4)


def ran(hours: float, node: str | None = DEDICATED) -> Outcome:
    return Outcome(State.SUCCESS, node=node, started=STARTED, ended=STARTED + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("outcome", "slots", "cost"),
    [
        (ran(1), 4, 0.8),
        (ran(1), 1, 0.2),
        (ran(0.5), 2, 0.2),
        (ran(1, SPOT), 4, 0.2),
        (ran(0), 1, 0.0),
        (ran(-1), 1, 0.0),  # clocks of nodes differ
        (ran(1, None), 1, None),
        (ran(1, "vm-7"), 1, None),
        (Outcome(State.KILLED, node=DEDICATED, started=STARTED), 1, None),
        (Outcome(State.SKIPPED), 1, None),
    ],
)
def test_a_task_costs_its_time_by_its_share_of_the_node_by_the_price_of_the_node(outcome, slots: int, cost) -> None:
    assert SlotPrices(NODES, PRICES).cost(outcome, slots) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("nodes", "prices"),
    [
        (None, PRICES),
        (PoolNodes(vm_size=None, slots=4), PRICES),
        (PoolNodes(vm_size="Standard_D4s_v5", slots=4), PRICES),
        (NODES, Prices()),
        (NODES, Prices.from_environ({"NODE_PRICES": '{"Standard_D2s_v5": {"spot": 0.2}}'})),
    ],
)
def test_without_a_price_there_is_no_cost(nodes: PoolNodes | None, prices: Prices) -> None:
    assert SlotPrices(nodes, prices).cost(ran(1), 4) is None


@pytest.mark.parametrize(
    ("node", "kind"),
    [(DEDICATED, NodeKind.DEDICATED), (SPOT, NodeKind.SPOT), ("d", None), ("tvmps_1", None), ("", None)],
)
def test_the_end_of_its_id_tells_what_a_node_is(node: str, kind: NodeKind | None) -> None:
    assert kind_of(node) is kind


def item(index: int, cost: float | None, **values: object) -> ItemRecord:
    return ItemRecord(index=index, value=index, state=State.SUCCESS, node=DEDICATED, cost=cost, **values)


def test_a_run_costs_what_its_tasks_and_items_cost() -> None:
    items = [item(0, 0.1), item(1, 0.2), item(2, None)]
    tasks = [TaskRecord(id="a", state=State.FAILED, node=DEDICATED, cost=0.05), fan_out_record("f", items)]
    found = cost_of_run(tasks, {"f": items}, PRICES)
    assert found is not None
    assert (found.amount, found.currency, found.priced, found.unpriced) == (0.35, "EUR", 3, 1)
    assert tasks[1].cost == pytest.approx(0.3)


def test_what_was_taken_over_or_took_no_node_is_not_in_the_cost_of_a_run() -> None:
    items = [item(0, 0.1, taken_from="earlier"), item(1, 0.2)]
    tasks = [
        fan_out_record("f", items),
        TaskRecord(id="t", state=State.SUCCESS, node=DEDICATED, cost=3.0, taken_from="earlier"),
        TaskRecord(id="log", state=State.SUCCESS),
        TaskRecord(id="s", state=State.SKIPPED),
    ]
    found = cost_of_run(tasks, {"f": items}, PRICES)
    assert found is not None
    assert (found.amount, found.priced, found.unpriced) == (0.2, 1, 0)
    assert tasks[0].cost == pytest.approx(0.2)


def test_a_task_that_was_stopped_while_it_ran_is_told_as_unpriced() -> None:
    tasks = [TaskRecord(id="a", state=State.SUCCESS, node=DEDICATED, cost=1.0), TaskRecord(id="b", state=State.KILLED)]
    found = cost_of_run(tasks, {}, PRICES)
    assert found is not None
    assert found.unpriced == 1


@pytest.mark.parametrize("tasks", [[], [TaskRecord(id="a", state=State.SUCCESS, node=DEDICATED)]])
def test_a_run_without_any_known_cost_has_none(tasks: list[TaskRecord]) -> None:
    assert cost_of_run(tasks, {}, PRICES) is None
