"""The operations on job schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.api.call import Call
from local.batch.api.conditions import Version
from local.batch.api.operation import Operation
from local.batch.api.views import job_schedule_view, job_view
from local.batch.models.job_schedule import JobSchedule, JobScheduleCreate, JobScheduleReplace, JobScheduleUpdate

if TYPE_CHECKING:
    from starlette.responses import Response

_PATH = "/jobschedules/{job_schedule_id}"


def create_job_schedule(call: Call) -> Response:
    """Add a job schedule."""
    spec = call.read(JobScheduleCreate)
    schedule = call.service.do(lambda account: account.job_schedules.create(spec))
    return call.created(f"jobschedules/{schedule.id}", _version_of(schedule))


def get_job_schedule(call: Call) -> Response:
    """Show a job schedule; for HEAD, say whether there is one."""
    schedule = _checked(call)
    return call.entity("jobschedules", job_schedule_view(schedule, call.base_url), _version_of(schedule))


def list_job_schedules(call: Call) -> Response:
    """List all job schedules."""
    schedules = call.service.do(lambda account: account.job_schedules.all())
    return call.listing("jobschedules", schedules, lambda schedule: job_schedule_view(schedule, call.base_url))


def list_jobs_from_schedule(call: Call) -> Response:
    """List the jobs that a schedule has made."""
    schedule = _schedule(call)
    jobs = call.service.do(lambda account: account.job_schedules.jobs(schedule.id))
    return call.listing("jobs", jobs, lambda job: job_view(job, call.base_url))


def update_job_schedule(call: Call) -> Response:
    """Change some properties of a job schedule."""
    update, schedule = call.read(JobScheduleUpdate), _checked(call)
    call.service.do(lambda account: account.job_schedules.update(schedule.id, update))
    return call.done(200, _version_of(_schedule(call)))


def replace_job_schedule(call: Call) -> Response:
    """Change all properties of a job schedule that can be changed."""
    replacement, schedule = call.read(JobScheduleReplace), _checked(call)
    call.service.do(lambda account: account.job_schedules.replace(schedule.id, replacement))
    return call.done(200, _version_of(_schedule(call)))


def disable_job_schedule(call: Call) -> Response:
    """Keep a job schedule from making jobs."""
    schedule = _checked(call)
    call.service.do(lambda account: account.job_schedules.disable(schedule.id))
    return call.done(204, _version_of(_schedule(call)))


def enable_job_schedule(call: Call) -> Response:
    """Let a disabled job schedule make jobs again."""
    schedule = _checked(call)
    call.service.do(lambda account: account.job_schedules.enable(schedule.id))
    return call.done(204, _version_of(_schedule(call)))


def terminate_job_schedule(call: Call) -> Response:
    """End a job schedule and its job."""
    schedule = _checked(call)
    call.service.do(lambda account: account.job_schedules.terminate(schedule.id))
    return call.done(202, _version_of(_schedule(call)))


def delete_job_schedule(call: Call) -> Response:
    """Remove a job schedule and its jobs."""
    schedule = _checked(call)
    call.service.do(lambda account: account.job_schedules.delete(schedule.id))
    return call.done(202)


def _schedule(call: Call) -> JobSchedule:
    return call.service.do(lambda account: account.state.schedule(call.params["job_schedule_id"]))


def _checked(call: Call) -> JobSchedule:
    schedule = _schedule(call)
    call.check_conditions(_version_of(schedule))
    return schedule


def _version_of(schedule: JobSchedule) -> Version:
    return Version(schedule.e_tag, schedule.last_modified)


OPERATIONS = [
    Operation("JobSchedules_CreateJobSchedule", "POST", "/jobschedules", create_job_schedule),
    Operation("JobSchedules_ListJobSchedules", "GET", "/jobschedules", list_job_schedules),
    Operation("JobSchedules_JobScheduleExists", "HEAD", _PATH, get_job_schedule),
    Operation("JobSchedules_GetJobSchedule", "GET", _PATH, get_job_schedule),
    Operation("JobSchedules_UpdateJobSchedule", "PATCH", _PATH, update_job_schedule),
    Operation("JobSchedules_ReplaceJobSchedule", "PUT", _PATH, replace_job_schedule),
    Operation("JobSchedules_DisableJobSchedule", "POST", f"{_PATH}/disable", disable_job_schedule),
    Operation("JobSchedules_EnableJobSchedule", "POST", f"{_PATH}/enable", enable_job_schedule),
    Operation("JobSchedules_TerminateJobSchedule", "POST", f"{_PATH}/terminate", terminate_job_schedule),
    Operation("JobSchedules_DeleteJobSchedule", "DELETE", _PATH, delete_job_schedule),
    Operation("Jobs_ListJobsFromSchedule", "GET", f"{_PATH}/jobs", list_jobs_from_schedule),
]
