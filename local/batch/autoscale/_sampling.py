"""What the methods of variables with samples give: https://learn.microsoft.com/azure/batch/batch-automatic-scaling#methods.

A time frame is given by one or two times, or by how long they are ago, in any order: the documentation writes
`GetSample(1 * TimeInterval_Minute, 6 * TimeInterval_Minute)`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from local.batch.autoscale._syntax import Method
from local.batch.autoscale._values import Sampled, Value, Vector, as_operand, type_name
from local.batch.autoscale.errors import InsufficientSampleDataError, OperationError
from local.batch.autoscale.samples import PERIOD, History, Sample, percentage


def call_method(called: Method, target: Sampled, arguments: list[Value], history: History, now: datetime) -> Value:
    """Return what a method gives; OperationError for arguments that it does not take.

    InsufficientSampleDataError if fewer samples are there than the formula demands.
    """
    if called.method == "GetSamplePeriod":
        return PERIOD
    visible = history.visible(now)
    if called.method == "Count":
        return float(len(visible))
    if called.method == "HistoryBeginTime":
        return visible[0].at if visible else now
    operands = list(map(as_operand, arguments))
    if called.method == "GetSample" and len(operands) == 1 and isinstance(operands[0], float):
        return _vector(target, visible[-int(operands[0]) :] if operands[0] >= 1 else [])
    wanted = _wanted_percent(operands) if called.method == "GetSample" else 0
    start, end = _frame(operands, now)
    samples = list(history.between(start, end, now))
    percent = percentage(len(samples), start, end)
    if called.method == "GetSamplePercent":
        return percent
    if percent < wanted:
        reason = f"Insufficient data from data set: {target.name} wanted {wanted:g}%, received {percent:g}%"
        raise InsufficientSampleDataError(called.position, reason)
    return _vector(target, samples)


def _wanted_percent(operands: list[Value]) -> float:
    """Take the last argument if it is a number: how many percent of the samples must be there."""
    return operands.pop() if len(operands) > 1 and isinstance(operands[-1], float) else 0  # type: ignore[return-value]


def _frame(operands: list[Value], now: datetime) -> tuple[datetime, datetime]:
    times = [_moment(operand, now) for operand in operands]
    if len(times) > 2:  # noqa: PLR2004 - a start and an end
        raise OperationError("A time frame has a start and an end")
    times = times if len(times) > 1 else [*times, now]
    return min(times), max(times)


def _moment(operand: Value, now: datetime) -> datetime:
    if isinstance(operand, timedelta):
        return now - operand
    if isinstance(operand, datetime):
        return operand
    raise OperationError(f"{type_name(operand)} is neither timestamp nor timeinterval")


def _vector(target: Sampled, samples: list[Sample]) -> Vector:
    return Vector(tuple(float(target.metric(sample.counts)) for sample in samples))
