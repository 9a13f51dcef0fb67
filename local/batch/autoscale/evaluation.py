"""The evaluation of a formula: what it may see → what becomes of the pool, and the values of its variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local.batch.autoscale import _functions
from local.batch.autoscale._sampling import call_method
from local.batch.autoscale._syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    Member,
    Method,
    Name,
    Number,
    Statement,
    Text,
    Unary,
)
from local.batch.autoscale._values import Sampled, Value, as_operand, combine, negate, shown, type_name
from local.batch.autoscale.errors import FormulaError, OperationError, Position
from local.batch.autoscale.formula import (
    ALIASES,
    DEALLOCATION,
    DEDICATED,
    INTERVALS,
    LOW_PRIORITY,
    OPTIONS,
    SLOTS,
    Formula,
)
from local.batch.autoscale.samples import METRICS, Counts, History
from local.batch.models.node import RunningTasksOption

_NUMBERS_TOO = frozenset({"$CurrentDedicatedNodes", "$CurrentLowPriorityNodes"})
"""Variables with samples that are calculated with as numbers, too, as in the documentation's own examples."""


@dataclass(frozen=True)
class Scope:
    """What a formula sees: the present, the samples of the past, and what the pool should have until now."""

    now: datetime
    counts: Counts
    history: History
    slots_per_node: int
    target_dedicated: int
    target_low_priority: int


@dataclass(frozen=True)
class Evaluation:
    """What a formula says of its pool, with the values of all variables; with an `error`, nothing."""

    results: str
    target_dedicated: int
    target_low_priority: int
    deallocation: RunningTasksOption
    error: FormulaError | None = None


def evaluate(formula: Formula, scope: Scope) -> Evaluation:
    """Evaluate a formula; what is wrong with it is the evaluation's `error`, and the pool then stays as it is."""
    variables = _Variables(scope)
    try:
        variables.run(formula)
        return variables.evaluation()
    except FormulaError as error:
        return unchanged(scope, error)
    except RecursionError:
        return unchanged(scope, FormulaError(Position(1, 1), "The formula is nested too deeply"))


def unchanged(scope: Scope, error: FormulaError) -> Evaluation:
    """Return the evaluation of a formula that is wrong: the results are what the pool has, as the service's are."""
    dedicated, low_priority, option = scope.target_dedicated, scope.target_low_priority, RunningTasksOption.REQUEUE
    results = _listed({DEDICATED: float(dedicated), LOW_PRIORITY: float(low_priority), DEALLOCATION: option})
    return Evaluation(results, dedicated, low_priority, option, error)


class _StoppedError(Exception):
    """`stop()` was called; the variables stay as they are."""


@dataclass
class _Variables:
    """The variables of an evaluation, and the values of expressions with them."""

    scope: Scope
    own: dict[str, Value] = field(default_factory=dict)

    def run(self, formula: Formula) -> None:
        """Carry out all statements, or those before `stop()`."""
        for statement in formula.statements:
            try:
                value = self._value(statement.value)
            except _StoppedError:
                return
            if statement.variable is not None:
                self._check_type(statement, value)
                self.own[statement.variable] = as_operand(value)

    def evaluation(self) -> Evaluation:
        """Return what the variables say in the end."""
        option = self._named(DEALLOCATION)
        targets = {DEDICATED: self._target(DEDICATED), LOW_PRIORITY: self._target(LOW_PRIORITY)}
        rest = {name: value for name, value in self.own.items() if name not in (*targets, *ALIASES, DEALLOCATION)}
        results = _listed({**targets, DEALLOCATION: option, **dict(sorted(rest.items()))})
        assert isinstance(option, RunningTasksOption)  # noqa: S101 - no other value can be assigned
        return Evaluation(results, int(targets[DEDICATED]), int(targets[LOW_PRIORITY]), option)

    def _target(self, name: str) -> float:
        alias = next(alias for alias, full in ALIASES.items() if full == name)
        value = self.own.get(name, self.own.get(alias, self._predefined(name)))
        assert isinstance(value, float)  # noqa: S101 - no other value can be assigned
        return value

    def _check_type(self, statement: Statement, value: Value) -> None:
        variable, operand = ALIASES.get(statement.variable or "", statement.variable), as_operand(value)
        if variable in (DEDICATED, LOW_PRIORITY) and not (isinstance(operand, float) and 0 <= operand < float("inf")):
            raise FormulaError(statement.position, f"{variable} takes a double that is not negative")
        if isinstance(operand, Sampled):
            raise FormulaError(statement.position, f"{operand.name} is an object; only its methods have values")
        if variable == DEALLOCATION and not isinstance(operand, RunningTasksOption):
            raise FormulaError(statement.position, f"{variable} takes one of {', '.join(OPTIONS)}")

    def _value(self, expression: Expression) -> Value:
        try:
            return self._evaluated(expression)
        except (ValueError, ArithmeticError) as error:
            raise FormulaError(expression.position, str(error)) from error

    def _evaluated(self, expression: Expression) -> Value:
        value: Value
        match expression:
            case Number() | Text():
                value = expression.value
            case Name():
                value = self._named(expression.name)
            case Unary():
                value = negate(expression.operator, self._value(expression.operand))
            case Binary():
                value = combine(expression.operator, self._value(expression.left), self._value(expression.right))
            case Conditional():
                value = self._chosen(expression)
            case Call():
                value = self._called(expression)
            case Method():
                value = self._sampled(expression)
            case Member():
                value = self._member(expression)
        return value

    def _named(self, name: str) -> Value:
        full_name = ALIASES.get(name, name)
        value = self.own.get(name, self.own.get(full_name))
        return self._predefined(full_name) if value is None else value

    def _predefined(self, name: str) -> Value:
        if name in METRICS:
            number = float(METRICS[name](self.scope.counts)) if name in _NUMBERS_TOO else None
            return Sampled(name, METRICS[name], number)
        numbers: Mapping[str, float] = {
            DEDICATED: float(self.scope.target_dedicated),
            LOW_PRIORITY: float(self.scope.target_low_priority),
            SLOTS: float(self.scope.slots_per_node),
        }
        if name in INTERVALS:
            return INTERVALS[name]
        return numbers[name] if name in numbers else OPTIONS.get(name, RunningTasksOption.REQUEUE)

    def _chosen(self, expression: Conditional) -> Value:
        condition = as_operand(self._value(expression.condition))
        if not isinstance(condition, float):
            raise OperationError(f"A condition is a double, not {type_name(condition)}")
        return self._value(expression.when_true if condition else expression.when_false)

    def _called(self, expression: Call) -> Value:
        if expression.function == "stop":
            raise _StoppedError
        return _functions.call(expression.function, list(map(self._value, expression.arguments)), self.scope.now)

    def _sampled(self, expression: Method) -> Value:
        target = self._value(expression.target)
        if not isinstance(target, Sampled):
            raise OperationError(f"{type_name(target)} has no samples")
        arguments = list(map(self._value, expression.arguments))
        return call_method(expression, target, arguments, self.scope.history, self.scope.now)

    def _member(self, expression: Member) -> float:
        moment = self._value(expression.target)
        if not isinstance(moment, datetime):
            raise OperationError(f"{type_name(moment)} has no {expression.member}")
        if expression.member == "weekday":  # 1 is Monday
            return float(moment.isoweekday() % 7)
        return float(getattr(moment, expression.member))


def _listed(values: Mapping[str, Value]) -> str:
    return ";".join(f"{name}={shown(value)}" for name, value in values.items())
