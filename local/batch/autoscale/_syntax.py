"""A formula as a tree."""

from __future__ import annotations

from dataclasses import dataclass

from local.batch.autoscale.errors import Position


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    position: Position
    value: float


@dataclass(frozen=True)
class Text:
    """Text between double quotes."""

    position: Position
    value: str


@dataclass(frozen=True)
class Name:
    """A variable, a time interval or a deallocation option."""

    position: Position
    name: str


@dataclass(frozen=True)
class Unary:
    """An operator before its operand."""

    position: Position
    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    """An operator between its operands."""

    position: Position
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Conditional:
    """`condition ? when_true : when_false`, of which only what is chosen is evaluated."""

    position: Position
    condition: Expression
    when_true: Expression
    when_false: Expression


@dataclass(frozen=True)
class Call:
    """A function."""

    position: Position
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Method:
    """A method of a variable of the service, such as `$PendingTasks.GetSample(1)`."""

    position: Position
    target: Expression
    method: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Member:
    """A part of a time, such as `time().hour`."""

    position: Position
    target: Expression
    member: str


Expression = Number | Text | Name | Unary | Binary | Conditional | Call | Method | Member


@dataclass(frozen=True)
class Statement:
    """`variable = value`, or a value alone: that is `stop()`, or does nothing."""

    position: Position
    variable: str | None
    value: Expression
