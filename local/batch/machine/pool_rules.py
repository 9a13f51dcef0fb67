"""What a pool must be like to be created: https://learn.microsoft.com/rest/api/batchservice/pools/create-pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.errors import BatchError, ErrorCode, not_implemented

if TYPE_CHECKING:
    from local.batch.models.pool import PoolCreate


def check_pool(pool: PoolCreate) -> None:
    """Refuse a pool that the service refuses, or whose nodes would not come and go as in reality."""
    if pool.enable_auto_scale:
        raise not_implemented("enableAutoScale")
    machine = pool.virtual_machine_configuration
    if machine is None:
        raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName="virtualMachineConfiguration")
    for name in ("imageReference", "nodeAgentSKUId"):
        if name not in (machine.model_extra or {}):
            raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName=f"virtualMachineConfiguration.{name}")
