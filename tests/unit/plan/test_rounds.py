"""Which tasks run in which round."""

from __future__ import annotations

import pytest

from shared.documents.states import JobReason, State
from shared.plan._graph_task import GraphTask, in_dependency_order
from shared.plan._rounds import Split, split, waits_in_round


def flow(*nodes: str) -> dict[str, GraphTask]:
    """Tasks such as `b<a` (waits for a), `b<<a` (uses a's values), `b*` (a fan-out), `b*1` (a serial one)."""
    found = {}
    for text in nodes:
        head, _, values = text.partition("<<")
        head, _, order = head.partition("<")
        waits = tuple(order) + tuple(values)
        found[head[0]] = GraphTask(head[0], waits, frozenset(values), "*" in head, is_serial=head.endswith("*1"))
    return found


def next_round(
    nodes: dict[str, GraphTask], *, pools: dict[str, str] | None = None, empty: str = "", **ended: str
) -> Split:
    states = {name: State(state) for name, state in ended.items()}
    return split(nodes, states, lambda name: (pools or {}).get(name, "p"), lambda name: name in empty)


def test_a_chain_is_one_round() -> None:
    assert next_round(flow("a", "b<a", "c<b")) == Split(("a", "b", "c"), (), (), JobReason.FIRST)


def test_a_task_that_uses_values_waits_for_the_next_round_and_so_does_what_follows_it() -> None:
    nodes = flow("a", "b<<a", "c<b", "d")
    assert next_round(nodes) == Split(("a", "d"), ("b", "c"), (), JobReason.FIRST)
    assert next_round(nodes, a="SUCCESS", d="SUCCESS") == Split(("b", "c"), (), (), JobReason.VALUES)


def test_values_of_a_task_further_back_are_waited_for_as_well() -> None:
    nodes = flow("a", "b<a") | {"c": GraphTask("c", ("b",), frozenset("a"), is_fan_out=False)}
    assert next_round(nodes) == Split(("a", "b"), ("c",), (), JobReason.FIRST)
    assert next_round(nodes, a="SUCCESS", b="SUCCESS") == Split(("c",), (), (), JobReason.VALUES)


def test_what_follows_a_fan_out_is_the_next_round() -> None:
    nodes = flow("a*", "b<a", "c<b")
    assert next_round(nodes).ready == ("a",)
    assert next_round(nodes, a="WARNING") == Split(("b", "c"), (), (), JobReason.FAN_OUT)


def test_nothing_waits_for_a_fan_out_without_items() -> None:
    nodes = flow("a*", "b<a", "c*<b", "d<c")
    assert next_round(nodes, empty="ac") == Split(("b", "d"), (), (), JobReason.FIRST, empty=("a", "c"))


def test_who_waits_for_a_fan_out_without_items_waits_for_what_that_waits_for() -> None:
    nodes = flow("a", "b*<a", "c*<b", "d<c", "e*<d")
    found = next_round(nodes, empty="bce")
    assert (found.ready, found.empty) == (("a", "d"), ("b", "c", "e"))
    assert waits_in_round(nodes, found) == {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("d",)}


def test_a_serial_fan_out_is_in_a_round_with_nothing_but_what_it_waits_for() -> None:
    assert next_round(flow("a", "b*1<a")).ready == ("a", "b")
    nodes = flow("a", "b*1", "c<b")
    assert next_round(nodes) == Split(("a",), ("b", "c"), (), JobReason.FIRST)
    assert next_round(nodes, a="SUCCESS") == Split(("b",), ("c",), (), JobReason.FAN_OUT)
    nodes = flow("a", "b*1<a", "c*1<a")
    assert next_round(nodes) == Split(("a", "b"), ("c",), (), JobReason.FIRST)
    assert next_round(nodes, a="SUCCESS", b="FAILED").ready == ("c",)


@pytest.mark.parametrize(("state", "ready"), [("SUCCESS", ("c",)), ("WARNING", ("c",)), ("FAILED", ())])
def test_a_task_does_not_begin_once_a_failure_has_stopped_its_group(state: str, ready: tuple[str, ...]) -> None:
    nodes = flow("a", "b") | {"c": GraphTask("c", ("a",), frozenset("a"), False, stopped_by=frozenset("b"))}
    assert next_round(nodes, a="SUCCESS", b=state).ready == ready
    assert next_round(nodes, a="SUCCESS", b="SKIPPED").ready == ("c",), "it has not failed"


def test_another_pool_is_another_round() -> None:
    nodes, pools = flow("a", "b", "c<b", "d"), {"b": "q", "c": "q"}
    assert next_round(nodes, pools=pools) == Split(("a", "d"), ("b", "c"), (), JobReason.FIRST)
    assert next_round(nodes, pools=pools, a="SUCCESS", d="SUCCESS") == Split(("b", "c"), (), (), JobReason.POOL)


@pytest.mark.parametrize("state", ["SUCCESS", "FAILED", "KILLED"])
def test_what_follows_an_end_is_another_round(state: str) -> None:
    nodes = flow("a", "b") | {"c": GraphTask("c", (), frozenset(), False, follows=frozenset("a"))}
    assert next_round(nodes) == Split(("a", "b"), ("c",), (), JobReason.FIRST)
    assert next_round(nodes, a=state, b="SUCCESS") == Split(("c",), (), (), JobReason.ENDS)


@pytest.mark.parametrize("state", ["FAILED", "KILLED", "SKIPPED"])
def test_what_waits_for_a_failure_never_runs_and_the_others_go_on(state: str) -> None:
    nodes = flow("a", "b<<a", "c<b", "d<<e", "e")
    assert next_round(nodes, a=state, e="SUCCESS") == Split(("d",), (), ("b", "c"), JobReason.VALUES)


def test_when_all_has_ended_nothing_is_left() -> None:
    assert next_round(flow("a", "b<a"), a="SUCCESS", b="FAILED").ready == ()


def test_order_is_that_of_the_flow_as_far_as_the_graph_allows() -> None:
    assert [node.id for node in in_dependency_order(flow("c<a", "b", "a", "d"))] == ["b", "a", "d", "c"]


def test_pools_of_tasks_whose_values_are_unknown_are_not_asked_for() -> None:
    asked: list[str] = []
    split(flow("a", "b<<a"), {}, lambda name: asked.append(name) or "p", lambda _: False)
    assert set(asked) == {"a"}
