"""Inputs, printed values and metrics: single values unchanged, series of numbers as figures and a small chart."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.documents.record import Record
from shared.documents.task_result import ItemRecord, Metric

MAX_VALUES = 100
MAX_LABELS = 30
MAX_SERIES = 60
ADDED_UP = ("counter", "timer")
CHART_POINTS = 60
LARGEST = 1e300
CHART_WIDTH, CHART_HEIGHT = 160, 32


@dataclass(frozen=True)
class Value:
    """A printed value; `owner` is the task or the item that printed it."""

    owner: str
    name: str
    value: Any


@dataclass(frozen=True)
class Inputs:
    """The values of the run's inputs that are shown, and how many more there are.

    `masked` are the ids of those that the run was given, but whose values hold a secret.
    """

    values: tuple[tuple[str, Any], ...]
    masked: tuple[str, ...]
    left_out: int


def inputs(record: Record) -> Inputs:
    """The inputs of a run."""
    values, masked = tuple(record.inputs.items())[:MAX_VALUES], record.masked_inputs[:MAX_VALUES]
    left_out = len(record.inputs) + len(record.masked_inputs) - len(values) - len(masked)
    return Inputs(values, masked, left_out)


@dataclass(frozen=True)
class Named:
    """The outputs or labels of the flow that are shown, and how many more there are."""

    values: tuple[tuple[str, Any], ...]
    left_out: int


def outputs(record: Record) -> Named:
    """The outputs of a run's flow."""
    return Named(tuple(record.outputs.items())[:MAX_VALUES], max(0, len(record.outputs) - MAX_VALUES))


def labels(record: Record) -> Named:
    """The labels of a run."""
    return Named(tuple(record.labels.items())[:MAX_LABELS], max(0, len(record.labels) - MAX_LABELS))


@dataclass(frozen=True)
class Series:
    """Numbers of the same name: those that a task printed one after another, or those of a fan-out's items.

    `points` are those of an SVG polyline in a box of 160 by 32; none if there is only one number.
    """

    owner: str
    name: str
    type: str
    tags: Mapping[str, str]
    count: int
    last: float
    lowest: float
    mean: float
    highest: float
    total: float | None
    points: str


@dataclass(frozen=True)
class Values:
    """The values and series that are shown, and how many more of each there are."""

    values: tuple[Value, ...]
    values_left_out: int
    series: tuple[Series, ...]
    series_left_out: int


def values(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> Values:
    """The printed values and metrics of a run."""
    singles = [Value(task.id, name, value) for task in record.tasks for name, value in task.outputs.vars.items()]
    series = [each for task in record.tasks for each in _series_of_task(task.id, task.metrics)]
    series += [series for task, each in items.items() for series in _series_of_items(task, each)]
    return Values(
        values=tuple(singles[:MAX_VALUES]),
        values_left_out=max(0, len(singles) - MAX_VALUES),
        series=tuple(series[:MAX_SERIES]),
        series_left_out=max(0, len(series) - MAX_SERIES),
    )


def _series_of_task(task: str, metrics: Iterable[Metric]) -> Iterator[Series]:
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = {}
    for metric in metrics:
        groups.setdefault((metric.name, metric.type, tuple(metric.tags.items())), []).append(metric.value)
    for (name, kind, tags), numbers in groups.items():
        yield series_of(task, name, kind, numbers, dict(tags))


def _series_of_items(task: str, items: Sequence[ItemRecord]) -> Iterator[Series]:
    """Series of the metrics and of the values that are numbers, over all items."""
    printed: dict[str, list[Any]] = {}
    measured: dict[tuple[str, str], list[float]] = {}
    for item in items:
        for name, value in item.outputs.vars.items():
            printed.setdefault(name, []).append(value)
        for metric in item.metrics:
            measured.setdefault((metric.name, metric.type), []).append(metric.value)
    for name, numbers in printed.items():
        if all(map(_is_number, numbers)):
            yield series_of(task, name, "value", numbers)
    for (name, kind), numbers in measured.items():
        yield series_of(task, name, kind, numbers)


def _is_number(value: object) -> bool:
    """Whether a chart can show a printed value: whole numbers may be larger than any float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def series_of(
    owner: str, name: str, kind: str, numbers: Sequence[float], tags: Mapping[str, str] | None = None
) -> Series:
    """The figures and the chart of one or more numbers."""
    scale = _scale(numbers)
    return Series(
        owner=owner,
        name=name,
        type=kind,
        tags=tags or {},
        count=len(numbers),
        last=numbers[-1],
        lowest=min(numbers),
        mean=statistics.fmean(number / scale for number in numbers) * scale,
        highest=max(numbers),
        total=sum(numbers) if kind in ADDED_UP else None,
        points=chart_points(numbers) if len(numbers) > 1 else "",
    )


def _scale(numbers: Sequence[float]) -> float:
    """A divisor with which the sum of a few thousand of the numbers stays within the range of a float."""
    return max(map(abs, numbers)) or 1.0


def chart_points(numbers: Sequence[float]) -> str:
    """The points of a line through at most 60 numbers; of more numbers, the means of 60 equal parts."""
    scale = _scale(numbers)
    numbers = [number / scale for number in numbers]
    if len(numbers) > CHART_POINTS:
        edges = [round(step * len(numbers) / CHART_POINTS) for step in range(CHART_POINTS + 1)]
        numbers = [statistics.fmean(numbers[start:end]) for start, end in itertools.pairwise(edges) if end > start]
    lowest, highest = min(numbers), max(numbers)
    height = highest - lowest
    return " ".join(
        f"{CHART_WIDTH * step / (len(numbers) - 1):.4g},"
        f"{CHART_HEIGHT * (1 - (number - lowest) / height) if height else CHART_HEIGHT / 2:.4g}"
        for step, number in enumerate(numbers)
    )
