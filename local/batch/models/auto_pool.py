"""Pools that the service makes for a job or for all jobs of a schedule.

`autoPoolSpecification` in https://learn.microsoft.com/rest/api/batchservice/jobs/create-job.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from local.batch.models.common import ID_PATTERN, BatchModel, WireEnum
from local.batch.models.pool import PoolSpecification

LONGEST_PREFIX = 20
Prefix = Annotated[str, Field(max_length=LONGEST_PREFIX, pattern=f"^{ID_PATTERN.pattern}$")]


class PoolLifetimeOption(WireEnum):
    """With what the pool goes."""

    JOB = "job"
    JOB_SCHEDULE = "jobschedule"


class AutoPoolSpecification(BatchModel):
    """What the pool is like, and how long it stays."""

    auto_pool_id_prefix: Prefix | None = None
    pool_lifetime_option: PoolLifetimeOption
    keep_alive: StrictBool = False
    pool: PoolSpecification
