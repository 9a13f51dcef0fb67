"""What clients can ask of tasks."""

from __future__ import annotations

from collections.abc import Iterable

from local.batch.errors import BatchError, ErrorCode
from local.batch.failures import FailureCode
from local.batch.machine.commands import RemoveTaskDirectory, TaskEnd
from local.batch.machine.job_states import require_active, require_open
from local.batch.machine.jobs import Jobs
from local.batch.machine.runs import Runs
from local.batch.machine.state import State
from local.batch.machine.task_rules import check_task
from local.batch.models.common import key_of
from local.batch.models.job import Job
from local.batch.models.task import Ending, Task, TaskConstraints, TaskCreate, TaskExecutionInfo, TaskReplace, TaskState


class Tasks:
    """The operations on tasks."""

    def __init__(self, state: State, jobs: Jobs, runs: Runs) -> None:
        self._state = state
        self._jobs = jobs
        self._runs = runs

    def create(self, job_id: str, spec: TaskCreate) -> Task:
        """Add a task to an active job. BatchError: TaskExists, and what the job's state or the task rules refuse."""
        job = self._state.job(job_id)
        require_active(job)
        check_task(job, spec)
        if key_of(spec.id) in self._state.tasks_of(job).all:
            raise BatchError(ErrorCode.TASK_EXISTS)
        now = self._state.now()
        task = Task(
            **dict(spec),
            e_tag=self._state.new_etag(),
            last_modified=now,
            creation_time=now,
            state_transition_time=now,
        )
        task = task.changed(constraints=_with_retries_of(job, task))
        return self._state.put_task(job, task)

    def create_collection(self, job_id: str, specs: Iterable[TaskCreate]) -> list[Task | BatchError]:
        """Add tasks to an active job; return for each the task, or why it was refused."""
        require_active(self._state.job(job_id))
        return [self._create_or_refuse(job_id, spec) for spec in specs]

    def all(self, job_id: str) -> list[Task]:
        """Return the tasks of a job, by id."""
        tasks = self._state.tasks_of(self._state.job(job_id))
        return [task for _, task in sorted(tasks.all.items())]

    def replace(self, job_id: str, task_id: str, replacement: TaskReplace) -> None:
        """Change the constraints of a task that has not completed."""
        job, task = self._find(job_id, task_id)
        if task.state is TaskState.COMPLETED:
            raise BatchError(ErrorCode.TASK_COMPLETED)
        task = task.changed(constraints=replacement.constraints, e_tag=self._state.new_etag())
        task = task.changed(constraints=_with_retries_of(job, task), last_modified=self._state.now())
        self._runs.set_time_limit(job, self._state.put_task(job, task))

    def terminate(self, job_id: str, task_id: str) -> None:
        """End a task; a running one is stopped first and completes when the node says so."""
        job, task = self._find(job_id, task_id)
        if task.state is TaskState.COMPLETED:
            raise BatchError(ErrorCode.TASK_COMPLETED)
        if task.state is TaskState.RUNNING:
            self._jobs.stop_task(job, task, Ending.ENDED)
        else:
            self._runs.complete(job, task, TaskEnd(failure=FailureCode.TASK_ENDED.info()))

    def reactivate(self, job_id: str, task_id: str) -> None:
        """Let a task that failed run again, with all its retries.

        BatchError: TaskNotCompleted, TaskSucceeded, and what the job's state refuses.
        """
        job, task = self._find(job_id, task_id)
        require_open(job)
        if task.state is not TaskState.COMPLETED:
            raise BatchError(ErrorCode.TASK_NOT_COMPLETED)
        if task.execution_info.exit_code == 0:
            raise BatchError(ErrorCode.TASK_SUCCEEDED)
        again = task.moved(TaskState.ACTIVE, self._state.now())
        self._state.put_task(job, again.changed(execution_info=TaskExecutionInfo(), node_info=None))

    def delete(self, job_id: str, task_id: str) -> None:
        """Forget a task and remove its files; if it runs, it is stopped."""
        job, task = self._find(job_id, task_id)
        if task.state is TaskState.RUNNING:
            self._jobs.stop_task(job, task, Ending.ENDED)
        if task.node_info:
            node = task.node_info
            self._state.command(RemoveTaskDirectory(node.pool_id, node.node_id, job.id, task.id))
        self._state.remove_task(job, task)
        self._jobs.complete_if_done(job)

    def _create_or_refuse(self, job_id: str, spec: TaskCreate) -> Task | BatchError:
        try:
            return self.create(job_id, spec)
        except BatchError as refusal:
            return refusal

    def _find(self, job_id: str, task_id: str) -> tuple[Job, Task]:
        return self._state.job(job_id), self._state.task(job_id, task_id)


def _with_retries_of(job: Job, task: Task) -> TaskConstraints:
    own = task.constraints.max_task_retry_count
    return task.constraints.changed(max_task_retry_count=job.constraints.max_task_retry_count if own is None else own)
