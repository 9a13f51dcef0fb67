"""Which runs of a flow with `concurrency` may begin: a decision on the listing of the open runs alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.documents.flow_limit import Behavior, FlowLimit
from shared.documents.progress import ListedRun, Progress
from shared.documents.states import State, WaitReason
from shared.lifecycle import LONGEST_RUN, Action, next_action, over_limit, queued_actions

NOW = datetime(2026, 11, 22, 12, 13, 14, tzinfo=UTC)


def run(name: str, limit: int = 1, behavior: str = "QUEUE", flow: str = "team/etl", **progress: object) -> ListedRun:
    """A run that waits for its flow."""
    waits = {"waiting": WaitReason.FLOW, "limit": FlowLimit(flow, limit, Behavior(behavior)), "accepted": NOW}
    return ListedRun(name, Progress(**{**waits, **progress}), "etag", NOW)


def begun(name: str, limit: int = 1, flow: str = "team/etl", state: State = State.RUNNING) -> ListedRun:
    """A run that has been admitted."""
    return run(name, limit, flow=flow, admitted=NOW, waiting=None, state=state)


@pytest.mark.parametrize(
    ("runs", "over"),
    [
        pytest.param([run("a")], [], id="nobody else: it begins"),
        pytest.param([run("a"), run("b")], ["b"], id="the oldest begins"),
        pytest.param([begun("a"), run("b")], ["b"], id="a run under way counts"),
        pytest.param([begun("a", state=State.QUEUED), run("b")], ["b"], id="so does one between two rounds"),
        pytest.param([begun("a", 2), run("b", 2), run("c", 2)], ["c"], id="as many as the limit"),
        pytest.param([begun("a"), run("b", flow="team/other")], [], id="another flow"),
        pytest.param([begun("a", flow="-/etl"), run("b", flow="x/etl")], [], id="the same id in another namespace"),
        pytest.param([begun("a", 1), run("b", 1), run("c", 3)], [], id="the latest limit counts: a higher one"),
        pytest.param([begun("a", 3), run("b", 3), run("c", 1)], ["b", "c"], id="the latest limit counts: a lower one"),
        pytest.param([begun("a", 9), begun("b", 9), run("c", 1)], ["c"], id="more under way than the limit is now"),
    ],
)
def test_runs_begin_in_their_order_as_far_as_the_limit_allows(runs: list[ListedRun], over: list[str]) -> None:
    assert sorted(over_limit(runs)) == over


@pytest.mark.parametrize(
    ("behavior", "action"), [("QUEUE", Action.NOTHING), ("CANCEL", Action.REFUSE), ("FAIL", Action.REFUSE)]
)
def test_a_run_beyond_the_limit_waits_or_is_refused(behavior: str, action: Action) -> None:
    assert over_limit([begun("a"), run("b", behavior=behavior)]) == {"b": action}


def test_nobody_else_waits_for_a_run_that_waits_for_its_flow_and_refusals_come_first() -> None:
    other = replace(run("z"), progress=Progress(waiting=WaitReason.BUSY))
    runs = [begun("a"), run("b"), other, run("c", behavior="FAIL")]
    due = [(each.id, action) for each, action in queued_actions(runs, NOW)]
    assert due == [("c", Action.REFUSE), ("z", Action.SUBMIT)]


def test_a_run_is_admitted_by_the_attempt_to_submit_it_and_stays_so() -> None:
    first = run("a").progress.attempted(NOW)
    assert (first.admitted, first.waiting, first.attempts) == (NOW, None, 1)
    assert first.attempted(NOW + timedelta(hours=1)).admitted == NOW
    assert Progress().attempted(NOW).admitted is None  # a flow without a limit: its time counts from the acceptance


def test_the_limit_survives_as_blob_metadata() -> None:
    progress = begun("a", 12, "a.b-c_d/E.f-1").progress
    written = progress.to_metadata()
    assert Progress.from_metadata(written) == progress
    assert "".join(written.values()).isascii()


def test_the_time_that_a_run_waited_for_its_flow_is_not_part_of_the_longest_time() -> None:
    late = replace(begun("a"), progress=replace(begun("a").progress, accepted=NOW - LONGEST_RUN))
    soon, later = NOW + timedelta(seconds=1), NOW + LONGEST_RUN + timedelta(seconds=1)
    assert next_action(late, job_is_alive=True, now=soon) is Action.NOTHING
    assert next_action(late, job_is_alive=True, now=later) is Action.TERMINATE
