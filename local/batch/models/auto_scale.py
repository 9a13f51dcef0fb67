"""Pools that scale by a formula: https://learn.microsoft.com/rest/api/batchservice/pools/enable-pool-auto-scale."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from local.batch.models.common import BatchModel, Duration, NameValuePair

DEFAULT_INTERVAL = timedelta(minutes=15)
EvaluationInterval = Annotated[Duration, Field(ge=timedelta(minutes=5), le=timedelta(hours=168))]


class AutoScaleRunError(BatchModel):
    """Why a formula could not be evaluated."""

    code: str
    message: str
    values: tuple[NameValuePair, ...] = ()


class AutoScaleRun(BatchModel):
    """An evaluation of a formula: the values of all variables, or why there are none."""

    timestamp: datetime
    results: str
    error: AutoScaleRunError | None = None


class PoolEnableAutoScale(BatchModel):
    """The body of `enableautoscale`; what is left out stays as it is."""

    auto_scale_formula: str | None = None
    auto_scale_evaluation_interval: EvaluationInterval | None = None


class PoolEvaluateAutoScale(BatchModel):
    """The body of `evaluateautoscale`."""

    auto_scale_formula: str
