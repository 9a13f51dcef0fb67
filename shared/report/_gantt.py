"""When which task ran: the numbers of the Gantt chart.

Horizontal positions and widths are percent of the time shown; heights are pixels.

A task is one bar. A fan-out of few items has a bar for each item, in as many lanes as items ran at the same time. A
fan-out of many items has an area that shows how many ran at the same time, and below it bars of the items that failed
or took longest.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import Attempt, ItemRecord, TaskRecord, TaskResult
from shared.report._tasks import most_telling, worth_a_look
from shared.report.text import count, duration

MAX_ROWS = 40
MAX_LANES = 8
MAX_BARS_OF_FAN_OUT = 80
ITEMS_BELOW_AREA = 4
AREA_STEPS = 200
MAX_FAILURES_MARKED = 100
MAX_TICKS = 5
AXIS_HEIGHT, LABEL_HEIGHT, BAR_HEIGHT, LANE_HEIGHT, AREA_HEIGHT, SPACE_BELOW = 26, 22, 10, 8, 40, 10
NARROWEST_BAR = 0.3
_STEPS_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800),
)


@dataclass(frozen=True)
class Span:
    """The time that the chart shows."""

    start: datetime
    seconds: float

    def percent(self, moment: datetime) -> float:
        """The horizontal position of a moment."""
        return round(100 * (moment - self.start).total_seconds() / self.seconds, 3)


@dataclass(frozen=True)
class Tick:
    """A vertical line of the chart; its label is the time since the first start."""

    left: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A task or an item; `lane` counts from 0 at the top of its row."""

    left: float
    width: float
    state: State
    title: str
    lane: int = 0


@dataclass(frozen=True)
class Area:
    """How many items ran at the same time; `points` are those of an SVG polygon in a box of 1,000 by 100.

    `state` is that of most items; `failures` are the positions where the first failed items ended.
    """

    points: str
    highest: int
    state: State
    failures: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """One line of the chart; `is_part` for an item below its fan-out."""

    name: str
    state: State
    note: str
    bars: tuple[Bar, ...]
    lanes: int = 1
    area: Area | None = None
    is_part: bool = False
    top: int = 0

    @property
    def bar_height(self) -> int:
        """The height of a bar, in pixels; bars in several lanes are lower."""
        return LANE_HEIGHT - 2 if self.lanes > 1 else BAR_HEIGHT

    @property
    def lane_height(self) -> int:
        """From the top of one lane to the next."""
        return LANE_HEIGHT

    @property
    def body_height(self) -> int:
        """The height of everything below the label."""
        if self.area:
            return AREA_HEIGHT
        return self.lanes * LANE_HEIGHT if self.lanes > 1 else BAR_HEIGHT

    @property
    def height(self) -> int:
        """The height of the row and the space below it."""
        return LABEL_HEIGHT + self.body_height + SPACE_BELOW


