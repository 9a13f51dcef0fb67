"""What tasks used: sums of what Azure Batch reports; nothing is made up of what it does not report."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.documents.ended_task import EndedTask, TaskState
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.documents.usage import Usage
from shared.outputs._usage import usage_of_items, usage_of_run
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.outcome import outcome_of

STARTED = datetime(2026, 11, 28, 12, tzinfo=UTC)


def usage(user: float, kernel: float = 0.5, wall: float = 10.0, **values: float) -> Usage:
    return Usage(cpu_user_seconds=user, cpu_kernel_seconds=kernel, wall_seconds=wall, **values)


def item(index: int, used: Usage | None, **values: object) -> ItemRecord:
    given = {"state": State.SUCCESS, "node": "n", "started": STARTED, **values}
    return ItemRecord.model_validate({"index": index, "value": index, "usage": used, **given})


def task(name: str, used: Usage | None, **values: object) -> TaskRecord:
    given = {"state": State.SUCCESS, "node": "n", "started": STARTED, **values}
    return TaskRecord.model_validate({"id": name, "usage": used, **given})


def test_the_outcome_of_a_task_has_what_batch_reports() -> None:
    used = usage(1.0)
    ended = EndedTask(state=TaskState.COMPLETED, exit_code=0, succeeded=True, usage=used)
    assert outcome_of(ended).usage is used
    assert outcome_of(EndedTask(state=TaskState.COMPLETED, exit_code=0, succeeded=True)).usage is None


def test_the_items_of_a_fan_out_are_added_up() -> None:
    used = usage_of_items("f", [item(0, usage(1.0, read_gib=0.25)), item(1, usage(3.0, read_operations=7))])
    assert used is not None
    assert (used.cpu_user_seconds, used.cpu_kernel_seconds, used.wall_seconds) == (4.0, 1.0, 20.0)
    assert (used.read_gib, used.read_operations) == (0.25, 7)
    assert (used.write_gib, used.write_operations) == (None, None)
    assert (used.count, used.reported, used.busiest, used.busiest_cpu_seconds) == (2, 2, "f[1]", 3.5)


def test_what_batch_does_not_report_is_not_zero() -> None:
    used = usage_of_items("f", [item(0, None), item(1, None)])
    assert used is not None
    assert (used.count, used.reported, used.busiest) == (2, 0, None)
    assert (used.cpu_user_seconds, used.cpu_seconds, used.cores, used.read_gib) == (None, None, None, None)


def test_a_sum_says_of_how_many_it_is() -> None:
    used = usage_of_items("f", [item(0, None), item(1, usage(0.0, 0.0))])
    assert used is not None
    assert (used.count, used.reported, used.cpu_seconds, used.busiest) == (2, 1, 0.0, "f[1]")


@pytest.mark.parametrize(
    "values", [{"taken_from": "earlier"}, {"node": None, "started": None}, {"started": None}], ids=str
)
def test_only_what_ran_in_this_run_counts(values: dict[str, object]) -> None:
    assert usage_of_items("f", [item(0, usage(1.0), **values)]) is None
    assert usage_of_run([task("a", usage(1.0), **values)]) is None


def test_a_run_used_what_its_tasks_and_fan_outs_used() -> None:
    items = [item(0, usage(5.0)), item(1, None)]
    used = usage_of_run([task("a", usage(2.0)), fan_out_record("f", items), task("b", None)])
    assert used is not None
    assert (used.count, used.reported, used.cpu_user_seconds) == (4, 2, 7.0)
    assert (used.busiest, used.busiest_cpu_seconds) == ("f[0]", 5.5)


def test_sums_do_not_gather_rounding_errors() -> None:
    used = usage_of_items("f", [item(index, usage(0.1, 0.0)) for index in range(10)])
    assert used is not None
    assert used.cpu_user_seconds == 1.0


@pytest.mark.parametrize(
    ("used", "cores"),
    [
        (usage(4.5), 0.5),
        (Usage(cpu_user_seconds=3.0, wall_seconds=2.0), 1.5),
        (usage(1.0, wall=0.0), None),
        (Usage(), None),
    ],
)
def test_the_cores_that_were_busy_are_cpu_time_by_wall_time(used: Usage, cores: float | None) -> None:
    assert used.cores == cores
