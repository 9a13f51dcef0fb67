"""A Batch account: the door of the machine.

Every call is atomic and takes no time; after it, `take_commands` says what nodes shall do and `take_changes` what is to
be stored. Time passes by calling `advance` no later than `next_alarm` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from local.batch.machine.auto_pools import AutoPools
from local.batch.machine.auto_scale import AutoScale
from local.batch.machine.commands import Command, PreparationRun, ReleaseRun, Run, StartTaskRun, TaskEnd, TaskRun
from local.batch.machine.job_nodes import JobNodes
from local.batch.machine.job_schedules import JobSchedules
from local.batch.machine.jobs import Jobs
from local.batch.machine.limits import Limits
from local.batch.machine.node_operations import NodeOperations
from local.batch.machine.node_passages import NodePassages
from local.batch.machine.node_users import NodeUsers
from local.batch.machine.nodes import Nodes
from local.batch.machine.pools import Pools
from local.batch.machine.runs import Runs
from local.batch.machine.start_tasks import StartTasks
from local.batch.machine.state import Alarm, AlarmKind, Moments, Resource, ResourceKey, State
from local.batch.machine.tasks import Tasks
from local.batch.models.common import key_of
from local.batch.models.job import Job
from local.batch.models.job_schedule import JobSchedule
from local.batch.models.pool import Pool
from local.batch.models.task import Task

_OF_POOLS = frozenset(
    {
        AlarmKind.AUTO_POOL_UNUSED,
        AlarmKind.NODES_SETTLE,
        AlarmKind.POOL_SAMPLED,
        AlarmKind.POOL_SCALES,
        AlarmKind.POOL_SETTLES,
    }
)


class Account:
    """Pools, nodes, jobs and tasks of one account, and the operations on them."""

    def __init__(
        self, clock: Callable[[], datetime], *, limits: Limits | None = None, moments: Moments | None = None
    ) -> None:
        """`clock` returns an aware time that never goes back."""
        self.state = State(clock, limits or Limits(), moments or Moments())
        self.job_nodes = JobNodes(self.state)
        self.jobs = Jobs(self.state, self.job_nodes)
        self._start_tasks = StartTasks(self.state)
        self.pools = Pools(self.state, self.jobs, self.job_nodes, self._start_tasks)
        self.auto_scale = AutoScale(self.state, self.pools)
        self._auto_pools = AutoPools(self.state, self.pools)
        self.job_schedules = JobSchedules(self.state, self.jobs)
        self._runs = Runs(self.state, self.jobs, self.job_nodes)
        self.tasks = Tasks(self.state, self.jobs, self._runs)
        self._passages = NodePassages(self.state, self.jobs, self.job_nodes, self._start_tasks)
        self.nodes = Nodes(self.state, self._runs, self._passages)
        self.node_operations = NodeOperations(self.state, self.nodes, self.jobs, self._passages)
        self.node_users = NodeUsers(self.state, self.nodes)

    def restore(
        self,
        pools: Iterable[Pool],
        jobs: Iterable[Job],
        tasks: Iterable[tuple[str, Task]],
        schedules: Iterable[JobSchedule] = (),
    ) -> None:
        """Take what was stored, tasks with the id of their job. What ran is run again, as after a node's reboot."""
        for pool in pools:
            self.state.put_pool(pool)
            self._set_alarm_again(pool.settles_at, AlarmKind.POOL_SETTLES, pool.id)
            self._passages.set_alarms_again(pool)
            self.auto_scale.resume(pool)
        for schedule in schedules:
            self.state.put_schedule(schedule)
            self.state.set_alarm(self.state.now(), AlarmKind.JOB_SCHEDULE_DUE, schedule.id)
        for job in jobs:
            self.state.put_job(job)
            self.jobs.set_time_limit(job)
            self._set_alarm_again(job.settles_at, AlarmKind.JOB_SETTLES, job.id)
        for job_id, task in tasks:
            self.state.put_task(self.state.job(job_id), task)
            self._runs.set_retention(job_id, task)
        for job in list(self.state.jobs.values()):
            for task in self.state.tasks_of(job).running():
                self._runs.run_again_after_restart(self.state.job(job.id), task)
        for pool in list(self.state.pools.values()):
            self.pools.reboot_all(pool)

    def end_task(self, run: Run, end: TaskEnd) -> None:
        """Take a node's report that a run of a task has ended, its output files uploaded."""
        match run:
            case TaskRun():
                self._runs.end(run, end)
            case PreparationRun():
                self._runs.end_preparation(run, end)
            case ReleaseRun():
                self.job_nodes.end_release(run, end)
                if job := self.state.jobs.get(key_of(run.job_id)):
                    self.jobs.settle(job)
            case StartTaskRun():
                self._start_tasks.end(run, end)
                self.jobs.settle_on(run.node_id)

    def advance(self) -> None:
        """Let everything happen that is due at the present time, then start what can start."""
        while alarm := self.state.take_due_alarm():
            self._handle(alarm)
        if not self.state.has_changes:
            return
        for pool in list(self.state.pools.values()):
            if pool.settles_at is not None:
                self.pools.settle(pool)
        for pool in list(self.state.pools.values()):
            self._passages.settle(pool)
            self._runs.start_ready(self.state.pool(pool.id))

    def next_alarm(self) -> datetime | None:
        """Return when `advance` is to be called at the latest, or None if nothing is expected to happen by itself."""
        return self.state.next_alarm()

    def take_commands(self) -> list[Command]:
        """Return what nodes shall do and have not been told yet."""
        return self.state.take_commands()

    def take_changes(self) -> list[tuple[ResourceKey, Resource | None]]:
        """Return the resources that have changed and are not stored yet; None stands for one that is gone."""
        return self.state.take_changes()

    def _set_alarm_again(self, at: datetime | None, kind: AlarmKind, resource_id: str) -> None:
        if at is not None:
            self.state.set_alarm(at, kind, resource_id)

    def _handle(self, alarm: Alarm) -> None:
        key = key_of(alarm.keys[0])
        job, pool = self.state.jobs.get(key), self.state.pools.get(key)
        if pool and alarm.kind in _OF_POOLS:
            self._handle_of_pool(alarm, pool)
        elif alarm.kind is AlarmKind.JOB_SCHEDULE_DUE and key in self.state.schedules:
            self.job_schedules.advance(self.state.schedules[key])
        elif alarm.kind is AlarmKind.AUTO_POOL_WANTED and job:
            self._auto_pools.provide(job)
        elif alarm.kind is AlarmKind.JOB_SETTLES and job:
            self.jobs.settle(job)
        elif alarm.kind is AlarmKind.JOB_TIME_LIMIT and job:
            self.jobs.end_at_time_limit(job)
        elif alarm.kind is AlarmKind.JOB_NODE_TIME_LIMIT and job:
            self.job_nodes.stop_at_time_limit(job, alarm.keys[1], int(alarm.keys[2]))
        elif job and (task := self.state.tasks_of(job).all.get(alarm.keys[-1])):
            if alarm.kind is AlarmKind.TASK_TIME_LIMIT:
                self._runs.stop_at_time_limit(job, task)
            elif alarm.kind is AlarmKind.TASK_FILES_EXPIRE:
                self._runs.remove_expired_files(job, task)

    def _handle_of_pool(self, alarm: Alarm, pool: Pool) -> None:
        if alarm.kind is AlarmKind.POOL_SETTLES:
            self.pools.settle(pool)
        elif alarm.kind is AlarmKind.NODES_SETTLE:
            self._passages.settle(pool)
        elif alarm.kind is AlarmKind.AUTO_POOL_UNUSED:
            self._auto_pools.remove(pool.id, alarm.keys[1])
        elif alarm.kind is AlarmKind.POOL_SCALES:
            self.auto_scale.scale_if_due(pool)
        else:
            self.auto_scale.sample_if_due(pool)
