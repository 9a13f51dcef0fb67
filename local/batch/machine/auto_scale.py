"""Pools that scale by a formula: https://learn.microsoft.com/azure/batch/batch-automatic-scaling.

A formula is evaluated when a pool begins to have it, and then at every interval. Its evaluation changes the targets of
the pool even while nodes still come or go; nodes that leave already stay leaving.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.batch.autoscale.evaluation import Evaluation, Scope
from local.batch.autoscale.samples import PERIOD, Counts, History
from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.auto_scale_rules import check_formula, evaluation_of
from local.batch.machine.job_states import ENDED_STATES
from local.batch.machine.pools import Pools
from local.batch.machine.state import AlarmKind, State
from local.batch.models.auto_scale import (
    DEFAULT_INTERVAL,
    AutoScaleRun,
    AutoScaleRunError,
    PoolEnableAutoScale,
    PoolEvaluateAutoScale,
)
from local.batch.models.common import NameValuePair, key_of
from local.batch.models.pool import AllocationState, NodeState, Pool, PoolState

ENABLED_AT_MOST_EVERY = timedelta(seconds=30)
"""https://learn.microsoft.com/rest/api/batchservice/pools/enable-pool-auto-scale"""


@dataclass
class _Watch:
    """The samples of a pool, and when the next is due; a pool that is created anew is another one."""

    created: datetime
    next_at: datetime
    history: History = field(default_factory=History)


