"""Pebble's operators, as functions of their operands.

In a syntax tree they are filters, because Jinja allows no new kinds of nodes. Their names cannot be those of filters:
` contains`, ` in` and ` isIn` begin with a space, so that `a | contains(b)` is refused.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from shared.expressions.values import (
    ExpressionError,
    check_exist,
    check_items,
    check_size,
    spend,
    spend_on,
    text_of,
    weight,
)

LARGEST_NUMBER = 2**63


def truth(value: Any) -> bool:  # noqa: ANN401 - values of any type
    """Whether a value holds as a condition; null, 0 and empty text do not. Raises ExpressionError for lists, maps."""
    if isinstance(value, list | Mapping):
        raise ExpressionError("a list or a map is neither true nor false; ask whether it `is not empty`")
    return bool(value)


def is_number(value: object) -> bool:
    """Whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _add(left: Any, right: Any) -> Any:  # noqa: ANN401 - values of any type
    """The sum of two numbers; if an operand is text, both joined as text."""
    if isinstance(left, str) or isinstance(right, str):
        return _concat(left, right)
    return _calculated("+", operator.add, left, right)


def _concat(left: Any, right: Any) -> str:  # noqa: ANN401 - values of any type
    left, right = text_of(left), text_of(right)
    check_size(len(left) + len(right))
    return f"{left}{right}"


def _calculated(name: str, calculate: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:  # noqa: ANN401 - as above
    for side in (left, right):
        if not is_number(side):
            check_exist(side)
            raise ExpressionError(f"{name} takes numbers; `| number` turns text into a number, and ~ joins texts")
    result = calculate(left, right)
    if abs(result) >= LARGEST_NUMBER:
        raise ExpressionError("the number is too large")
    return result


def _quotient(left: float, right: float) -> float:
    """The quotient as in Java: of whole numbers it is whole, rounded towards zero."""
    if right == 0:
        raise ZeroDivisionError("division by zero")
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right)
        return whole if (left < 0) is (right < 0) else -whole
    return left / right


def _remainder(left: float, right: float) -> float:
    """The remainder as in Java, which has the sign of the dividend (ModulusExpression.java, OperatorUtils.java)."""
    if right == 0:
        raise ZeroDivisionError("division by zero")
    if isinstance(left, int) and isinstance(right, int):
        return left - right * int(_quotient(left, right))
    return math.fmod(left, right)


def list_between(start: Any, end: Any, increment: Any = None) -> list[Any]:  # noqa: ANN401 - values of any type
    """`start..end` and `range()`: the numbers, or the characters, from the first to the last, which is in it.

    As RangeFunction.java of Pebble: of a number only the whole part counts; there is no list if it would go backwards.
    """
    check_exist(start, end, increment)
    step = 1 if increment is None else increment
    if not is_number(step) or int(step) == 0:
        raise ExpressionError("the increment of a range is a number other than 0")
    if is_number(start) and is_number(end):
        return _steps(int(start), int(end), int(step))
    if all(isinstance(side, str) and len(side) == 1 for side in (start, end)):
        return [chr(code) for code in _steps(ord(start), ord(end), int(step))]
    raise ExpressionError("a range goes from a number to a number, or from a character to a character")


def _steps(start: int, end: int, step: int) -> list[int]:
    steps = range(start, end + (1 if step > 0 else -1), step)
    check_items(max(0, (end - start) // step + 1))  # the length of a Python range is limited
    spend(20 * len(steps))
    return list(steps)


def _equal(left: Any, right: Any) -> bool:  # noqa: ANN401 - values of any type
    """Whether two values are equal: numbers by value, others only if they have the same type."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    spend_on(left) if isinstance(left, list | dict) else spend(weight(left))
    return bool(left == right)


def _compared(name: str, compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:  # noqa: ANN401 - as above
    """Compare two numbers or two texts; null is neither larger nor smaller than anything."""
    if left is None or right is None:
        return False
    for kinds in (str, int | float):
        if isinstance(left, kinds) and isinstance(right, kinds):
            return compare(left, right)
    check_exist(left, right)
    raise ExpressionError(f"{name} compares two numbers or two texts")


def _contains(whole: Any, part: Any) -> bool:  # noqa: ANN401 - values of any type
    """Whether a text, a list or the names of a map contain a part; of a list of parts, whether they contain all."""
    match whole:
        case None:
            return False
        case str():
            return text_of(part) in whole
        case Mapping():
            return isinstance(part, str) and part in whole
        case list():
            parts = part if isinstance(part, list) else [part]
            spend(20 * len(whole) * len(parts))
            return all(any(_equal(entry, each) for entry in whole) for each in parts)
    check_exist(whole)
    raise ExpressionError("only a text, a list or a map can contain something")


def _is_one_of(part: Any, whole: Any) -> bool:  # noqa: ANN401 - values of any type
    """`isIn`, as InExpression.java of Kestra: whether an entry of a list, or a name or value of a map, has this text.

    Nothing is in null or in a text.
    """
    check_exist(part, whole)
    if part is None or not isinstance(whole, list | dict):
        return False
    entries = whole if isinstance(whole, list) else [*whole, *whole.values()]
    if None in entries:
        raise ExpressionError("isIn cannot look for something among values that are null")
    spend(20 * len(entries))
    return text_of(part) in map(text_of, entries)


def _is_in(part: Any, whole: Any) -> bool:  # noqa: ANN401 - values of any type
    """Whether a value contains a part; a map also contains its values."""
    if isinstance(whole, dict) and any(_equal(value, part) for value in whole.values()):
        return True
    return _contains(whole, part if not isinstance(part, list) else [part])


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "==": _equal,
    "<": lambda left, right: _compared("<", operator.lt, left, right),
    "<=": lambda left, right: _compared("<=", operator.le, left, right),
    ">": lambda left, right: _compared(">", operator.gt, left, right),
    ">=": lambda left, right: _compared(">=", operator.ge, left, right),
    " contains": _contains,
    " in": _is_in,
    " isIn": _is_one_of,
    "~": _concat,
    "+": _add,
    "-": lambda left, right: _calculated("-", operator.sub, left, right),
    "*": lambda left, right: _calculated("*", operator.mul, left, right),
    "/": lambda left, right: _calculated("/", _quotient, left, right),
    "%": lambda left, right: _calculated("%", _remainder, left, right),
    "..": list_between,
}

CALCULATING = frozenset({"==", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"})
"""Operators for which a name that does not exist is a mistake, also on the left of `??`: in Pebble they catch it."""

COALESCING = frozenset({"??", "???"})
"""Operators whose right operand is only evaluated if it is needed; the evaluator applies them itself."""
