"""What an account is not given, although it asks: jobs above its quota, nodes that there are none of, statistics.

All can be changed while the service runs; they hold from the next request on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field

from local.batch.models.common import BatchModel, ResourceId, key_of
from local.batch.models.pool import Pool, ResizeError
from local.batch.models.supported_images import WINDOWS

DEFAULT_ACTIVE_JOB_QUOTA = 300
"""Accounts have 100 to 300 at first: https://learn.microsoft.com/azure/batch/batch-quota-limit."""

NEVER = math.inf
"""The delay of what never comes."""


class NodeLimit(BatchModel):
    """A pool gets so many nodes of each kind and no more; a resize beyond that ends with this error.

    The codes are the service's: `AllocationTimedout`, `AllocationFailed`, `AccountCoreQuotaReached`.
    """

    pool_id: ResourceId
    nodes: int = Field(ge=0)
    code: str = "AllocationTimedout"
    message: str | None = None

    def error(self, *, dedicated: bool) -> ResizeError:
        """Return the error as the pool shows it, in the service's words unless others were asked for."""
        kind = "dedicated" if dedicated else "low priority"
        reason = " as the resize timeout was reached" if self.code == "AllocationTimedout" else ""
        said = self.message or f"Desired number of {kind} nodes could not be allocated{reason}"
        return ResizeError(code=self.code, message=said)


@dataclass
class Limits:
    """The limits that hold at present; `statistics_delay` is how many seconds after its end a task has statistics."""

    active_job_quota: int = DEFAULT_ACTIVE_JOB_QUOTA
    node_limits: tuple[NodeLimit, ...] = ()
    statistics_delay: float = 0

    def of_pool(self, pool: Pool) -> NodeLimit | None:
        """Return the limit of a pool's nodes, if it has one; one of Windows gets none."""
        machine = pool.virtual_machine_configuration
        if machine and machine.node_agent_sku_id == WINDOWS:
            message = "The local Batch service has no nodes of Windows."
            return NodeLimit(pool_id=pool.id, nodes=0, code="AllocationFailed", message=message)
        return next((limit for limit in self.node_limits if key_of(limit.pool_id) == key_of(pool.id)), None)
