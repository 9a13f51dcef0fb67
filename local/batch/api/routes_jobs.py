"""The operations on jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.api.call import Call
from local.batch.api.conditions import Version
from local.batch.api.operation import Operation
from local.batch.api.views import job_on_node_view, job_view, task_counts_view
from local.batch.models.job import (
    DisableOptions,
    Job,
    JobCreate,
    JobReplace,
    JobUpdate,
    TerminateOptions,
)

if TYPE_CHECKING:
    from starlette.responses import Response


def create_job(call: Call) -> Response:
    """Add a job."""
    spec = call.read(JobCreate)
    job = call.service.do(lambda account: account.jobs.create(spec))
    return call.created("jobs/job-1", _version_of(job))  # the service names every new job so, too


def get_job(call: Call) -> Response:
    """Show a job."""
    job = _job(call)
    call.check_conditions(_version_of(job))
    return call.entity("jobs", job_view(job, call.base_url), _version_of(job))


def list_jobs(call: Call) -> Response:
    """List all jobs."""
    jobs = call.service.do(lambda account: account.jobs.all())
    return call.listing("jobs", jobs, lambda job: job_view(job, call.base_url))


def update_job(call: Call) -> Response:
    """Change some properties of a job."""
    update = call.read(JobUpdate)
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.update(job_id, update))
    return call.done(200, _version(call))


def replace_job(call: Call) -> Response:
    """Change all properties of a job that can be changed."""
    replacement = call.read(JobReplace)
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.replace(job_id, replacement))
    return call.done(200, _version(call))


def delete_job(call: Call) -> Response:
    """Remove a job."""
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.delete(job_id))
    return call.done(202)


def terminate_job(call: Call) -> Response:
    """End a job."""
    options = call.read(TerminateOptions)
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.terminate(job_id, options.terminate_reason))
    return call.done(202, _version(call))


def disable_job(call: Call) -> Response:
    """Keep a job from starting tasks."""
    options = call.read(DisableOptions)
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.disable(job_id, options.disable_tasks))
    return call.done(202, _version(call))


def enable_job(call: Call) -> Response:
    """Let a disabled job start tasks again."""
    job_id = _checked_job(call)
    call.service.do(lambda account: account.jobs.enable(job_id))
    return call.done(202, _version(call))


def get_task_counts(call: Call) -> Response:
    """Count the tasks of a job."""
    tasks = call.service.do(lambda account: account.tasks.all(call.params["job_id"]))
    return call.entity("taskcountsresult", task_counts_view(tasks))


def list_preparation_and_release_status(call: Call) -> Response:
    """List how the preparation and release tasks of a job went on each node."""
    job = _job(call)
    statuses = call.service.do(lambda account: account.job_nodes.statuses(job.id))
    return call.listing(
        "jobpreparationandreleasetaskstatuslist", statuses, lambda here: job_on_node_view(job, here, call.base_url)
    )


def _job(call: Call) -> Job:
    return call.service.do(lambda account: account.state.job(call.params["job_id"]))


def _checked_job(call: Call) -> str:
    job = _job(call)
    call.check_conditions(_version_of(job))
    return job.id


def _version(call: Call) -> Version:
    return _version_of(_job(call))


def _version_of(job: Job) -> Version:
    return Version(job.e_tag, job.last_modified)


OPERATIONS = [
    Operation("Jobs_CreateJob", "POST", "/jobs", create_job),
    Operation("Jobs_ListJobs", "GET", "/jobs", list_jobs),
    Operation("Jobs_GetJob", "GET", "/jobs/{job_id}", get_job),
    Operation("Jobs_UpdateJob", "PATCH", "/jobs/{job_id}", update_job),
    Operation("Jobs_ReplaceJob", "PUT", "/jobs/{job_id}", replace_job),
    Operation("Jobs_DeleteJob", "DELETE", "/jobs/{job_id}", delete_job),
    Operation("Jobs_TerminateJob", "POST", "/jobs/{job_id}/terminate", terminate_job),
    Operation("Jobs_DisableJob", "POST", "/jobs/{job_id}/disable", disable_job),
    Operation("Jobs_EnableJob", "POST", "/jobs/{job_id}/enable", enable_job),
    Operation(
        "Jobs_ListJobPreparationAndReleaseTaskStatus",
        "GET",
        "/jobs/{job_id}/jobpreparationandreleasetaskstatus",
        list_preparation_and_release_status,
    ),
    Operation("Jobs_GetJobTaskCounts", "GET", "/jobs/{job_id}/taskcounts", get_task_counts),
]
