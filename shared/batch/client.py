"""Every call to Azure Batch. The SDK's objects do not leave this module: callers get the app's own."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from azure.batch import models
from azure.core.rest import HttpRequest

from shared.batch.errors import ENDED, GONE, Code, batch_errors
from shared.batch.pools import NODE_STATES, Pool
from shared.batch_job import ORIGIN, chunks
from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.documents.usage import Usage
from shared.errors import BatchRefused, JobConflict, TryLater
from shared.parallel import in_parallel

if TYPE_CHECKING:
    from azure.batch import BatchClient

API_VERSION = "2025-06-01"
POOLS_FRESH_SECONDS = 60.0
OUT_OF_TIME = "MaxWallClockTimeExpiry"
TERMINATE_REASON = "AzureBatchTaskRunner"


@dataclass(frozen=True)
class LiveJobs:
    """The ids of jobs that have not completed, and the origins by id of those that are neither ending nor disabled."""

    ids: frozenset[str]
    active: Mapping[str, str]


class Batch:
    """The Batch account. Every method raises TryLater when Batch is busy, limits requests or cannot be reached."""

    def __init__(self, client: BatchClient) -> None:
        self._client = client
        self._pools: dict[str, Pool] = {}
        self._pools_read = -POOLS_FRESH_SECONDS

    def create_job(self, job: models.BatchJobCreateOptions) -> bool:
        """Create a job. False if it exists already and its metadata say that it is the same round of the same run.

        Raises QuotaReached, BatchRefused (also if another program created the job), or TryLater if it is being deleted.
        """
        try:
            with batch_errors():
                self._client.create_job(job)
        except JobConflict as conflict:
            if conflict.code != Code.JOB_EXISTS:
                raise
            self._check_is_same_round(job)
            return False
        return True

    def _check_is_same_round(self, job: models.BatchJobCreateOptions) -> None:
        try:
            with batch_errors():
                existing = self._client.get_job(job.id)
        except JobConflict as conflict:
            raise TryLater(f"The job {job.id} has just been deleted; it is created again later.") from conflict
        if existing.state == models.BatchJobState.DELETING:
            raise TryLater(f"The job {job.id} is being deleted; it is created again later.")
        if _metadata(existing.metadata) != _metadata(job.metadata):
            message = f"a job {job.id} exists that this run did not create; delete it, or drop the manifest again"
            raise BatchRefused(Code.JOB_EXISTS, message)

    def add_tasks(self, job_id: str, tasks: Sequence[models.BatchTaskCreateOptions]) -> None:
        """Add all tasks. Tasks that exist already are the same ones: every submitter plans the same ids and contents.

        Raises JobConflict if the job has ended or was deleted, and BatchRefused for the first task that Batch refuses.
        The SDK's own `create_tasks` is not used: it repeats server errors without a bound.
        """
        in_parallel(lambda places: self._add_chunk(job_id, tasks[places]), chunks(tasks))

    def _add_chunk(self, job_id: str, chunk: Sequence[models.BatchTaskCreateOptions]) -> None:
        try:
            with batch_errors():
                result = self._client.create_task_collection(job_id, models.BatchTaskGroup(task_values=list(chunk)))
        except BatchRefused as refusal:
            if refusal.code != Code.BODY_TOO_LARGE or len(chunk) == 1:
                raise
            middle = len(chunk) // 2
            self._add_chunk(job_id, chunk[:middle])
            self._add_chunk(job_id, chunk[middle:])
            return
        for added in result.result_values or ():
            _check_added(added)

    def end_when_tasks_end(self, job_id: str) -> None:
        """Let the job complete when all its tasks have. This cannot be undone, and completes an empty job at once."""
        update = models.BatchJobUpdateOptions(all_tasks_complete_mode=models.BatchAllTasksCompleteMode.TERMINATE_JOB)
        with batch_errors():
            self._client.update_job(job_id, update)

    def live_jobs(self) -> LiveJobs:
        """The jobs of the account that have not completed: one request per thousand of them."""
        with batch_errors():
            select = ["id", "state", "metadata"]
            listed = list(self._client.list_jobs(filter="state ne 'completed'", select=select))
        active = (job for job in listed if job.state == models.BatchJobState.ACTIVE)
        return LiveJobs(
            frozenset(job.id for job in listed), {job.id: _metadata(job.metadata).get(ORIGIN, "") for job in active}
        )

    def has_ended(self, job_id: str) -> bool:
        """Whether a job has completed or was deleted."""
        try:
            with batch_errors():
                job = self._client.get_job(job_id, select=["id", "state"])
        except JobConflict as conflict:
            if conflict.code in GONE:
                return True
            raise
        return job.state == models.BatchJobState.COMPLETED

    def ran_out_of_time(self, job_id: str) -> bool:
        """Whether Batch ended a job because its `maxWallClockTime`, which is the flow's timeout, was over."""
        try:
            with batch_errors():
                job = self._client.get_job(job_id, select=["id", "executionInfo"])
        except JobConflict as conflict:
            if conflict.code in GONE:
                return False
            raise
        info = job.execution_info
        return info is not None and info.termination_reason == OUT_OF_TIME

    def tasks(self, job_id: str) -> dict[str, EndedTask]:
        """All tasks of a job by id, with what decides how they ended; none if the job does not exist any more."""
        select = ["id", "state", "executionInfo", "nodeInfo", "stats"]  # what is expanded must be selected, too
        try:
            with batch_errors():
                listed = self._client.list_tasks(job_id, select=select, expand=["stats"])
                return {task.id: _ended_task(task) for task in listed}
        except JobConflict as conflict:
            if conflict.code in GONE:
                return {}
            raise

    def terminate(self, job_id: str) -> bool:
        """End a job now, with all its tasks; False if it does not exist. A job that has ended already is unchanged."""
        body = {"terminateReason": TERMINATE_REASON}
        return self._job_request("POST", f"/jobs/{job_id}/terminate", allowed=ENDED, json=body)

    def delete(self, job_id: str) -> None:
        """Delete a job with all its tasks, if it exists."""
        self._job_request("DELETE", f"/jobs/{job_id}")

    def _job_request(
        self, method: str, path: str, *, allowed: frozenset[Code] = frozenset(), json: Mapping[str, str] | None = None
    ) -> bool:
        """A request without the SDK's poller, which waits until the job is deleted; False if the job does not exist.

        `allowed` are the codes of conflicts that leave nothing to do.
        """
        headers = {"Content-Type": "application/json; odata=minimalmetadata"} if json else {}
        request = HttpRequest(method, path, params={"api-version": API_VERSION}, headers=headers, json=json)
        try:
            with batch_errors():
                self._client.send_request(request)
        except JobConflict as conflict:
            if conflict.code not in GONE | allowed:
                raise
            return conflict.code not in GONE
        return True

    def nodes(self) -> dict[str, dict[str, int]]:
        """How many nodes are in which state, by pool."""
        with batch_errors():
            return {counts.pool_id: _node_states(counts) for counts in self._client.list_pool_node_counts()}

    def pools(self, *, at_least: str) -> Mapping[str, Pool]:
        """The account's pools by id, read once a minute, and again if the pool `at_least` is not among them."""
        is_fresh = time.monotonic() - self._pools_read < POOLS_FRESH_SECONDS
        if not is_fresh or at_least not in self._pools:
            with batch_errors():
                self._pools = {pool.id: _pool(pool) for pool in self._client.list_pools(select=_OF_POOLS)}
            self._pools_read = time.monotonic()
        return self._pools


