"""A marker of a task's end → the record, without a tick; and what a tick is left with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest

from shared import poll_runs, record_run
from shared.documents.end_markers import EndMarker
from shared.documents.states import State
from shared.events import JobEnded
from shared.steps import await_end
from shared.storage.runs import RunStore
from tests.integration.conftest import World
from tests.integration.test_costs import APART, BATCH_CALLS
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

SIDE_BY_SIDE = "tasks: [{id: a, commands: [x], dependsOn: []}, {id: b, commands: [x], dependsOn: []}]".replace(
    "[x]", "[echo hi]"
)
FAILS_IN_THE_MIDDLE = "tasks: [{id: a, commands: [echo]}, {id: b, commands: [exit 3]}, {id: c, commands: [echo]}]"


def pushed(world: World, run: str, *, number: int = 1) -> list[EndMarker]:
    """The markers of a run whose job has ended."""
    world.await_end(run, number)
    return world.markers(run)


def batch_calls(world: World) -> dict[str, int]:
    """The calls of Batch but those of ticks and of the test itself."""
    return {name: count for name, count in world.batch_requests().items() if name not in (*APART, "Jobs_GetJob")}


def test_the_marker_of_the_only_task_records_its_run_for_no_more_calls_of_batch(world: World) -> None:
    run = world.accept()
    (marker,) = pushed(world, run)
    assert marker == EndMarker(world.settings.containers.staging, f"{run}/std/task/1/task.ended", run, 1)
    record_run.record(world.app, marker)
    assert world.record(run)["state"] == "SUCCESS"
    assert world.names("runs") == world.names("staging") == []
    assert batch_calls(world) == BATCH_CALLS


def test_only_the_newest_of_all_markers_asks_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.accept(text=SIDE_BY_SIDE)
    first, last = pushed(world, run)
    world.batch_requests()
    seen = type(world.app.staging).end_markers

    def one_second_apart(*arguments):
        times = seen(*arguments)
        return {name: time.replace(second=0 if name == first.blob else 1) for name, time in times.items()}

    monkeypatch.setattr(type(world.app.staging), "end_markers", one_second_apart)
    record_run.record(world.app, first)
    assert world.batch_requests() == {}
    record_run.record(world.app, last)
    assert world.record(run)["state"] == "SUCCESS"


def test_as_long_as_a_marker_is_missing_batch_is_not_asked(world: World) -> None:
    run = world.accept(text=SIDE_BY_SIDE)
    first, last = pushed(world, run)
    world.remove("staging", last.blob)
    world.batch_requests()
    record_run.record(world.app, first)
    assert world.batch_requests() == {}
    world.finish()
    assert world.record(run)["state"] == "SUCCESS", "a tick finds what was not pushed"


def test_markers_of_one_second_delivered_at_once_make_one_recorder(world: World) -> None:
    text = "\n".join(f"- {{id: t{number}, dependsOn: [], commands: [echo]}}" for number in range(16))
    run = world.accept(text=f"tasks:\n{text}")
    markers = pushed(world, run)
    assert len(markers) == 16
    world.batch_requests()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda marker: record_run.record(world.app, marker), [*markers, *markers]))
    assert world.record(run)["state"] == "SUCCESS"
    assert batch_calls(world)["Jobs_DeleteJob"] == 1
    assert [end.run_id for end in world.outbox.ends] == [run]


def test_of_more_than_sixteen_last_tasks_none_is_pushed(world: World) -> None:
    run = world.accept(text="id: t\nforeach: 17\ncommands: [echo]")
    assert pushed(world, run) == []
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_a_failure_that_ends_the_job_is_pushed_by_itself(world: World) -> None:
    run = world.accept(text=FAILS_IN_THE_MIDDLE)
    (marker,) = pushed(world, run)
    assert marker.blob == f"{run}/std/b/1/job.ended"
    record_run.record(world.app, marker)
    states = [task["state"] for task in world.record(run)["tasks"]]
    assert states == ["SUCCESS", "FAILED", "SKIPPED"]


def test_a_task_that_was_kept_from_running_is_pushed(world: World) -> None:
    """`last` is gated, because `good` may still run when `bad` fails."""
    text = (
        "tasks: [{id: bad, commands: [exit 1]}, {id: good, dependsOn: [], commands: [echo]},"
        " {id: last, dependsOn: [bad, good], commands: [echo]}]"
    )
    run = world.accept(text=text)
    (marker,) = pushed(world, run)
    assert marker.blob == f"{run}/std/last/1/task.ended"
    record_run.record(world.app, marker)
    states = [task["state"] for task in world.record(run)["tasks"]]
    assert states == ["FAILED", "SUCCESS", "SKIPPED"]


def test_each_round_has_markers_of_its_own(world: World) -> None:
    text = (
        'tasks: [{id: a, commands: [\'echo "::{\\"outputs\\": {\\"n\\": 1}}::"\']},'
        " {id: b, commands: ['echo {{ outputs.a.vars.n }}']}]"
    )
    run = world.accept(text=text)
    (first,) = pushed(world, run)
    record_run.record(world.app, first)
    both = pushed(world, run, number=2)
    record_run.record(world.app, first)
    assert world.names("runs"), "the marker of the first round is not one of the second"
    record_run.record(world.app, next(marker for marker in both if marker.round == 2))
    assert world.record(run)["state"] == "SUCCESS"


def test_what_is_not_for_this_run_does_nothing(world: World) -> None:
    run = world.accept()
    (marker,) = pushed(world, run)
    world.batch_requests()
    for other in (
        replace(marker, container="elsewhere"),
        replace(marker, round=2),
        replace(marker, blob=f"{run}/std/other/1/task.ended"),
        replace(marker, run_id="gone-20260101t000000-00000000"),
    ):
        record_run.record(world.app, other)
    assert world.batch_requests() == {}
    record_run.record(world.app, marker)
    record = world.record(run)
    record_run.record(world.app, marker)
    assert world.record(run) == record, "the run is closed"


def test_a_run_that_a_tick_has_announced_is_left_to_that(world: World) -> None:
    run = world.accept()
    (marker,) = pushed(world, run)
    poll_runs.poll(world.app)
    record_run.record(world.app, marker)
    assert world.names("runs")
    (announced,) = world.outbox.take()
    record_run.record(world.app, announced)
    assert world.record(run)["state"] == "SUCCESS"


def test_a_tick_leaves_a_run_to_whom_a_marker_has_made_its_recorder(world: World, monkeypatch) -> None:
    run = world.accept()
    (marker,) = pushed(world, run)
    with monkeypatch.context() as dying:
        dying.setattr(record_run, "collect", lambda *_: pytest.fail("the process dies here"))
        with pytest.raises(pytest.fail.Exception):
            record_run.record(world.app, marker)
    poll_runs.poll(world.app)
    assert world.outbox.take() == [], "it may still be recording"
    poll_runs.poll(world.later(seconds=31))
    assert world.outbox.take() == [JobEnded(run, 1)]
    record_run.record(world.app, JobEnded(run, 1))
    assert world.record(run)["state"] == "SUCCESS"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr(await_end, "time", SimpleNamespace(sleep=made.append))
    return made


def test_a_marker_without_an_end_is_given_up_after_four_more_looks(world: World, pauses: list[float]) -> None:
    run = world.accept(text="commands: [sleep 600]")
    marker = EndMarker(world.settings.containers.staging, f"{run}/std/task/1/task.ended", run, 1)
    world.put("staging", marker.blob)
    world.batch_requests()
    record_run.record(world.app, marker)
    assert pauses == [0.5, 1, 2, 4]
    assert world.batch_requests() == {"Tasks_ListTasks": 5}
    assert world.names("runs"), "the tick is left with it"


def test_a_task_that_ends_before_all_tasks_are_noted_is_waited_for(
    world: World, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is still QUEUED when the event comes."""
    run = world.accept()
    (marker,) = pushed(world, run)
    load, left = RunStore.load, iter([State.QUEUED, State.QUEUED])

    def late(store: RunStore, run_id: str):
        found = load(store, run_id)
        state = next(left, None)
        return replace(found, progress=replace(found.progress, state=state)) if state else found

    monkeypatch.setattr(RunStore, "load", late)
    record_run.record(world.app, marker)
    assert pauses == [0.5, 1]
    assert world.record(run)["state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("seconds", "most_looks", "is_recorded"),
    [
        pytest.param(0, 1, True, id="completed at the first look"),
        pytest.param(1, 3, True, id="completed a second after the uploads"),
        pytest.param(15, 5, False, id="completed too late, so left to a tick"),
    ],
)
def test_batch_may_report_an_end_some_time_after_the_uploads(
    world: World, seconds: int, most_looks: int, is_recorded: bool
) -> None:
    """The looks are all that a pushed end costs more: four at most, besides the one that every record needs."""
    world.change_batch(completionDelaySeconds=seconds)
    try:
        run = world.accept()
        (marker,) = wait_for(lambda: world.markers(run))
        if not seconds:
            world.await_end(run)
        world.batch_requests()
        record_run.record(world.app, marker)
        assert (not world.names("runs")) is is_recorded
        calls = world.batch_requests()
        assert set(calls) <= {"Tasks_ListTasks", "Jobs_DeleteJob"}
        assert 1 <= calls["Tasks_ListTasks"] <= most_looks
        world.finish()
        assert world.record(run)["state"] == "SUCCESS"
    finally:
        world.change_batch(completionDelaySeconds=0)
