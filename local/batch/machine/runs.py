"""The runs of tasks: how a task starts on a node, and what its end brings about."""

from __future__ import annotations

from local.batch.failures import FailureCode
from local.batch.machine.attempts import has_retries_left, shall_retry
from local.batch.machine.commands import PreparationRun, RemoveTaskDirectory, RunTask, TaskEnd, TaskRun
from local.batch.machine.exit_conditions import exit_actions
from local.batch.machine.job_nodes import JobNodes, Readiness
from local.batch.machine.jobs import Jobs
from local.batch.machine.retention import files_expire_at
from local.batch.machine.scheduler import Assignment, Candidate, next_assignment
from local.batch.machine.state import AlarmKind, State
from local.batch.machine.statistics import with_run
from local.batch.machine.task_moves import active_again, completed, requeued, waiting_for_retry
from local.batch.models.common import FOR_EVER, key_of
from local.batch.models.job import Job, JobState, TaskFailureMode, TerminateReason
from local.batch.models.pool import Pool, PoolState
from local.batch.models.task import Ending, JobAction, NodeInfo, Task, TaskState


class Runs:
    """Starts tasks on nodes and takes their ends."""

    def __init__(self, state: State, jobs: Jobs, job_nodes: JobNodes) -> None:
        self._state = state
        self._jobs = jobs
        self._job_nodes = job_nodes

    def start_ready(self, pool: Pool) -> None:
        """Start every task of the pool's jobs that can start now."""
        free = self._free_slots(pool)
        policy = pool.task_scheduling_policy
        while any(free.values()):
            candidates = self._candidates(pool)
            found = next_assignment(candidates, free, policy.node_fill_type, policy.job_default_order)
            if found is None:
                return
            free[found.node_id] -= found.task.required_slots
            self._start(pool, found)

    def end(self, run: TaskRun, end: TaskEnd) -> None:
        """Take a node's report of the end of a run; one of an earlier run, or of a deleted task, changes nothing."""
        tasks = self._state.tasks.get(key_of(run.job_id))
        task = tasks.all.get(key_of(run.task_id)) if tasks else None
        if task is None or task.state is not TaskState.RUNNING or task.run != run.run:
            return
        job = self._state.job(run.job_id)
        task = with_run(task, end.used, self._state.now())
        if task.ending is Ending.REQUEUED:
            self._state.put_task(job, requeued(task, self._state.now()))
        elif task.ending is None and shall_retry(end, _retry_limit(task), task.execution_info.retry_count):
            self._state.put_task(job, waiting_for_retry(task, self._state.now()))
        else:
            failure = FailureCode.TASK_ENDED.info() if task.ending else end.failure
            self.complete(job, task, TaskEnd(end.exit_code, failure, end.container))
        self._jobs.settle(self._state.job(run.job_id))

    def end_preparation(self, run: PreparationRun, end: TaskEnd) -> None:
        """Take a node's report of a job's preparation; then the tasks that wait for it run there, or elsewhere."""
        if not self._job_nodes.end_preparation(run, end):
            return
        job = self._state.job(run.job_id)
        for task in self._state.tasks_of(job).running():
            here = task.node_info and task.node_info.node_id == run.node_id
            if here and task.state is TaskState.PREPARING:
                self._start_prepared(self._state.job(run.job_id), task, run.node_id)
        self._jobs.settle(self._state.job(run.job_id))

    def complete(self, job: Job, task: Task, end: TaskEnd) -> None:
        """Complete a task, then do what its exit conditions and the job's settings ask for."""
        ended = self._state.put_task(job, completed(task, end, self._state.now()))
        self.set_retention(job.id, ended)
        if job.on_task_failure is TaskFailureMode.PERFORM_EXIT_OPTIONS_JOB_ACTION:
            action = exit_actions(ended).job
            if action is JobAction.TERMINATE:
                self._jobs.end(job, TerminateReason.TASK_FAILED)
            elif action is JobAction.DISABLE:
                self._jobs.disable_after_failure(job)
        self._jobs.complete_if_done(self._state.job(job.id))

    def run_again_after_restart(self, job: Job, task: Task) -> None:
        """Put back a task whose node went away, which is not counted; it has ended if its job does not run any more."""
        if task.ending is Ending.ENDED or job.state is not JobState.ACTIVE:
            self.complete(job, task, TaskEnd(failure=FailureCode.TASK_ENDED.info()))
            return
        self._state.put_task(job, active_again(task, self._state.now()))

    def lose_all(self, pool_id: str, node_id: str) -> None:
        """Put back every task of a node that died or was preempted; what was being ended has ended.

        Neither `retryCount` nor `requeueCount` counts that: "retries due to recovery operations are independent of and
        are not counted against the maxTaskRetryCount" (BatchTask in the SDKs), and requeues are those that "the user
        can specify" when nodes are removed or jobs disabled (BatchTaskExecutionInfo.requeueCount).
        """
        for job in list(self._state.jobs.values()):
            for task in self._state.tasks_of(job).running():
                if task.node_info == NodeInfo(pool_id=pool_id, node_id=node_id):
                    self._lose(self._state.job(job.id), task)

    def set_retention(self, job_id: str, task: Task) -> None:
        """Have the files of a completed task removed from its node at the end of its `retentionTime`."""
        if at := files_expire_at(task):
            self._state.set_alarm(at, AlarmKind.TASK_FILES_EXPIRE, job_id, task.id)

    def remove_expired_files(self, job: Job, task: Task) -> None:
        """Remove the files of a task from its node if their time is over."""
        at, node = files_expire_at(task), task.node_info
        if at and node and at <= self._state.now():
            self._state.command(RemoveTaskDirectory(node.pool_id, node.node_id, job.id, task.id))

    def set_time_limit(self, job: Job, task: Task) -> None:
        """Have a running task stopped at its `maxWallClockTime`."""
        limit, started = task.constraints.max_wall_clock_time, task.execution_info.start_time
        if limit < FOR_EVER and task.state is TaskState.RUNNING and started:
            self._state.set_alarm(started + limit, AlarmKind.TASK_TIME_LIMIT, job.id, task.id)

    def stop_at_time_limit(self, job: Job, task: Task) -> None:
        """Stop a task whose `maxWallClockTime` has passed."""
        started = task.execution_info.start_time
        if task.state is not TaskState.RUNNING or started is None:
            return
        if self._state.now() - started >= task.constraints.max_wall_clock_time:
            self._jobs.stop_task(job, task, Ending.ENDED)

    def _lose(self, job: Job, task: Task) -> None:
        if task.ending is Ending.ENDED:
            self.complete(job, task, TaskEnd(failure=FailureCode.TASK_ENDED.info()))
        else:
            self._state.put_task(job, active_again(task, self._state.now()))
        self._jobs.settle(self._state.job(job.id))

    def _free_slots(self, pool: Pool) -> dict[str, int]:
        if pool.state is not PoolState.ACTIVE:
            return {}
        usable = (node.id for node in pool.nodes if node.takes_tasks)
        return {node_id: pool.task_slots_per_node - self._state.used_slots[node_id] for node_id in usable}

    def _candidates(self, pool: Pool) -> list[Candidate]:
        pool_key = key_of(pool.id)
        jobs = (self._state.jobs[key] for key in self._state.jobs_with_ready_tasks)
        return [
            Candidate(job, self._state.tasks_of(job), self._job_nodes.refused(job))
            for job in jobs
            if job.state is JobState.ACTIVE and key_of(job.pool_id) == pool_key
        ]

    def _start(self, pool: Pool, assignment: Assignment) -> None:
        job, task, now = assignment.job, assignment.task, self._state.now()
        task = task.changed(node_info=NodeInfo(pool_id=pool.id, node_id=assignment.node_id))
        readiness = self._job_nodes.prepare(job, pool.id, assignment.node_id)
        if readiness is Readiness.PREPARING:
            self._state.put_task(job, task.moved(TaskState.PREPARING, now))
        else:
            self._run(self._state.job(job.id), task, pool, assignment.node_id)

    def _start_prepared(self, job: Job, task: Task, node_id: str) -> None:
        pool = self._state.pools.get(key_of(job.pool_id))
        if pool and job.state is JobState.ACTIVE and self._job_nodes.readiness(job, node_id) is Readiness.READY:
            self._run(job, task, pool, node_id)
        else:
            self._state.put_task(job, active_again(task, self._state.now()))

    def _run(self, job: Job, task: Task, pool: Pool, node_id: str) -> None:
        now = self._state.now()
        execution = task.execution_info.changed(start_time=now)
        is_retry = task.retrying
        if is_retry:
            execution = execution.changed(last_retry_time=now)
        task = task.moved(TaskState.RUNNING, now).changed(execution_info=execution, run=task.run + 1, retrying=False)
        self._state.put_task(job, task)
        self._job_nodes.note_task(job, pool.id, node_id)
        self.set_time_limit(job, task)
        left = has_retries_left(_retry_limit(task), task.execution_info.retry_count)
        run = TaskRun(job.id, task.id, task.run)
        self._state.command(RunTask(run, task, task.id, pool, node_id, job, left, is_retry))


def _retry_limit(task: Task) -> int:
    return task.constraints.max_task_retry_count or 0
