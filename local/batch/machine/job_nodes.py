"""What a job has on its nodes: the preparation task before its first task there, the release task when it ends.

https://learn.microsoft.com/azure/batch/batch-job-prep-release
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto

from local.batch.errors import BatchError, ErrorCode
from local.batch.failures import FailureCode
from local.batch.machine.attempts import begun, begun_again, ended, has_retries_left, shall_retry
from local.batch.machine.commands import PreparationRun, ReleaseRun, RunTask, StopTask, TaskEnd
from local.batch.machine.job_states import ENDED_STATES
from local.batch.machine.state import AlarmKind, State
from local.batch.models.common import FOR_EVER, key_of
from local.batch.models.job import Job, JobOnNode, JobPreparationTask, JobReleaseTask
from local.batch.models.node_task import NodeTaskExecutionInfo
from local.batch.models.pool import NodeState


class Readiness(Enum):
    """Whether a node can run tasks of a job."""

    READY = auto()
    PREPARING = auto()
    REFUSED = auto()


class JobNodes:
    """Runs the preparation and release tasks of jobs, and knows how they went on each node."""

    def __init__(self, state: State) -> None:
        self._state = state

    def statuses(self, job_id: str) -> list[JobOnNode]:
        """Return how preparation and release went on each node of a job, by node id, removed nodes included.

        BatchError: JobNotFound, JobPreparationTaskNotSpecified.
        """
        job = self._state.job(job_id)
        if job.job_preparation_task is None:
            raise BatchError(ErrorCode.JOB_PREPARATION_TASK_NOT_SPECIFIED)
        return sorted((here for here in job.on_nodes if here.preparation), key=lambda here: here.node_id)

    def readiness(self, job: Job, node_id: str) -> Readiness:
        """Whether a node can run tasks of a job as far as its preparation goes."""
        task, here = job.job_preparation_task, _on_node(job, node_id)
        info = here.preparation if here else None
        if task is None or (info and (info.succeeded or not task.wait_for_success)):
            return Readiness.READY
        if info is None or info.is_running:
            return Readiness.PREPARING
        return Readiness.REFUSED

    def refused(self, job: Job) -> frozenset[str]:
        """Return the nodes that run no task of a job, because its preparation failed there."""
        nodes = (here.node_id for here in job.on_nodes)
        return frozenset(node for node in nodes if self.readiness(job, node) is Readiness.REFUSED)

    def prepare(self, job: Job, pool_id: str, node_id: str) -> Readiness:
        """Have a job's preparation task run on a node unless it has; say whether tasks can run there at once."""
        here = _on_node(job, node_id) or JobOnNode(pool_id=pool_id, node_id=node_id)
        if job.job_preparation_task and here.preparation is None:
            job = self._start_preparation(job, job.job_preparation_task, here, begun(self._state.now()))
        return self.readiness(job, node_id)

    def note_task(self, job: Job, pool_id: str, node_id: str) -> None:
        """Note that a task of a job with a preparation task runs on a node, which is to be released later."""
        here = _on_node(job, node_id) or JobOnNode(pool_id=pool_id, node_id=node_id)
        if job.job_preparation_task and not here.ran_tasks:
            self._put(job, here.changed(ran_tasks=True))

    def end_preparation(self, run: PreparationRun, end: TaskEnd) -> bool:
        """Take a node's report; return whether this was the last attempt. One of an earlier run changes nothing."""
        job = self._state.jobs.get(key_of(run.job_id))
        here = _running_here(job, run)
        if job is None or here is None or here.preparation is None or job.job_preparation_task is None:
            return False
        task, info, now = job.job_preparation_task, here.preparation, self._state.now()
        if job.state not in ENDED_STATES and shall_retry(end, _retry_limit(task), info.retry_count):
            self._start_preparation(job, task, here, begun_again(info, now))
            return False
        self._put(job, here.changed(preparation=ended(info, end, now)))
        return True

    def stop_preparations(self, job: Job) -> None:
        """Stop the preparation tasks that still run, because their job has ended."""
        for here in job.on_nodes:
            if here.preparation and here.preparation.is_running:
                self._state.command(StopTask(PreparationRun(job.id, here.node_id, here.run)))

    def release(self, job: Job) -> bool:
        """Have the release task run on each node that needs it; whether all that there was to do is done."""
        task = job.job_release_task
        waiting = [here for here in job.on_nodes if task and self._needs_release(here)]
        for here in waiting:
            if task and self._node_state(here) is NodeState.IDLE:
                self._start_release(job, task, here)
        return not waiting and not any(_is_busy(here) for here in job.on_nodes)

    def end_release(self, run: ReleaseRun, end: TaskEnd) -> None:
        """Take a node's report; one of an earlier run changes nothing."""
        job = self._state.jobs.get(key_of(run.job_id))
        here = _running_here(job, run)
        if job and here and here.release and here.release.is_running:
            self._put(job, here.changed(release=ended(here.release, end, self._state.now())))

    def stop_at_time_limit(self, job: Job, node_id: str, run: int) -> None:
        """Stop a preparation or release task that has run for as long as it may."""
        here = next((here for here in job.on_nodes if key_of(here.node_id) == node_id and here.run == run), None)
        if here and here.release and here.release.is_running:
            self._state.command(StopTask(ReleaseRun(job.id, here.node_id, run)))
        elif here and here.preparation and here.preparation.is_running:
            self._state.command(StopTask(PreparationRun(job.id, here.node_id, run)))

    def node_rebooted(self, node_id: str, *, wiped: bool) -> None:
        """Have preparations run again that a reboot interrupts or undoes; one whose disk is new has never run them."""
        for job in list(self._state.jobs.values()):
            here, task = _on_node(job, node_id), job.job_preparation_task
            if here is None or task is None or here.preparation is None:
                continue
            release = None if here.release and here.release.is_running else here.release
            again = here.preparation.is_running or (here.release is None and task.rerun_on_node_reboot_after_success)
            kept = None if wiped or again else here.preparation
            ran = here.ran_tasks and not wiped
            self._put(job, here.changed(preparation=kept, release=release, ran_tasks=ran, run=here.run + 1))

    def node_removed(self, node_id: str) -> None:
        """End what runs on a node that is no more."""
        end = TaskEnd(failure=FailureCode.TASK_ENDED.info())
        for job in list(self._state.jobs.values()):
            here = _on_node(job, node_id)
            if here and _is_busy(here):
                infos = {"preparation": here.preparation, "release": here.release}
                now = self._state.now()
                over = {name: ended(info, end, now) for name, info in infos.items() if info and info.is_running}
                self._put(job, here.changed(**over, run=here.run + 1))

    def _start_preparation(
        self, job: Job, task: JobPreparationTask, here: JobOnNode, info: NodeTaskExecutionInfo
    ) -> Job:
        here = here.changed(preparation=info, run=here.run + 1)
        job = self._put(job, here)
        run, pool = PreparationRun(job.id, here.node_id, here.run), self._state.pool(here.pool_id)
        left = has_retries_left(_retry_limit(task), info.retry_count)
        self._state.command(RunTask(run, task, task.id, pool, here.node_id, job, retries_left=left))
        self._set_time_limit(job, here, task.constraints.max_wall_clock_time)
        return job

    def _start_release(self, job: Job, task: JobReleaseTask, here: JobOnNode) -> None:
        here = here.changed(release=begun(self._state.now()), run=here.run + 1)
        job = self._put(job, here)
        run, pool = ReleaseRun(job.id, here.node_id, here.run), self._state.pool(here.pool_id)
        self._state.command(RunTask(run, task, task.id, pool, here.node_id, job))
        self._set_time_limit(job, here, task.max_wall_clock_time)

    def _needs_release(self, here: JobOnNode) -> bool:
        """Whether tasks ran on a node, after its preparation had ended, that is still there and not released yet."""
        prepared = here.preparation is not None and not here.preparation.is_running
        return prepared and here.ran_tasks and here.release is None and self._node_state(here) is not None

    def _node_state(self, here: JobOnNode) -> NodeState | None:
        pool = self._state.pools.get(key_of(here.pool_id))
        nodes = pool.nodes if pool else ()
        return next((node.state for node in nodes if node.id == here.node_id), None)

    def _set_time_limit(self, job: Job, here: JobOnNode, limit: timedelta) -> None:
        if limit < FOR_EVER:
            at = self._state.now() + limit
            self._state.set_alarm(at, AlarmKind.JOB_NODE_TIME_LIMIT, job.id, here.node_id, str(here.run))

    def _put(self, job: Job, here: JobOnNode) -> Job:
        job = self._state.job(job.id)
        others = tuple(other for other in job.on_nodes if other.node_id != here.node_id)
        return self._state.put_job(job.changed(on_nodes=(*others, here)))


def _on_node(job: Job, node_id: str) -> JobOnNode | None:
    return next((here for here in job.on_nodes if here.node_id == node_id), None)


def _running_here(job: Job | None, run: PreparationRun | ReleaseRun) -> JobOnNode | None:
    here = _on_node(job, run.node_id) if job else None
    return here if here and here.run == run.run else None


def _is_busy(here: JobOnNode) -> bool:
    return any(info and info.is_running for info in (here.preparation, here.release))


def _retry_limit(task: JobPreparationTask) -> int:
    return task.constraints.max_task_retry_count or 0
