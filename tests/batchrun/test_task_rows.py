"""An open run as rows and lines: what `python -m local run` shows while it waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.batch.models import BatchTaskState

from batchrun.cli._task_rows import TaskCounts, progress_lines, task_counts, task_rows
from batchrun.client.runs import RunView
from batchrun.client.tasks import TaskView
from shared.documents.states import FailureCategory, FailureCode, SkippedBy, State
from shared.documents.task_result import Failure, TaskRecord

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
LATER = BEGIN + timedelta(seconds=5)


def running(*tasks: TaskView) -> RunView:
    """A run that Batch has, with these tasks of its manifest `build`, `each`, `merge`."""
    return RunView(State.RUNNING, tasks, ("build", "each", "merge"))


def task(state: BatchTaskState, exit_code: int | None = None) -> TaskView:
    """The task `build`."""
    return TaskView("build", state, exit_code)


def items(ended: int, count: int, failed: int = 0) -> list[TaskView]:
    """The items of the fan-out `each`: so many have ended, the first of them failed."""
    states = [BatchTaskState.COMPLETED] * ended + [BatchTaskState.RUNNING] * (count - ended)
    return [
        TaskView(f"each[{n}]", state, started=BEGIN, ended=LATER if n < ended else None, failed=n < failed)
        for n, state in enumerate(states)
    ]


def retry(*tasks: TaskView) -> RunView:
    """A retry with these tasks in Batch; it takes over `build`, and the other items of `each`, which has 40."""
    view = running(*tasks)
    state = view.state if tasks else State.QUEUED
    return replace(view, state=state, taken_over=frozenset({"build"}), item_counts={"each": 40})


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (RunView(None), RunView(None), []),
        (RunView(None), RunView(State.QUEUED), ["QUEUED"]),
        (RunView(State.QUEUED), RunView(State.QUEUED), []),
        (RunView(State.QUEUED), running(), ["RUNNING"]),
        (running(), running(task(BatchTaskState.ACTIVE)), ["build waits"]),
        (running(task(BatchTaskState.ACTIVE)), running(task(BatchTaskState.PREPARING)), ["build is being prepared"]),
        (running(), running(task(BatchTaskState.RUNNING)), ["build runs"]),
        (running(task(BatchTaskState.RUNNING)), running(task(BatchTaskState.RUNNING)), []),
        (
            running(task(BatchTaskState.RUNNING)),
            running(task(BatchTaskState.COMPLETED, 3)),
            ["build has ended, exit code 3"],
        ),
        (running(), running(task(BatchTaskState.COMPLETED)), ["build has ended"]),
        (running(), running(*items(0, 40)), ["each 0 of 40 have ended"]),
        (running(*items(0, 40)), running(*items(3, 40)), []),
        (running(*items(3, 40)), running(*items(4, 40)), ["each 4 of 40 have ended"]),
        (RunView(None), retry(), ["QUEUED", "build taken over"]),
        (retry(), retry(), []),
        (retry(), retry(*items(0, 7)), ["RUNNING", "each 0 of 7 have ended, 33 more taken over"]),
        (retry(*items(0, 7)), retry(*items(7, 7, failed=1)), ["each 7 of 7 have ended, 1 failed, 33 more taken over"]),
        (running(*items(4, 40)), running(*items(5, 40, failed=1)), ["each 5 of 40 have ended, 1 failed"]),
    ],
)
def test_progress_is_what_has_changed(before, after, lines):
    """Nothing is said twice; a fan-out tells its tenths and its first failure, not each of perhaps thousands."""
    assert progress_lines(before, after) == lines


def test_each_task_of_the_manifest_is_a_row_in_its_order():
    """Also those whose round has not come; items are counted, and last from the first that begins to the last."""
    build, each, merge = task_rows(running(*items(2, 2), task(BatchTaskState.RUNNING)))

    assert (build.name, build.words, build.is_fan_out) == ("build", "runs", False)
    assert (each.total, each.ended, each.is_fan_out, each.started, each.stopped) == (2, 2, True, BEGIN, LATER)
    assert (merge.total, merge.words) == (0, "waits")


def test_what_is_taken_over_neither_waits_nor_counts():
    """It is no task of this run; whether items of a fan-out are taken over is known once the others are in Batch."""
    build, each, _ = task_rows(retry())
    assert (build.words, build.is_taken_over, each.words) == ("taken over", True, "waits")
    assert task_counts(retry()) == TaskCounts(total=2, ended=0, failed=0)
    _, each, _ = task_rows(retry(*items(2, 7)))
    assert (each.total, each.taken_over_items) == (7, 33)
    assert task_counts(retry(*items(2, 7))) == TaskCounts(total=8, ended=2, failed=0)


FAILURE = Failure(category=FailureCategory.USER, code=FailureCode.COMMANDS_FAILED, message="no data")


@pytest.mark.parametrize(
    ("record", "words", "failed"),
    [
        (TaskRecord(id="build", state=State.SUCCESS), "has ended", 0),
        (TaskRecord(id="build", state=State.FAILED, failure=FAILURE), "no data", 1),
        (TaskRecord(id="build", state=State.SKIPPED, skipped=SkippedBy.CONDITION), "left out by its condition", 0),
        (TaskRecord(id="build", state=State.SKIPPED, skipped=SkippedBy.NO_FAILURE), SkippedBy.NO_FAILURE.words, 0),
    ],
)
def test_what_ended_in_an_earlier_round_without_a_node_does_not_wait(record, words, failed):
    """The app evaluated it, or it was left out: Batch knows nothing of it."""
    view = replace(running(*items(1, 2)), finished={"build": record})
    build, *_ = task_rows(view)
    assert (build.words, build.failed) == (words, failed)
    assert task_counts(view) == TaskCounts(total=4, ended=2, failed=failed)
    assert f"build {words}" in progress_lines(running(), view)


def test_a_task_that_never_began_could_not_be_run():
    """An image that cannot be pulled, for example: there is no exit code then."""
    [row, *_] = task_rows(running(TaskView("build", BatchTaskState.COMPLETED, failed=True)))

    assert (row.words, row.failed) == ("could not be run", 1)
