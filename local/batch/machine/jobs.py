"""What clients can ask of jobs, and how a job passes from state to state."""

from __future__ import annotations

from collections.abc import Collection

from local.batch.errors import BatchError, ErrorCode, invalid_property, not_implemented
from local.batch.machine.commands import RemoveTaskDirectory, StopTask, TaskRun
from local.batch.machine.job_nodes import JobNodes
from local.batch.machine.job_states import ENDED_STATES, require_disabled, require_not_deleting, require_open
from local.batch.machine.node_rules import check_network
from local.batch.machine.pool_info_rules import auto_pool_id, check_change, check_pool_info
from local.batch.machine.state import AlarmKind, State
from local.batch.machine.task_moves import active_again
from local.batch.machine.task_rules import check_node_task
from local.batch.models.common import FOR_EVER, key_of
from local.batch.models.job import (
    AllTasksCompleteMode,
    DisableTasks,
    Job,
    JobCreate,
    JobExecutionInfo,
    JobReplace,
    JobSpecification,
    JobState,
    JobUpdate,
    TerminateReason,
)
from local.batch.models.node import RunningTasksOption
from local.batch.models.task import Ending, Task, TaskState

_PASSES_TO = {
    JobState.TERMINATING: JobState.COMPLETED,
    JobState.DISABLING: JobState.DISABLED,
    JobState.ENABLING: JobState.ACTIVE,
}


