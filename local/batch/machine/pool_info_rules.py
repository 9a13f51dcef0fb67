"""On which pools jobs may run: `poolInfo` in https://learn.microsoft.com/rest/api/batchservice/jobs."""

from __future__ import annotations

import uuid
from datetime import datetime

from local.batch.errors import invalid_property
from local.batch.machine.pool_rules import check_pool
from local.batch.models.auto_pool import AutoPoolSpecification, PoolLifetimeOption
from local.batch.models.job import PoolInfo


def check_pool_info(info: PoolInfo, now: datetime, *, of_schedule: bool = False) -> None:
    """Refuse a job that names not exactly one pool, or an auto pool that cannot be."""
    auto_pool = info.auto_pool_specification
    if (info.pool_id is None) is (auto_pool is None):
        raise invalid_property("poolInfo", "", "Either poolId or autoPoolSpecification must be specified.")
    if auto_pool is None:
        return
    if auto_pool.pool_lifetime_option is PoolLifetimeOption.JOB_SCHEDULE and not of_schedule:
        raise invalid_property(
            "poolLifetimeOption", auto_pool.pool_lifetime_option.value, "A job that is not of a schedule has none."
        )
    check_pool(auto_pool.pool, now)


def auto_pool_id(wanted: AutoPoolSpecification, made_for: str) -> str:
    """Return an id that no other pool has: "a unique identifier", after the prefix that the client asks for.

    `made_for` is what tells the job or schedule from all others that there have been.
    """
    unique = str(uuid.uuid5(uuid.NAMESPACE_OID, made_for)).upper()
    return f"{wanted.auto_pool_id_prefix}_{unique}" if wanted.auto_pool_id_prefix else unique


def check_change(before: PoolInfo, after: PoolInfo) -> None:
    """Refuse to change more of a job's auto pool than `keepAlive`.

    "only the keepAlive property of the autoPoolSpecification can be updated, and then only if the
    autoPoolSpecification has a poolLifetimeOption of Job".
    """
    if before == after or (before.auto_pool_specification is None and after.auto_pool_specification is None):
        return
    if not _differ_in_keep_alive(before.auto_pool_specification, after.auto_pool_specification):
        reason = "Of an auto pool only keepAlive can be changed, and only if its poolLifetimeOption is job."
        raise invalid_property("poolInfo", "autoPoolSpecification", reason)


def _differ_in_keep_alive(before: AutoPoolSpecification | None, after: AutoPoolSpecification | None) -> bool:
    if before is None or after is None or before.pool_lifetime_option is not PoolLifetimeOption.JOB:
        return False
    return before.changed(keep_alive=after.keep_alive) == after