_OF_POOLS = [
    "id", "taskSlotsPerNode", "allocationState", "allocationStateTransitionTime", "enableAutoScale", "resizeErrors",
    "targetDedicatedNodes", "targetLowPriorityNodes", "vmSize",
]  # fmt: skip


def _pool(pool: models.BatchPool) -> Pool:
    errors = [f"{error.code}: {error.message}" for error in pool.resize_errors or ()]
    return Pool(
        id=pool.id,
        slots_per_node=pool.task_slots_per_node or 1,
        vm_size=pool.vm_size,
        target_nodes=(pool.target_dedicated_nodes or 0) + (pool.target_low_priority_nodes or 0),
        is_resizing=pool.allocation_state == models.AllocationState.RESIZING,
        has_autoscale=bool(pool.enable_auto_scale),
        resize_errors=tuple(errors),
        resized=pool.allocation_state_transition_time,
    )


def _node_states(counts: models.BatchPoolNodeCounts) -> dict[str, int]:
    """Dedicated and low-priority nodes together, by the SDK's names of their states."""
    kinds = [kind for kind in (counts.dedicated, counts.low_priority) if kind]
    return {state: sum(getattr(kind, state) or 0 for kind in kinds) for state in NODE_STATES}


def _ended_task(task: models.BatchTask) -> EndedTask:
    info = task.execution_info or models.BatchTaskExecutionInfo(retry_count=0, requeue_count=0)
    return EndedTask(
        state=next((state for state in TaskState if state == task.state), TaskState.UNKNOWN),
        exit_code=info.exit_code,
        succeeded=_is(info.result, models.BatchTaskExecutionResult.SUCCESS),
        failure=_failure(info.failure_info) if info.failure_info else None,
        retries=info.retry_count,
        requeues=info.requeue_count or 0,
        node=task.node_info.node_id if task.node_info else None,
        started=info.start_time,
        ended=info.end_time,
        usage=_usage(task.task_statistics) if task.task_statistics else None,
    )


