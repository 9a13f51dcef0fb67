"""The functions of formulas: https://learn.microsoft.com/azure/batch/batch-automatic-scaling#functions.

Of an empty vector only `len`, `max`, `min` and `sum` are defined: Microsoft's own formulas take
`max(0, $PendingTasks.GetSample(1))` of a pool that has no samples yet.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from local.batch.autoscale._values import Value, Vector, as_operand, type_name
from local.batch.autoscale.errors import OperationError

_MAY_BE_EMPTY = frozenset({"len", "max", "min", "sum"})
_OF_ALL: dict[str, Callable[[tuple[float, ...]], float]] = {
    "avg": statistics.fmean,
    "len": lambda values: float(len(values)),
    "max": lambda values: max(values, default=0.0),
    "min": lambda values: min(values, default=0.0),
    "norm": lambda values: math.hypot(*values),
    "range": lambda values: max(values) - min(values),
    "std": statistics.stdev,
    "sum": math.fsum,
}
"""Functions that make one number of all that they get."""


def _rounded(value: float) -> float:
    """Round halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


_OF_EACH: dict[str, Callable[[float], float]] = {
    "ceil": lambda value: float(math.ceil(value)),
    "floor": lambda value: float(math.floor(value)),
    "lg": math.log2,
    "ln": math.log,
    "log": math.log10,
    "round": _rounded,
}
"""Functions that make a number of a number, and a vector of more than one."""
_OTHERS = {"percentile": (2, 2), "rand": (0, 0), "stop": (0, 0), "time": (0, 1), "val": (2, 2)}


def arity(function: str) -> tuple[int, float] | None:
    """Return how many arguments a function takes at least and at most; None if there is no such function."""
    if function in _OF_ALL or function in _OF_EACH:
        return (1, math.inf)
    return _OTHERS.get(function)


def call(function: str, arguments: list[Value], now: datetime) -> Value:
    """Return what a function makes of its arguments; OperationError says why it cannot."""
    if function == "time":
        return _time(arguments, now)
    if function == "rand":
        return random.random()  # noqa: S311 - nothing depends on its being hard to guess
    if function in ("percentile", "val"):
        return _of_vector(function, arguments)
    values = _flat(arguments)
    if not values and function not in _MAY_BE_EMPTY:
        raise OperationError(f"{function} of no values")
    if function in _OF_ALL:
        return _OF_ALL[function](values)
    results = tuple(map(_OF_EACH[function], values))
    return Vector(results) if len(arguments) > 1 or isinstance(arguments[0], Vector) else results[0]


def _flat(arguments: list[Value]) -> tuple[float, ...]:
    """Return a `doubleVecList` as one vector."""
    values: list[float] = []
    for argument in map(as_operand, arguments):
        if isinstance(argument, float):
            values.append(argument)
        elif isinstance(argument, Vector):
            values.extend(argument.elements)
        else:
            raise OperationError(f"{type_name(argument)} is neither double nor doubleVec")
    return tuple(values)


def _of_vector(function: str, arguments: list[Value]) -> float:
    vector, number = arguments[0], as_operand(arguments[1])
    if not isinstance(vector, Vector) or not isinstance(number, float):
        raise OperationError(f"{function} takes a doubleVec and a double")
    return _element(vector, number) if function == "val" else _percentile(vector, number)


def _element(vector: Vector, index: float) -> float:
    if not 0 <= index < len(vector.elements):
        raise OperationError(f"There is no element {index:g} in a vector of {len(vector.elements)}")
    return vector.elements[int(index)]


def _percentile(vector: Vector, percent: float) -> float:
    """Return an element of the vector, the lowest that so many percent are not above."""
    if not vector.elements or not 0 <= percent <= 100:  # noqa: PLR2004 - percent
        raise OperationError("percentile takes a vector that is not empty and a number from 0 to 100")
    rank = max(1, math.ceil(percent / 100 * len(vector.elements)))
    return sorted(vector.elements)[rank - 1]


def _time(arguments: list[Value], now: datetime) -> datetime:
    text = arguments[0] if arguments else ""
    if not isinstance(text, str):
        raise OperationError(f"{type_name(text)} is no string")
    if not text:
        return now
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except ValueError:
            continue
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise OperationError(f"'{text}' is neither a time of W3C-DTF nor of RFC 1123")
