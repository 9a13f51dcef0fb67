"""What the report says of usage and cost: what Azure Batch reports, and of the rest that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.documents.usage import Amount, Usage
from shared.outputs._usage import usage_of_run
from shared.outputs.cost import BASIS, EXCLUDES
from shared.outputs.fan_outs import fan_out_record
from shared.report._usage import NOT_REPORTED, Transfer, advice_on_slots, usage_table
from shared.report.page import Report
from shared.report.text import money
from tests.support.report_samples import ran, record

LITTLE = Usage(
    cpu_user_seconds=25.0, cpu_kernel_seconds=5.0, wall_seconds=100.0, read_gib=1.5, read_operations=1, write_gib=0.0
)
COST = {"amount": 0.35, "currency": "EUR", "priced": 3, "unpriced": 1, "basis": BASIS, "excludes": EXCLUDES}


def task(name: str, usage: Usage | None = None, **values: Any) -> TaskRecord:
    return TaskRecord(id=name, usage=usage, **ran(0, 100, **values))


def fan_out(name: str, *usages: Usage | None, **values: Any) -> TaskRecord:
    return fan_out_record(
        name, [ItemRecord(index=i, value=i, usage=each, **ran(0, 100, **values)) for i, each in enumerate(usages)]
    )


def used_by(*tasks: TaskRecord, **values: Any) -> Record:
    return record(tasks=tasks, usage=usage_of_run(tasks), **values)


def page(of: Record) -> str:
    return Report(record=of).html(lambda text: text)


def test_a_row_says_what_a_task_used() -> None:
    (row,) = usage_table(used_by(task("fit", LITTLE, slots=4))).rows
    assert (row.task, row.slots, row.cpu, row.cores) == ("fit", "4", "30 s", "0.3")
    assert (row.wall, row.read, row.written) == ("1 min 40 s", Transfer("1.5 GiB", "1 operation"), Transfer("0 B"))


def test_what_batch_does_not_report_is_said_to_be_so() -> None:
    (row,) = usage_table(used_by(task("fit"))).rows
    assert {row.cpu, row.cores, row.wall, row.read.amount, row.written.amount} == {NOT_REPORTED}
    assert page(used_by(task("fit"))).count(f">{NOT_REPORTED}<") == 5


def test_a_fan_out_is_summed_up_with_its_busiest_item() -> None:
    busy = Usage(cpu_user_seconds=70.0, wall_seconds=100.0)
    table = usage_table(used_by(fan_out("f", LITTLE, busy, None)))
    (row,) = table.rows
    assert (row.cpu, row.cores) == ("1 min 40 s", "0.5")
    assert row.note == "reported of 2 of 3 · busiest: f[1], 1 min 10 s"
    assert table.total is not None
    assert table.total.note == row.note


def test_only_what_ran_in_this_run_has_a_row() -> None:
    tasks = [task("a", LITTLE, taken_from="earlier"), TaskRecord(id="b", state=State.SKIPPED), task("c", LITTLE)]
    assert [row.task for row in usage_table(used_by(*tasks)).rows] == ["c"]
    assert usage_table(used_by(TaskRecord(id="log", state=State.SUCCESS))).rows == ()


@pytest.mark.parametrize(
    ("of", "advice"),
    [
        (task("fit", LITTLE, slots=4), "`fit` asked for 4 slots and used 0.3 of a core."),
        (fan_out("f", LITTLE, LITTLE, slots=4), "each item of `f` asked for 4 slots and used 0.3 of a core."),
        (task("fit", LITTLE, slots=1), ""),
        (task("fit", Usage(cpu_user_seconds=100.0, wall_seconds=100.0), slots=4), ""),
        (task("fit", Usage(cpu_user_seconds=1.0, wall_seconds=59.0), slots=4), ""),
        (fan_out("f", *[Usage(cpu_user_seconds=1.0, wall_seconds=30.0)] * 9, slots=4), ""),
        (task("fit", Usage(wall_seconds=100.0), slots=4), ""),
        (task("fit", slots=4), ""),
    ],
)
def test_slots_that_stay_idle_are_told(of: TaskRecord, advice: str) -> None:
    said = advice_on_slots(of)
    assert said.startswith(advice) if advice else said == ""


def test_costs_are_shown_with_what_they_are() -> None:
    found = page(used_by(task("a", LITTLE, cost=0.25), task("b"), cost=COST))
    assert "0.35 EUR" in found
    assert "0.25 EUR" in found
    assert BASIS in found
    assert EXCLUDES in found
    assert "It lacks 1 task whose price or times are not known." in found


def test_without_prices_nothing_is_said_of_cost() -> None:
    found = page(used_by(task("a", LITTLE)))
    assert ">Cost<" not in found
    assert "Estimated" not in found


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 EUR"), (0.1, "0.10 EUR"), (1234.567, "1,234.57 EUR"), (0.0312, "0.031 EUR"), (0.000001, "0.000001 EUR")],
)
def test_small_amounts_keep_digits_that_count(amount: float, text: str) -> None:
    assert money(Amount(amount=amount, currency="EUR")) == text
