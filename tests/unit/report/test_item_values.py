"""Which item printed which value, and the order of each column."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.states import State
from shared.documents.task_result import ItemRecord, Outputs, TaskRecord
from shared.outputs.fan_outs import fan_out_record
from shared.report import _item_values as item_values
from shared.report._item_values import ItemTable, ItemTables, item_tables
from tests.support.report_samples import ran, record


def items(*printed: dict[str, Any]) -> list[ItemRecord]:
    return [
        ItemRecord(index=place, value=f"v{place}", **ran(0, 1), outputs=Outputs(vars=values))
        for place, values in enumerate(printed)
    ]


def tables(**fan_outs: list[ItemRecord]) -> ItemTables:
    tasks = tuple(fan_out_record(name, each) for name, each in fan_outs.items())
    return item_tables(record(tasks=tasks), fan_outs)


def table(*printed: dict[str, Any]) -> ItemTable:
    (found,) = tables(t=items(*printed)).shown
    return found


def ranks(*values: Any) -> list[int | None]:
    return [cell.rank for cell in table({"": 0}, *({"x": value} for value in values)).columns[-1].cells][1:]


def test_every_name_that_an_item_printed_is_a_column() -> None:
    found = table({"rows": 3, "name": "a"}, {}, {"rows": 1, "more": [1]})
    assert [column.name for column in found.columns] == ["Value", "rows", "name", "more"]
    shown = [(index, [cell.value for cell in cells]) for index, cells in found.rows]
    assert shown == [(0, ["v0", 3, "a", None]), (1, ["v1", None, None, None]), (2, ["v2", 1, None, [1]])]
    assert [column.is_of_numbers for column in found.columns] == [False, True, False, False]


def test_numbers_are_ordered_as_numbers_and_come_before_texts() -> None:
    assert ranks(10, 9, 2.5, -1) == [3, 2, 1, 0]
    assert ranks("b", 10, "A", 9) == [3, 1, 2, 0]
    assert ranks(10**400, 1e308, -(10**400)) == [2, 1, 0]
    assert ranks(True, "tru", {"a": 1}, None, 5) == [3, 2, 4, 1, 0]


def test_equal_values_have_one_rank_and_what_is_not_there_has_none() -> None:
    found = table({"x": 7}, {}, {"x": 7}, {"x": 8})
    assert [cell.rank for cell in found.columns[1].cells] == [0, None, 0, 1]
    assert [cell.key for cell in found.columns[1].cells] == [2] * 4


@settings(deadline=None)
@given(
    st.lists(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())
    )
)
def test_whatever_is_printed_has_an_order(values: list[Any]) -> None:
    found = ranks(*values) if values else []
    numbers = [(value, rank) for value, rank in zip(values, found, strict=True) if type(value) in (int, float)]
    assert sorted(numbers) == sorted(numbers, key=lambda pair: (pair[1], pair[0]))


def test_only_fan_outs_that_printed_something_have_a_table() -> None:
    task = TaskRecord(id="single", state=State.SUCCESS, outputs=Outputs(vars={"x": 1}))
    each = items({}, {})
    assert item_tables(record(tasks=(task, fan_out_record("each", each))), {"each": each}) == ItemTables((), 0)


def test_at_most_a_thousand_items_and_eight_names_are_shown_in_all() -> None:
    found = tables(a=items(*[{"x": 1}] * 900), b=items(*[{f"n{n}": 1 for n in range(10)}] * 200), c=items({"x": 1}))
    a, b = found.shown
    assert (len(a.rows), a.left_out) == (900, 0)
    assert (len(b.rows), b.left_out) == (100, 100)
    assert (len(b.columns), b.names_left_out) == (1 + item_values.MAX_NAMES, 2)
    assert found.left_out == 1
    assert (a.has_few_items, b.has_few_items, table({"x": 1}).has_few_items) == (False, False, True)


def test_of_very_many_fan_outs_the_first_are_shown() -> None:
    found = tables(**{f"t{n}": items({"x": n}) for n in range(50)})
    assert (len(found.shown), found.left_out) == (item_values.MAX_TABLES, 30)
