"""What can be wrong with an autoscale formula."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """Where something stands in a formula; lines and columns count from 1."""

    line: int
    column: int


class OperationError(ValueError):
    """An operator, a function or a method is not defined for what it is given."""


class FormulaError(Exception):
    """A formula cannot be read or evaluated; `code` and `summary` are those of `autoScaleRun.error`.

    The service answers the evaluation of any formula that is wrong with this code: testcase "evaluate pool autoscale"
    of @azure/batch, whose formula is `$something_useless`.
    """

    code = "AutoScalingFormulaEvaluationError"
    summary = "Autoscale evaluation failed due to an error in the formula"

    def __init__(self, position: Position, reason: str) -> None:
        self.detail = f"Line {position.line}, Col {position.column}: {reason}"
        super().__init__(self.detail)


class InsufficientSampleDataError(FormulaError):
    """A formula asks for more samples than there are; the service's own words.

    https://learn.microsoft.com/azure/batch/batch-pool-autoscale-event
    """

    code = "InsufficientSampleData"
    summary = "Autoscale evaluation failed due to insufficient sample data"


class FormulaUnsupportedError(FormulaError):
    """A formula uses something that Azure has and this service has not; `name` is what."""

    def __init__(self, position: Position, name: str) -> None:
        self.name = name
        super().__init__(position, f"The local Batch service does not implement {name}")