def _usage(stats: models.BatchTaskStatistics) -> Usage:
    """The statistics of a task; each may be missing from what the service answers."""
    return Usage(
        cpu_user_seconds=_seconds(stats.user_cpu_time),
        cpu_kernel_seconds=_seconds(stats.kernel_cpu_time),
        wall_seconds=_seconds(stats.wall_clock_time),
        read_gib=stats.read_io_gib,
        write_gib=stats.write_io_gib,
        read_operations=stats.read_iops,
        write_operations=stats.write_iops,
    )


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


_QUERY = re.compile(r"\?[^\s'\"]*\bsig=[^\s'\"]*")  # of an address with a SAS, which Batch repeats in its messages


def _failure(failure: models.BatchTaskFailureInfo) -> BatchFailure:
    """Batch's reason with its details; no SAS leaves this function."""
    details = "; ".join(f"{detail.name}: {detail.value}" for detail in failure.details or ())
    return BatchFailure(
        code=failure.code,
        message=_QUERY.sub("", ": ".join(part for part in (failure.message, details) if part)),
        is_server_error=_is(failure.category, models.BatchErrorSourceCategory.SERVER_ERROR),
    )


def _is(value: str | None, name: str) -> bool:
    """Whether the service means a name of the SDK: it writes `ServerError`, the SDK's enum is `servererror`."""
    return value is not None and value.lower() == name


def _metadata(items: Sequence[models.BatchMetadataItem] | None) -> dict[str, str]:
    return {item.name: item.value for item in items or ()}


def _check_added(added: models.BatchTaskCreateResult) -> None:
    code = added.error.code if added.error else None
    status = added.status.lower()  # the service writes `Success`, the SDK's enum is `success`
    if status == models.BatchTaskAddStatus.SUCCESS or code == Code.TASK_EXISTS:
        return
    message = added.error.message.value if added.error and added.error.message else "no reason given"
    if status == models.BatchTaskAddStatus.SERVER_ERROR:
        raise TryLater(f"Azure Batch could not add the task {added.task_id} ({code}): {message}")
    raise BatchRefused(code or "unknown", f"task {added.task_id}: {message}")
