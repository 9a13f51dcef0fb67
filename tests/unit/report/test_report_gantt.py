"""The numbers of the Gantt chart."""

from __future__ import annotations

import pytest

from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.outputs.fan_outs import fan_out_record
from shared.report._gantt import AREA_STEPS, MAX_LANES, MAX_ROWS, Span, gantt, running_at_once, ticks
from tests.support.report_samples import COMMANDS_FAILED, after, ran, record


def task(name: str, start: float, end: float, **values: object) -> TaskRecord:
    return TaskRecord(id=name, **ran(start, end, **values))


def items(*spans: tuple[float, float], state: State = State.SUCCESS) -> list[ItemRecord]:
    return [ItemRecord(index=index, value=index, **ran(*span, state=state)) for index, span in enumerate(spans)]


def chart(*tasks: TaskRecord, **fan_outs: list[ItemRecord]):
    made = [*tasks, *(fan_out_record(name, each) for name, each in fan_outs.items())]
    return gantt(record(tasks=tuple(made)), fan_outs)


def test_bars_are_placed_between_the_first_start_and_the_last_end() -> None:
    rows = chart(task("a", 10, 20), task("b", 20, 50), task("c", 30, 40)).rows
    assert [(row.name, row.bars[0].left, row.bars[0].width) for row in rows] == [
        ("a", 0, 25),
        ("b", 25, 75),
        ("c", 50, 25),
    ]


def test_rows_follow_each_other_without_gap_or_overlap() -> None:
    found = chart(task("a", 0, 9), b=items((0, 9), (0, 9)), c=items(*((index / 10, 9) for index in range(200))))
    for before, following in zip(found.rows, found.rows[1:], strict=False):
        assert following.top == before.top + before.height
    assert found.height == found.rows[-1].top + found.rows[-1].height


def test_what_is_too_short_to_be_seen_has_a_bar_inside_the_chart() -> None:
    rows = chart(task("a", 0, 1000), task("b", 0, 0), task("c", 1000, 1000)).rows
    assert all(bar.width >= 0.3 and bar.left + bar.width <= 100 for row in rows for bar in row.bars)


def test_a_task_that_never_ran_has_no_row_and_a_run_of_such_no_chart() -> None:
    skipped = TaskRecord(id="b", state=State.SKIPPED)
    assert [row.name for row in chart(task("a", 0, 1), skipped).rows] == ["a"]
    assert chart(skipped) is None


def test_a_task_without_an_end_goes_on_to_the_edge() -> None:
    stopped = TaskRecord(id="b", state=State.KILLED, started=after(5))
    (_, bar) = (row.bars[0] for row in chart(task("a", 0, 10), stopped).rows)
    assert (bar.left, bar.width) == (50, 50)


def test_of_very_many_tasks_those_that_failed_and_took_longest_are_shown_in_their_order() -> None:
    tasks = [task(f"t{n}", n, n + 1 + n % 50) for n in range(300)]
    tasks[7] = task("t7", 7, 8, state=State.FAILED, failure=COMMANDS_FAILED)
    found = chart(*tasks)
    names = [row.name for row in found.rows]
    assert len(names) == MAX_ROWS
    assert found.left_out == 300 - MAX_ROWS
    assert names[0] == "t7"
    assert {"t49", "t99", "t149"} <= set(names)
    assert names == sorted(names, key=lambda name: int(name[1:]))


def test_few_items_have_a_bar_each_in_the_first_free_lane() -> None:
    (row,) = chart(t=items((0, 4), (0, 2), (2, 6), (4, 8))).rows
    assert [bar.lane for bar in row.bars] == [0, 1, 1, 0]
    assert row.lanes == 2


@pytest.mark.parametrize("spans", [[(0, 9)] * (MAX_LANES + 1), [(index, index + 1) for index in range(500)]])
def test_items_of_too_many_lanes_or_too_many_items_are_an_area_and_some_bars(spans) -> None:
    area, *parts = chart(t=items(*spans)).rows
    assert area.area is not None
    assert area.bars == ()
    assert 0 < len(parts) <= 4
    assert all(part.is_part for part in parts)


def test_failed_items_are_named_below_the_area_and_marked_in_it() -> None:
    spans = items(*[(0, 9)] * 500)
    spans[321] = ItemRecord(index=321, value=1, **ran(0, 4.5, state=State.FAILED, failure=COMMANDS_FAILED))
    area, first, *_ = chart(t=spans).rows
    assert (first.name, first.note) == ("t[321]", "FAILED, 4.5 s")
    assert (area.area.state, area.area.failures) == (State.SUCCESS, (50.0,))


def heights(points: str) -> list[float]:
    """The number of items in each step, as a share of the highest."""
    inner = points.split()[1:-1][::2]
    return [1 - float(point.split(",")[1]) / 100 for point in inner]


def test_an_area_is_as_high_as_items_ran_at_the_same_time() -> None:
    area = running_at_once(items((0, 100), (0, 50), (25, 50), (25, 75)), Span(after(0), 100))
    steps = heights(area.points)
    assert len(steps) == AREA_STEPS
    assert area.highest == 4
    assert [steps[n * AREA_STEPS // 100] for n in (10, 30, 60, 90)] == pytest.approx([0.5, 1, 0.5, 0.25])


def test_items_too_short_to_be_told_apart_are_counted_all_the_same() -> None:
    assert running_at_once(items(*[(50, 50)] * 3), Span(after(0), 100_000)).highest == 3


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.35, ["0 s", "0.1 s", "0.2 s", "0.3 s"]),
        (42, ["0 s", "10 s", "20 s", "30 s", "40 s"]),
        (3600, ["0 s", "15 min", "30 min", "45 min", "1 h"]),
        (518_400, ["0 s", "2 d", "4 d", "6 d"]),
    ],
)
def test_ticks_are_round_times(seconds: float, labels: list[str]) -> None:
    found = list(ticks(seconds))
    assert [tick.label for tick in found] == labels
    assert found[0].left == 0
    assert found[-1].left <= 100