class Jobs:
    """The operations on jobs."""

    def __init__(self, state: State, job_nodes: JobNodes) -> None:
        self._state = state
        self._job_nodes = job_nodes

    def create(self, spec: JobCreate) -> Job:
        """Add a job. Its pool need not exist: the job then waits for it.

        BatchError: JobExists, ActiveJobAndScheduleQuotaReached.
        """
        self.check(spec)
        if key_of(spec.id) in self._state.jobs:
            raise BatchError(ErrorCode.JOB_EXISTS)
        if key_of(spec.id) in self._state.schedules:
            raise BatchError(ErrorCode.JOB_SCHEDULE_WITH_SAME_ID_EXISTS)
        return self.add(spec, spec.id)

    def check(self, spec: JobSpecification, *, of_schedule: bool = False) -> None:
        """Refuse what no job may be, or not here."""
        check_pool_info(spec.pool_info, self._state.now(), of_schedule=of_schedule)
        _refuse_unsupported(spec)

    def check_quota(self) -> None:
        """Refuse one job or schedule more than the account may have. BatchError ActiveJobAndScheduleQuotaReached."""
        if len(self._state.open_jobs) + len(self._state.open_schedules) >= self._state.limits.active_job_quota:
            raise BatchError(ErrorCode.ACTIVE_JOB_AND_SCHEDULE_QUOTA_REACHED)

    def add(
        self, spec: JobSpecification, job_id: str, *, schedule_id: str | None = None, pool_id: str | None = None
    ) -> Job:
        """Add a job that is all right, of a schedule if one is given, and have its auto pool made.

        `pool_id` is the pool that the jobs of a schedule share. BatchError ActiveJobAndScheduleQuotaReached.
        """
        self.check_quota()
        state, now, e_tag = self._state, self._state.now(), self._state.new_etag()
        info, properties = spec.pool_info, {name: getattr(spec, name) for name in JobSpecification.model_fields}
        if info.auto_pool_specification:
            pool_id = pool_id or auto_pool_id(info.auto_pool_specification, f"{job_id}/{e_tag}")
            state.set_alarm(now, AlarmKind.AUTO_POOL_WANTED, job_id)
        job = Job(
            **properties,
            id=job_id,
            schedule_id=schedule_id,
            e_tag=e_tag,
            last_modified=now,
            creation_time=now,
            state_transition_time=now,
            execution_info=JobExecutionInfo(start_time=now, pool_id=pool_id or str(info.pool_id)),
        )
        state.put_job(job)
        self.set_time_limit(job)
        self.complete_if_done(job)
        return job

    def all(self) -> list[Job]:
        """Return all jobs, by id."""
        return [job for _, job in sorted(self._state.jobs.items())]

    def update(self, job_id: str, update: JobUpdate) -> None:
        """Change the properties that are given (PATCH)."""
        job = self._state.job(job_id)
        require_open(job)
        given = {name: value for name, value in update if value is not None}
        if update.pool_info is not None:
            require_disabled(job)
            check_change(job.pool_info, update.pool_info)
        self._change(job, given)

    def replace(self, job_id: str, replacement: JobReplace) -> None:
        """Change all properties that can be changed; what is not given gets its default (PUT)."""
        job = self._state.job(job_id)
        require_open(job)
        if replacement.pool_info != job.pool_info:
            require_disabled(job)
            check_change(job.pool_info, replacement.pool_info)
        self._change(job, dict(replacement))

    def terminate(self, job_id: str, reason: str) -> None:
        """End a job: running tasks are stopped, active ones stay active for ever."""
        job = self._state.job(job_id)
        require_open(job)
        self.end(job, reason)

    def delete(self, job_id: str) -> None:
        """Remove a job with its tasks and their files, whatever its state."""
        job = self._state.job(job_id)
        require_not_deleting(job)
        self._stop_running(job, Ending.ENDED)
        self._enter(job, JobState.DELETING)

    def disable(self, job_id: str, running: DisableTasks) -> None:
        """Start no more tasks until the job is enabled; `running` says what happens to those that run."""
        job = self._state.job(job_id)
        require_open(job)
        self._disable(job, running)

    def enable(self, job_id: str) -> None:
        """Let a disabled job run tasks again."""
        job = self._state.job(job_id)
        require_open(job)
        if job.state in (JobState.DISABLED, JobState.DISABLING):
            self._enter(job, JobState.ENABLING)

    def end(self, job: Job, reason: str) -> None:
        """Terminate a job for whatever reason; nothing if it has ended already."""
        if job.state in ENDED_STATES:
            return
        self._stop_running(job, Ending.ENDED)
        execution = job.execution_info.changed(terminate_reason=reason)
        self._enter(job.changed(execution_info=execution), JobState.TERMINATING)

    def disable_after_failure(self, job: Job) -> None:
        """Perform the job action `disable` of an exit condition."""
        if job.state is JobState.ACTIVE:
            self._disable(job, DisableTasks.REQUEUE)

    def complete_if_done(self, job: Job) -> None:
        """End a job that shall end with its last task, if no task is left; a job without tasks has none left."""
        if (
            job.state is JobState.ACTIVE
            and job.on_all_tasks_complete is AllTasksCompleteMode.TERMINATE_JOB
            and self._state.tasks_of(job).all_completed
        ):
            self.end(job, TerminateReason.ALL_TASKS_COMPLETE)

    def settle(self, job: Job) -> None:
        """Let a passing state end, if its time has come, no task runs any more, and release tasks have run."""
        now = self._state.now()
        if job.settles_at is None or now < job.settles_at or self._state.tasks_of(job).running_count:
            return
        if job.state in ENDED_STATES and not self._job_nodes.release(job):
            return
        if job.state is JobState.DELETING:
            self._remove(job)
            return
        settled = job.moved(_PASSES_TO[job.state], now).changed(settles_at=None)
        if settled.state is JobState.COMPLETED:
            settled = settled.changed(execution_info=settled.execution_info.changed(end_time=now))
            self._announce_end(settled)
        self._state.put_job(settled)
        self.complete_if_done(settled)

    def settle_on(self, node_id: str) -> None:
        """Settle the jobs that have been on a node: they may wait for it to run their release tasks."""
        for job in list(self._state.jobs.values()):
            if any(here.node_id == node_id for here in job.on_nodes):
                self.settle(job)

    def set_time_limit(self, job: Job) -> None:
        """Have the job ended at its `maxWallClockTime`."""
        if job.constraints.max_wall_clock_time < FOR_EVER:
            at = job.creation_time + job.constraints.max_wall_clock_time
            self._state.set_alarm(at, AlarmKind.JOB_TIME_LIMIT, job.id)

    def end_at_time_limit(self, job: Job) -> None:
        """End a job whose `maxWallClockTime` has passed."""
        if self._state.now() - job.creation_time >= job.constraints.max_wall_clock_time:
            self.end(job, TerminateReason.MAX_WALL_CLOCK_TIME_EXPIRY)

    def stop_task(self, job: Job, task: Task, ending: Ending) -> None:
        """Have a running task stopped; the node reports its end. What it is stopped for first, holds.

        One that is still preparing waits for a node again.
        """
        if task.state is TaskState.PREPARING:
            self._state.put_task(job, active_again(task, self._state.now()))
        elif task.ending is None:
            self._state.put_task(job, task.changed(ending=ending))
            run = TaskRun(job.id, task.id, task.run)
            self._state.command(StopTask(run, uploads=ending is Ending.ENDED))

    def stop_tasks_on(self, node_ids: Collection[str], option: RunningTasksOption) -> None:
        """Have all tasks stopped that run on these nodes, or are preparing to, unless they may go on to their end."""
        if option is RunningTasksOption.TASK_COMPLETION:
            return
        ending = Ending.ENDED if option is RunningTasksOption.TERMINATE else Ending.REQUEUED
        for job in list(self._state.jobs.values()):
            for task in self._state.tasks_of(job).running():
                if task.node_info and task.node_info.node_id in node_ids:
                    self.stop_task(job, task, ending)

    def _change(self, job: Job, properties: dict[str, object]) -> None:
        mode = properties.get("on_all_tasks_complete", job.on_all_tasks_complete)
        if (job.on_all_tasks_complete, mode) == (AllTasksCompleteMode.TERMINATE_JOB, AllTasksCompleteMode.NO_ACTION):
            raise invalid_property("onAllTasksComplete", mode, "It cannot be changed from terminatejob to noaction.")
        changed = job.changed(**properties, e_tag=self._state.new_etag(), last_modified=self._state.now())
        self.check(changed, of_schedule=job.schedule_id is not None)
        if changed.pool_info.auto_pool_specification:
            self._state.set_alarm(self._state.now(), AlarmKind.AUTO_POOL_WANTED, job.id)
        pool_id = changed.pool_info.pool_id or job.pool_id
        changed = changed.changed(execution_info=job.execution_info.changed(pool_id=pool_id))
        self._state.put_job(changed)
        self.set_time_limit(changed)
        self.complete_if_done(changed)

    def _disable(self, job: Job, running: DisableTasks) -> None:
        if job.state in (JobState.DISABLED, JobState.DISABLING):
            return
        if running is not DisableTasks.WAIT:
            requeue = running is DisableTasks.REQUEUE
            self._stop_running(job, Ending.REQUEUED if requeue else Ending.ENDED)
        self._enter(job, JobState.DISABLING)

    def _stop_running(self, job: Job, ending: Ending) -> None:
        if ending is Ending.ENDED:
            self._job_nodes.stop_preparations(job)
        for task in self._state.tasks_of(job).running():
            self.stop_task(job, task, ending)

    def _remove(self, job: Job) -> None:
        for task in self._state.tasks_of(job).all.values():
            if node := task.node_info:
                self._state.command(RemoveTaskDirectory(node.pool_id, node.node_id, job.id, task.id))
        for here in job.on_nodes:
            for node_task in (job.job_preparation_task, job.job_release_task):
                if node_task:
                    self._state.command(RemoveTaskDirectory(here.pool_id, here.node_id, job.id, node_task.id))
        self._announce_end(job)
        self._state.remove_job(job)

    def _announce_end(self, job: Job) -> None:
        """Let what depends on a job's end happen: its auto pool goes, and its schedule may make the next."""
        if job.pool_info.auto_pool_specification:
            self._state.set_alarm(self._state.now(), AlarmKind.AUTO_POOL_UNUSED, job.pool_id, job.id)
        if job.schedule_id:
            self._state.set_alarm(self._state.now(), AlarmKind.JOB_SCHEDULE_DUE, job.schedule_id)

    def _enter(self, job: Job, passing: JobState) -> None:
        now = self._state.now()
        settles_at = now + self._state.moments.settling
        self._state.put_job(job.moved(passing, now).changed(settles_at=settles_at))
        self._state.set_alarm(settles_at, AlarmKind.JOB_SETTLES, job.id)


def _refuse_unsupported(spec: JobSpecification) -> None:
    _refuse_preparation(spec)
    check_network(spec.network_configuration)
    if spec.job_manager_task is not None:
        raise not_implemented("jobManagerTask")


def _refuse_preparation(spec: JobSpecification) -> None:
    preparation, release = spec.job_preparation_task, spec.job_release_task
    if release and not preparation:
        raise invalid_property("jobReleaseTask", release.id, "It needs a jobPreparationTask.")
    if preparation and release and key_of(preparation.id) == key_of(release.id):
        raise invalid_property("jobReleaseTask", release.id, "It has the id of the jobPreparationTask.")
    for task in filter(None, (preparation, release)):
        check_node_task(task)
