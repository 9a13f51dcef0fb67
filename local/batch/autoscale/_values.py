"""The values of formulas: what can be calculated with them, and how results show them.

https://learn.microsoft.com/azure/batch/batch-automatic-scaling#operations is the table of operators; truth is a number,
0 or 1.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.batch.autoscale.errors import OperationError
from local.batch.autoscale.samples import Metric
from local.batch.models.node import RunningTasksOption


@dataclass(frozen=True)
class Vector:
    """A `doubleVec`."""

    elements: tuple[float, ...]


@dataclass(frozen=True)
class Sampled:
    """A variable of the service that has samples; `number` is its present value, of those that have one."""

    name: str
    metric: Metric
    number: float | None = None


Value = float | Vector | str | datetime | timedelta | RunningTasksOption | Sampled

_TYPE_NAMES = {
    float: "double",
    Vector: "doubleVec",
    str: "string",
    datetime: "timestamp",
    timedelta: "timeinterval",
    RunningTasksOption: "a deallocation option",
    Sampled: "an object with samples",
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISON: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}
_COMPARED = (float, str, datetime, timedelta)
_TIME_ARITHMETIC = {
    (float, "*", timedelta),
    (timedelta, "*", float),
    (timedelta, "/", float),
    (timedelta, "+", timedelta),
    (timedelta, "-", timedelta),
    (timedelta, "+", datetime),
    (datetime, "+", timedelta),
    (datetime, "-", datetime),
}


def type_name(value: Value) -> str:
    """What the documentation calls the type of a value."""
    return _TYPE_NAMES[type(value)]


def as_operand(value: Value) -> Value:
    """Return what a value is in an operation: the number of a variable that is both a number and an object."""
    return value.number if isinstance(value, Sampled) and value.number is not None else value


def combine(sign: str, left: Value, right: Value) -> Value:
    """Return the result of an operator; OperationError says why there is none."""
    left, right = as_operand(left), as_operand(right)
    result = _combined(sign, left, right)
    if result is None:
        raise OperationError(f"'{sign}' is not defined for {type_name(left)} and {type_name(right)}")
    return result


def negate(sign: str, operand: Value) -> Value:
    """Return the result of `-` or `!` before a value; OperationError if there is none."""
    operand = as_operand(operand)
    if sign == "-" and isinstance(operand, float | timedelta):
        return -operand
    if sign == "!" and isinstance(operand, float):
        return float(not operand)
    raise OperationError(f"'{sign}' is not defined for {type_name(operand)}")


def shown(value: Value) -> str:
    """Return a value as results show it: numbers have six digits (`$samples=96.6667`), times milliseconds."""
    match value:
        case float():
            return f"{value:g}"
        case Vector():
            return f"[{','.join(map(shown, value.elements))}]"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
        case _:
            return str(value)


def _combined(sign: str, left: Value, right: Value) -> Value | None:
    kinds = (type(left), type(right))
    if sign in ("&&", "||") and kinds == (float, float):
        return float(bool(left and right) if sign == "&&" else bool(left or right))
    if sign in _COMPARISON:
        comparable = kinds[0] is kinds[1] and kinds[0] in _COMPARED
        return float(_COMPARISON[sign](left, right)) if comparable else None
    if kinds == (float, float) or (kinds[0], sign, kinds[1]) in _TIME_ARITHMETIC:
        result: Value = _ARITHMETIC[sign](left, right)
        return result
    if sign in _ARITHMETIC and isinstance(left, Vector) and isinstance(right, Vector | float):
        return _by_component(_ARITHMETIC[sign], left, right)
    return None


def _by_component(calculate: Callable[[Any, Any], Any], left: Vector, right: Vector | float) -> Vector:
    others = right.elements if isinstance(right, Vector) else (right,) * len(left.elements)
    if len(others) != len(left.elements):
        raise OperationError(f"The vectors have {len(left.elements)} and {len(others)} elements")
    return Vector(tuple(calculate(one, other) for one, other in zip(left.elements, others, strict=True)))