@dataclass(frozen=True)
class Gantt:
    """The whole chart; `left_out` is the number of tasks without a row, because there are more than MAX_ROWS."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    left_out: int

    @property
    def height(self) -> int:
        """The height of the chart, in pixels."""
        return AXIS_HEIGHT + sum(row.height for row in self.rows)


def gantt(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> Gantt | None:
    """The chart of a run; None if nothing ever ran. What is taken over ran in another run."""
    ran = [task for task in record.tasks if task.started and task.taken_from is None]
    if not ran:
        return None
    span = _span(ran)
    shown = most_telling(ran, MAX_ROWS)
    rows = [row for task in shown for row in _rows(task, items.get(task.id, ()), span)]
    tops = itertools.accumulate((row.height for row in rows[:-1]), initial=AXIS_HEIGHT)
    placed = tuple(replace(row, top=top) for row, top in zip(rows, tops, strict=True))
    return Gantt(placed, tuple(ticks(span.seconds)), left_out=len(ran) - len(shown))


def _span(tasks: Sequence[TaskRecord]) -> Span:
    start = min(task.started for task in tasks if task.started)
    end = max((task.ended for task in tasks if task.ended), default=start)
    return Span(start, max(0.001, (end - start).total_seconds()))


def ticks(seconds: float) -> Iterator[Tick]:
    """The lines of the chart: at most six round times, from 0."""
    step = next((step for step in _STEPS_SECONDS if seconds / step <= MAX_TICKS), seconds / MAX_TICKS)
    for number in range(int(seconds / step) + 1):
        yield Tick(round(100 * number * step / seconds, 3), duration(timedelta(seconds=number * step)))


def _rows(task: TaskRecord, items: Sequence[ItemRecord], span: Span) -> Iterator[Row]:
    took = _note(task)
    if task.items is None:
        yield Row(task.id, task.state, took, (_bar(task, task.id, span),))
        return
    own = f"{task.items.count - task.items.taken_over:,} of " if task.items.taken_over else ""
    note = f"{own}{count(task.items.count, 'item')}, {took}"
    started = sorted((item for item in items if item.started and item.taken_from is None), key=_start)
    lanes = _in_lanes(task.id, started, span) if len(started) <= MAX_BARS_OF_FAN_OUT else None
    if lanes is not None:
        yield Row(task.id, task.state, note, lanes, lanes=max((bar.lane for bar in lanes), default=0) + 1)
        return
    area = running_at_once(started, span)
    yield Row(task.id, task.state, f"{note}, up to {area.highest} at once", (), area=area)
    for item in worth_a_look(started, ITEMS_BELOW_AREA, ITEMS_BELOW_AREA)[:ITEMS_BELOW_AREA]:
        name = f"{task.id}[{item.index}]"
        yield Row(name, item.state, _note(item), (_bar(item, name, span),), is_part=True)


def _note(result: TaskResult) -> str:
    """The duration, and the state unless it is SUCCESS: not everybody can tell the colours apart."""
    took = duration(time_of(result))
    return took if result.state is State.SUCCESS else f"{result.state}, {took}"


def time_of(result: TaskResult | Attempt) -> timedelta | None:
    """How long a task or an item ran; None if it did not."""
    return result.ended - result.started if result.started and result.ended else None


def _start(result: TaskResult) -> float:
    return result.started.timestamp() if result.started else 0.0


def _bar(result: TaskResult, name: str, span: Span, lane: int = 0) -> Bar:
    left = span.percent(result.started) if result.started else 0.0
    right = span.percent(result.ended) if result.ended else 100.0
    width = max(NARROWEST_BAR, right - left)
    title = f"{name}: {result.state}, {duration(time_of(result))}"
    return Bar(round(min(left, 100 - width), 3), round(width, 3), result.state, title, lane)


def _in_lanes(task: str, items: Sequence[ItemRecord], span: Span) -> tuple[Bar, ...] | None:
    """A bar for each item, in the first lane that is free when it starts; None if that takes too many lanes."""
    bars: list[Bar] = []
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for item in items:
        bar = _bar(item, f"{task}[{item.index}]", span)
        while busy and busy[0][0] <= bar.left:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        if lane >= MAX_LANES:
            return None
        heapq.heappush(busy, (bar.left + bar.width, lane))
        bars.append(Bar(bar.left, bar.width, bar.state, bar.title, lane))
    return tuple(bars)


def running_at_once(items: Sequence[ItemRecord], span: Span) -> Area:
    """How many items ran at the same time: the highest number in each of 200 equal steps."""
    bars = [_bar(item, "", span) for item in items]
    changes = sorted(change for bar in bars for change in ((bar.left, 1), (bar.left + bar.width, -1)))
    highest = [0] * AREA_STEPS
    running, last_step = 0, 0
    for percent, change in changes:
        step = min(AREA_STEPS - 1, int(percent * AREA_STEPS / 100))
        for between in range(last_step + 1, step + 1):
            highest[between] = running
        running += change
        highest[step] = max(highest[step], running)
        last_step = step
    top = max(highest, default=0)
    state = Counter(item.state for item in items).most_common(1)[0][0] if items else State.SKIPPED
    failures = [span.percent(item.ended) for item in items if item.state is State.FAILED and item.ended]
    return Area(_polygon(highest, top or 1), top, state, tuple(failures[:MAX_FAILURES_MARKED]))


def _polygon(heights: Sequence[int], top: int) -> str:
    width = 1000 / len(heights)
    points = ["0,100"]
    for step, height in enumerate(heights):
        y = f"{100 - 100 * height / top:.4g}"
        points += [f"{step * width:.4g},{y}", f"{(step + 1) * width:.4g},{y}"]
    return " ".join([*points, "1000,100"])
