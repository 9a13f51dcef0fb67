"""The pools that the service makes for jobs, and removes with them: they are not there before the job, nor after it.

https://learn.microsoft.com/azure/batch/nodes-and-pools#autopools
"""

from __future__ import annotations

from local.batch.machine.pools import Pools
from local.batch.machine.state import State
from local.batch.models.auto_pool import AutoPoolSpecification, PoolLifetimeOption
from local.batch.models.common import key_of
from local.batch.models.job import Job
from local.batch.models.pool import PoolCreate, PoolState


class AutoPools:
    """Makes and removes pools of jobs."""

    def __init__(self, state: State, pools: Pools) -> None:
        self._state = state
        self._pools = pools

    def provide(self, job: Job) -> None:
        """Make the pool of a job, if it is not there, and note with what it goes; nothing for other jobs."""
        wanted = job.pool_info.auto_pool_specification
        if wanted is None:
            return
        if key_of(job.pool_id) not in self._state.pools:
            given = {name: getattr(wanted.pool, name) for name in wanted.pool.model_fields_set}
            self._pools.create(PoolCreate(id=job.pool_id, **given))
        pool = self._state.pool(job.pool_id)
        goes_with = None if wanted.keep_alive else _owner(job, wanted)
        if pool.goes_with != goes_with:
            self._state.put_pool(pool.changed(goes_with=goes_with))

    def remove(self, pool_id: str, owner: str) -> None:
        """Remove a pool whose job or schedule has ended, unless it is to stay."""
        pool = self._state.pools.get(key_of(pool_id))
        if pool and pool.goes_with == key_of(owner) and pool.state is not PoolState.DELETING:
            self._pools.delete(pool.id)


def _owner(job: Job, wanted: AutoPoolSpecification) -> str:
    of_schedule = wanted.pool_lifetime_option is PoolLifetimeOption.JOB_SCHEDULE
    return key_of(job.schedule_id if of_schedule and job.schedule_id else job.id)