class AutoScale:
    """Evaluates formulas, at the request of clients and when they are due."""

    def __init__(self, state: State, pools: Pools) -> None:
        self._state = state
        self._pools = pools
        self._watches: dict[str, _Watch] = {}

    def enable(self, pool_id: str, request: PoolEnableAutoScale) -> None:
        """Let a pool scale by a formula, or change its formula or interval; a new interval begins at once.

        BatchError: PoolBeingResized, TooManyEnableAutoScaleRequests, MissingRequiredProperty, and for the formula what
        `check_formula` says.
        """
        pool, now = self._pools.existing(pool_id), self._state.now()
        self._check_enabling(pool, request)
        formula, interval = request.auto_scale_formula, request.auto_scale_evaluation_interval
        begins = interval is not None or not pool.enable_auto_scale
        self._pools.change(
            pool_id,
            {
                "enable_auto_scale": True,
                "auto_scale_formula": formula or pool.auto_scale_formula,
                "auto_scale_evaluation_interval": interval or pool.auto_scale_evaluation_interval or DEFAULT_INTERVAL,
                "auto_scale_enabled_at": now,
                "auto_scale_due": now if begins else pool.auto_scale_due,
            },
        )
        self._watch(self._state.pool(pool_id))

    def disable(self, pool_id: str) -> None:
        """Leave a pool with the nodes that it should have now. BatchError OperationInvalidForCurrentState."""
        self._scaling(pool_id)
        names = ("auto_scale_formula", "auto_scale_evaluation_interval", "auto_scale_run", "auto_scale_due")
        self._pools.change(pool_id, {"enable_auto_scale": False, **dict.fromkeys(names)})

    def evaluate(self, pool_id: str, request: PoolEvaluateAutoScale) -> AutoScaleRun:
        """Return what a formula says now, and change nothing. BatchError OperationInvalidForCurrentState."""
        pool = self._scaling(pool_id)
        return self._run_of(evaluation_of(request.auto_scale_formula, self._scope(pool)))

    def evaluate_now(self, pool_id: str) -> None:
        """Let a pool scale now, by a sample of the present that its formula sees at once; as if both were due.

        BatchError PoolNotFound, OperationInvalidForCurrentState.
        """
        pool = self._scaling(pool_id)
        self._history(pool).record(self._state.now(), self._counts(pool), delay=timedelta())
        self._scale(pool)

    def resume(self, pool: Pool) -> None:
        """Let a pool scale again after a restart, in an interval: its samples are gone, and its nodes are to stay."""
        if pool.enable_auto_scale:
            due = self._state.now() + (pool.auto_scale_evaluation_interval or DEFAULT_INTERVAL)
            self._watch(self._state.put_pool(pool.changed(auto_scale_due=due)))

    def scale_if_due(self, pool: Pool) -> None:
        """Evaluate the formula of a pool, if it is time."""
        now = self._state.now()
        if pool.auto_scale_due is None or now < pool.auto_scale_due or pool.state is PoolState.DELETING:
            return
        self._history(pool)
        due = now + (pool.auto_scale_evaluation_interval or DEFAULT_INTERVAL)
        self._scale(pool.changed(auto_scale_due=due))
        self._state.set_alarm(due, AlarmKind.POOL_SCALES, pool.id)

    def sample_if_due(self, pool: Pool) -> None:
        """Take a sample of a pool, if it is time; those that were due while nobody looked are not there."""
        watch, now = self._watch_of(pool), self._state.now()
        if watch is None or now < watch.next_at:
            return
        if not pool.enable_auto_scale:
            del self._watches[key_of(pool.id)]
            return
        watch.history.record(now, self._counts(pool))
        watch.next_at = now + PERIOD
        self._state.set_alarm(watch.next_at, AlarmKind.POOL_SAMPLED, pool.id)

    def _check_enabling(self, pool: Pool, request: PoolEnableAutoScale) -> None:
        if pool.allocation_state is not AllocationState.STEADY:
            raise BatchError(ErrorCode.POOL_BEING_RESIZED)
        enabled_at, formula = pool.auto_scale_enabled_at, request.auto_scale_formula
        if enabled_at and self._state.now() - enabled_at < ENABLED_AT_MOST_EVERY:
            raise BatchError(ErrorCode.TOO_MANY_ENABLE_AUTO_SCALE_REQUESTS)
        if formula is not None:
            check_formula(formula, self._scope(pool))
        elif request.auto_scale_evaluation_interval is None or not pool.enable_auto_scale:
            raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName="autoScaleFormula")

    def _watch(self, pool: Pool) -> None:
        """Take samples of a pool, and evaluate its formula, from when they are due."""
        if pool.auto_scale_due is not None:
            self._history(pool)
            self._state.set_alarm(pool.auto_scale_due, AlarmKind.POOL_SCALES, pool.id)

    def _scale(self, pool: Pool) -> None:
        evaluation = evaluation_of(str(pool.auto_scale_formula), self._scope(pool))
        pool = self._state.put_pool(pool.changed(auto_scale_run=self._run_of(evaluation)))
        if evaluation.error is None:
            targets = (evaluation.target_dedicated, evaluation.target_low_priority)
            self._pools.scale(pool, *targets, evaluation.deallocation)

    def _scaling(self, pool_id: str) -> Pool:
        pool = self._pools.existing(pool_id)
        if not pool.enable_auto_scale:
            reason = "Automatic scaling is not enabled on the pool."
            raise BatchError(ErrorCode.OPERATION_INVALID_FOR_CURRENT_STATE, Reason=reason)
        return pool

    def _watch_of(self, pool: Pool) -> _Watch | None:
        watch = self._watches.get(key_of(pool.id))
        return watch if watch and watch.created == pool.creation_time else None

    def _history(self, pool: Pool) -> History:
        watch, now = self._watch_of(pool), self._state.now()
        if watch is None:
            watch = self._watches[key_of(pool.id)] = _Watch(pool.creation_time, now)
            self._state.set_alarm(now, AlarmKind.POOL_SAMPLED, pool.id)
        return watch.history

    def _scope(self, pool: Pool) -> Scope:
        watch = self._watch_of(pool)
        return Scope(
            self._state.now(),
            self._counts(pool),
            watch.history if watch else History(),
            pool.task_slots_per_node,
            pool.target_dedicated_nodes,
            pool.target_low_priority_nodes,
        )

    def _counts(self, pool: Pool) -> Counts:
        """Count tasks and nodes. Tasks of jobs that are disabled are active; those of jobs that end will not run."""
        jobs = [self._state.jobs[key] for key in self._state.open_jobs]
        ours = [job for job in jobs if key_of(job.pool_id) == key_of(pool.id)]
        return Counts(
            active=sum(self._state.tasks_of(job).ready_count for job in ours if job.state not in ENDED_STATES),
            running=sum(self._state.tasks_of(job).running_count for job in ours),
            dedicated=pool.count(dedicated=True),
            low_priority=pool.count(dedicated=False),
            usable=sum(node.takes_tasks for node in pool.nodes),
            preempted=sum(node.state is NodeState.PREEMPTED for node in pool.nodes),
        )

    def _run_of(self, evaluation: Evaluation) -> AutoScaleRun:
        run = AutoScaleRun(timestamp=self._state.now(), results=evaluation.results)
        if evaluation.error is None:
            return run
        values = (NameValuePair(name="Message", value=evaluation.error.detail),)
        error = AutoScaleRunError(code=evaluation.error.code, message=evaluation.error.summary, values=values)
        return run.changed(error=error)
