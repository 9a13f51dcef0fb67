"""The local Batch service's state machine behind the methods of the SDK's client that the app uses, without HTTP.

Requests go through the models of the wire as they do over HTTP; answers carry what the app reads of them. Every request
is counted by its name in the specification, and again if it is refused; `before_request` may fail it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from azure.batch import models
from azure.core.exceptions import HttpResponseError

from local.batch.errors import BatchError
from local.batch.machine.account import Account
from local.batch.machine.commands import Command
from local.batch.machine.limits import Limits
from local.batch.models.job import Job, JobCreate, JobState, JobUpdate
from local.batch.models.pool import PoolCreate
from local.batch.models.task import Task, TaskCreate

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest

PAGE = 1000
T = TypeVar("T")


class BatchAccount:
    """A Batch account in memory, and the client of it."""

    def __init__(self, clock: Callable[[], datetime], quota: int, carry_out: Callable[[Command], None]) -> None:
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.before_request: Callable[[], None] = lambda: None
        self._carry_out = carry_out
        self._account = Account(clock, limits=Limits(active_job_quota=quota))

    # --- the world around the client

    def add_pool(self, pool_id: str, nodes: int, slots: int) -> None:
        """Make a pool of some nodes."""
        spec = PoolCreate(id=pool_id, vm_size="any", target_dedicated_nodes=nodes, task_slots_per_node=slots)
        self.do(lambda account: account.pools.create(spec))

    def next_alarm(self) -> datetime | None:
        """When something happens by itself."""
        return self._account.next_alarm()

    @property
    def open_jobs(self) -> int:
        """How many jobs count for the quota."""
        return len(self._account.state.open_jobs)

    def do(self, operation: Callable[[Account], T]) -> T:
        """Do something to the account, and what follows from it."""
        self._account.advance()
        try:
            return operation(self._account)
        finally:
            self._account.advance()
            self._account.take_changes()
            for command in self._account.take_commands():
                self._carry_out(command)

    # --- the client

    def create_job(self, job: models.BatchJobCreateOptions) -> None:
        """Add a job."""
        spec = JobCreate.model_validate(job.as_dict())
        self._call("Jobs_CreateJob", lambda account: account.jobs.create(spec))

    def get_job(self, job_id: str, select: list[str] | None = None) -> SimpleNamespace:
        """Show a job."""
        del select
        return _job(self._call("Jobs_GetJob", lambda account: account.state.job(job_id)))

    def update_job(self, job_id: str, update: models.BatchJobUpdateOptions) -> None:
        """Change some properties of a job."""
        change = JobUpdate.model_validate(update.as_dict())
        self._call("Jobs_UpdateJob", lambda account: account.jobs.update(job_id, change))

    def list_jobs(self, filter: str, select: list[str]) -> Iterator[SimpleNamespace]:  # noqa: A002 - the SDK's word
        """List the jobs that have not completed, a thousand a request."""
        assert filter == "state ne 'completed'"
        del select
        listed = [job for job in self._account.jobs.all() if job.state is not JobState.COMPLETED]
        for start in range(0, max(1, len(listed)), PAGE):
            self._call("Jobs_ListJobs", lambda _: None)
            yield from map(_job, listed[start : start + PAGE])

    def create_task_collection(self, job_id: str, group: models.BatchTaskGroup) -> SimpleNamespace:
        """Add up to a hundred tasks."""
        specs = [TaskCreate.model_validate(task.as_dict()) for task in group.task_values]
        results = self._call(
            "Tasks_CreateTaskCollection", lambda account: account.tasks.create_collection(job_id, specs)
        )
        return SimpleNamespace(result_values=list(map(_added, specs, results)))

    def list_tasks(self, job_id: str, select: list[str], expand: list[str]) -> Iterator[SimpleNamespace]:
        """List the tasks of a job, a thousand a request."""
        del select, expand
        tasks = self._call("Tasks_ListTasks", lambda account: account.tasks.all(job_id))
        for start in range(0, max(1, len(tasks)), PAGE):
            if start:
                self._call("Tasks_ListTasks", lambda _: None)
            yield from map(_task, tasks[start : start + PAGE])

    def list_pools(self, **_options: Any) -> Iterator[SimpleNamespace]:
        """List the pools."""
        for pool in self._call("Pools_ListPools", lambda account: account.pools.all()):
            yield SimpleNamespace(
                id=pool.id,
                vm_size=pool.vm_size,
                task_slots_per_node=pool.task_slots_per_node,
                target_dedicated_nodes=pool.target_dedicated_nodes,
                target_low_priority_nodes=0,
                allocation_state=pool.allocation_state,
                allocation_state_transition_time=pool.allocation_state_transition_time,
                enable_auto_scale=False,
                resize_errors=(),
            )

    def list_pool_node_counts(self, **_options: Any) -> Iterator[models.BatchPoolNodeCounts]:
        """Count the nodes of each pool by their states."""
        for pool in self._call("Pools_ListPoolNodeCounts", lambda account: account.pools.all()):
            states = Counter(node.state.value for node in pool.nodes)
            counts = models.BatchNodeCounts(dict(states))
            yield models.BatchPoolNodeCounts(pool_id=pool.id, dedicated=counts)

    def send_request(self, request: HttpRequest) -> None:
        """Delete or terminate a job."""
        job_id = request.url.partition("?")[0].split("/")[2]
        if request.method == "DELETE":
            self._call("Jobs_DeleteJob", lambda account: account.jobs.delete(job_id))
        else:
            assert request.url.partition("?")[0].endswith("/terminate")
            self._call("Jobs_TerminateJob", lambda account: account.jobs.terminate(job_id, "simulated"))

    def _call(self, name: str, operation: Callable[[Account], T]) -> T:
        self.before_request()
        self.requests[name] += 1
        try:
            return self.do(operation)
        except BatchError as refusal:
            self.refused[name] += 1
            _raise(refusal)


def _raise(refusal: BatchError) -> NoReturn:
    error = HttpResponseError(refusal.error.message)
    error.status_code = refusal.error.status
    error.error = SimpleNamespace(code=refusal.error.code, message=refusal.error.message)
    raise error from refusal


def _job(job: Job) -> SimpleNamespace:
    info = SimpleNamespace(termination_reason=job.execution_info.terminate_reason)
    return SimpleNamespace(id=job.id, state=job.state.value, metadata=job.metadata, execution_info=info)


def _added(spec: TaskCreate, result: Task | BatchError) -> SimpleNamespace:
    if isinstance(result, BatchError):
        message = SimpleNamespace(value=result.error.message)
        return SimpleNamespace(
            status="ClientError", task_id=spec.id, error=SimpleNamespace(code=result.error.code, message=message)
        )
    return SimpleNamespace(status="Success", task_id=spec.id, error=None)


def _task(task: Task) -> models.BatchTask:
    info = task.execution_info.model_dump(mode="json", by_alias=True, exclude_none=True)
    view = {"id": task.id, "state": task.state.value, "executionInfo": info}
    if task.node_info:
        view["nodeInfo"] = {"poolId": task.node_info.pool_id, "nodeId": task.node_info.node_id}
    return models.BatchTask(view)
