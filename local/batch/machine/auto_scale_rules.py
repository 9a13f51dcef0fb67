"""Which formulas pools take: those that can be evaluated, whatever samples there are.

"The formula is checked for validity before it is applied to the Pool": `autoScaleFormula` in
https://learn.microsoft.com/rest/api/batchservice/pools/create-pool.
"""

from __future__ import annotations

from local.batch.autoscale.errors import FormulaError, FormulaUnsupportedError, InsufficientSampleDataError
from local.batch.autoscale.evaluation import Evaluation, Scope, evaluate, unchanged
from local.batch.autoscale.formula import MAX_LENGTH, parse
from local.batch.errors import BatchError, ErrorCode, not_implemented


def check_formula(text: str, scope: Scope) -> None:
    """Refuse a formula that a pool cannot have, because it can never be evaluated.

    BatchError AutoScalingFormulaTooLong, AutoScalingFormulaSyntaxError, NotImplemented.
    """
    error = evaluation_of(text, scope).error
    if error is not None and not isinstance(error, InsufficientSampleDataError):
        raise BatchError(ErrorCode.AUTO_SCALING_FORMULA_SYNTAX_ERROR, Message=error.detail)


def evaluation_of(text: str, scope: Scope) -> Evaluation:
    """Return the evaluation of a formula; what is wrong with it is part of that.

    BatchError AutoScalingFormulaTooLong, NotImplemented for what only Azure has.
    """
    if len(text) > MAX_LENGTH:
        raise BatchError(ErrorCode.AUTO_SCALING_FORMULA_TOO_LONG)
    try:
        return evaluate(parse(text), scope)
    except FormulaUnsupportedError as error:
        raise not_implemented(f"{error.name} in autoScaleFormula") from error
    except FormulaError as error:
        return unchanged(scope, error)
