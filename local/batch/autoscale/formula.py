"""A formula that can be evaluated: all that it names is there, and may be used as it does.

The limits are those of https://learn.microsoft.com/azure/batch/batch-automatic-scaling: 8 KB, 100 statements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from local.batch.autoscale import _functions
from local.batch.autoscale._parser import parse_statements
from local.batch.autoscale._syntax import Binary, Call, Conditional, Expression, Member, Method, Name, Statement, Unary
from local.batch.autoscale.errors import FormulaError, FormulaUnsupportedError, Position
from local.batch.autoscale.samples import METRICS
from local.batch.models.node import RunningTasksOption

MAX_LENGTH = 8192
MAX_STATEMENTS = 100
DEDICATED = "$TargetDedicatedNodes"
LOW_PRIORITY = "$TargetLowPriorityNodes"
DEALLOCATION = "$NodeDeallocationOption"
SLOTS = "$TaskSlotsPerNode"
ALIASES = {"$TargetDedicated": DEDICATED, "$TargetLowPriority": LOW_PRIORITY}
"""Other names of targets; what is assigned to the full name takes precedence."""
OPTIONS = {option.value: option for option in RunningTasksOption}
INTERVALS = {
    "TimeInterval_Zero": timedelta(),
    "TimeInterval_Microsecond": timedelta(microseconds=1),
    "TimeInterval_Millisecond": timedelta(milliseconds=1),
    "TimeInterval_Second": timedelta(seconds=1),
    "TimeInterval_Minute": timedelta(minutes=1),
    "TimeInterval_Hour": timedelta(hours=1),
    "TimeInterval_Day": timedelta(days=1),
    "TimeInterval_Week": timedelta(weeks=1),
    "TimeInterval_Year": timedelta(days=365),
}
TIME_MEMBERS = frozenset({"year", "month", "day", "weekday", "hour", "minute", "second"})
METHODS = {
    "GetSample": (1, 3),
    "GetSamplePercent": (1, 2),
    "GetSamplePeriod": (0, 0),
    "Count": (0, 0),
    "HistoryBeginTime": (0, 0),
}
"""The methods of variables that have samples, and how many arguments they take."""
_UNSUPPORTED = frozenset(
    {
        "$SucceededTasks",
        "$FailedTasks",
        "$CPUPercent",
        "$WallClockSeconds",
        "$MemoryBytes",
        "$DiskBytes",
        "$DiskReadBytes",
        "$DiskWriteBytes",
        "$DiskReadOps",
        "$DiskWriteOps",
        "$NetworkInBytes",
        "$NetworkOutBytes",
        "$SampleNodeCount",
        "TimeInterval_100ns",
        "retaineddata",
    }
)
"""What Azure has, or had, and this service has not: it does not measure what its nodes do, and of tasks that have ended
nothing is documented that says how long they are counted."""
_WRITABLE = frozenset({DEDICATED, LOW_PRIORITY, DEALLOCATION, *ALIASES})
_READ_ONLY = frozenset({*METRICS, SLOTS, *INTERVALS, *OPTIONS, *_UNSUPPORTED})


@dataclass(frozen=True)
class Formula:
    """A formula that has been read."""

    statements: tuple[Statement, ...]


def parse(text: str) -> Formula:
    """Read a formula; FormulaError says where it is wrong, FormulaUnsupportedError what this service does not have."""
    statements = tuple(parse_statements(text))
    if not statements:
        raise FormulaError(Position(1, 1), "There is no statement")
    if len(statements) > MAX_STATEMENTS:
        raise FormulaError(statements[MAX_STATEMENTS].position, f"There are more than {MAX_STATEMENTS} statements")
    known = set(_WRITABLE | _READ_ONLY)
    for statement in statements:
        for expression in _expressions(statement.value):
            _check(expression, known)
        if statement.variable is not None:
            _check_assignment(statement.position, statement.variable)
            known.add(statement.variable)
    return Formula(statements)


def _check_assignment(position: Position, variable: str) -> None:
    if variable in _READ_ONLY:
        raise FormulaError(position, f"{variable} cannot be assigned to")


def _check(expression: Expression, known: set[str]) -> None:
    match expression:
        case Name(position, name):
            if name in _UNSUPPORTED:
                raise FormulaUnsupportedError(position, name)
            if name not in known:
                raise FormulaError(position, f"Undeclared variable {name}")
        case Call(position, function, arguments):
            _check_arity(position, function, len(arguments), _functions.arity(function))
        case Method(position, _, method, arguments):
            _check_arity(position, method, len(arguments), METHODS.get(method))
        case Member(position, _, member):
            if member not in TIME_MEMBERS:
                raise FormulaError(position, f"There is no member {member}")
        case _:
            pass


def _check_arity(position: Position, name: str, given: int, allowed: tuple[int, float] | None) -> None:
    if allowed is None:
        raise FormulaError(position, f"There is no function {name}")
    if not allowed[0] <= given <= allowed[1]:
        raise FormulaError(position, f"{name} does not take {given} arguments")


def _expressions(root: Expression) -> Iterator[Expression]:
    """Yield an expression and all within it."""
    waiting = [root]
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting.extend(_parts(expression))


def _parts(expression: Expression) -> tuple[Expression, ...]:
    parts: tuple[Expression, ...] = ()
    match expression:
        case Unary():
            parts = (expression.operand,)
        case Binary():
            parts = (expression.left, expression.right)
        case Conditional():
            parts = (expression.condition, expression.when_true, expression.when_false)
        case Call():
            parts = expression.arguments
        case Method():
            parts = (expression.target, *expression.arguments)
        case Member():
            parts = (expression.target,)
        case _:
            pass
    return parts
