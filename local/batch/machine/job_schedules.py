"""What clients can ask of job schedules, and how these make jobs.

https://learn.microsoft.com/rest/api/batchservice/job-schedules/create-job-schedule says when: at most one job of a
schedule is active at a time; a job that cannot be made within `startWindow` of its time is left out.
"""

from __future__ import annotations

from datetime import datetime

from local.batch.errors import BatchError, ErrorCode, invalid_property
from local.batch.machine.jobs import Jobs
from local.batch.machine.pool_info_rules import auto_pool_id
from local.batch.machine.state import AlarmKind, State
from local.batch.models.auto_pool import PoolLifetimeOption
from local.batch.models.common import key_of
from local.batch.models.job import Job, JobState, TerminateReason
from local.batch.models.job_schedule import (
    JobSchedule,
    JobScheduleCreate,
    JobScheduleReplace,
    JobScheduleState,
    JobScheduleUpdate,
    RecentJob,
    Schedule,
)

_REFUSALS = {
    JobScheduleState.COMPLETED: ErrorCode.JOB_SCHEDULE_COMPLETED,
    JobScheduleState.TERMINATING: ErrorCode.JOB_SCHEDULE_BEING_TERMINATED,
    JobScheduleState.DELETING: ErrorCode.JOB_SCHEDULE_BEING_DELETED,
}


class JobSchedules:
    """The operations on job schedules."""

    def __init__(self, state: State, jobs: Jobs) -> None:
        self._state = state
        self._jobs = jobs

    def create(self, spec: JobScheduleCreate) -> JobSchedule:
        """Add a schedule, which makes its first job at once if that is due.

        BatchError: JobScheduleExists, JobWithSameIdExists, ActiveJobAndScheduleQuotaReached, what is refused of jobs.
        """
        state, now = self._state, self._state.now()
        if key_of(spec.id) in state.schedules:
            raise BatchError(ErrorCode.JOB_SCHEDULE_EXISTS)
        if key_of(spec.id) in state.jobs:
            raise BatchError(ErrorCode.JOB_WITH_SAME_ID_EXISTS)
        self._jobs.check(spec.job_specification, of_schedule=True)
        self._check_times(spec.schedule)
        self._jobs.check_quota()
        schedule = JobSchedule(
            **dict(spec), e_tag=state.new_etag(), last_modified=now, creation_time=now, state_transition_time=now
        )
        return self._put_and_advance(schedule)

    def all(self) -> list[JobSchedule]:
        """Return all schedules, by id."""
        return [schedule for _, schedule in sorted(self._state.schedules.items())]

    def jobs(self, schedule_id: str) -> list[Job]:
        """Return the jobs that a schedule has made and that are still there, by id. BatchError JobScheduleNotFound."""
        schedule = self._state.schedule(schedule_id)
        return sorted(self._jobs_of(schedule), key=lambda job: key_of(job.id))

    def update(self, schedule_id: str, update: JobScheduleUpdate) -> None:
        """Change the properties that are given (PATCH); jobs that are there stay as they are."""
        self._change(schedule_id, {name: value for name, value in update if value is not None})

    def replace(self, schedule_id: str, replacement: JobScheduleReplace) -> None:
        """Change all properties that can be changed (PUT); jobs that are there stay as they are."""
        self._change(schedule_id, dict(replacement))

    def disable(self, schedule_id: str) -> None:
        """Make no more jobs until the schedule is enabled."""
        schedule = self._open(schedule_id)
        if schedule.state is JobScheduleState.ACTIVE:
            self._state.put_schedule(schedule.moved(JobScheduleState.DISABLED, self._state.now()))

    def enable(self, schedule_id: str) -> None:
        """Let a disabled schedule make jobs again."""
        schedule = self._open(schedule_id)
        if schedule.state is JobScheduleState.DISABLED:
            self._put_and_advance(schedule.moved(JobScheduleState.ACTIVE, self._state.now()))

    def terminate(self, schedule_id: str) -> None:
        """End a schedule, and its job if one is active."""
        schedule = self._open(schedule_id)
        for job in self._jobs_of(schedule):
            self._jobs.end(job, TerminateReason.TERMINATE_JOB_SCHEDULE)
        self._enter(schedule, JobScheduleState.TERMINATING)

    def delete(self, schedule_id: str) -> None:
        """Remove a schedule with all its jobs, whatever its state. BatchError JobScheduleBeingDeleted."""
        schedule = self._state.schedule(schedule_id)
        if schedule.state is JobScheduleState.DELETING:
            raise BatchError(ErrorCode.JOB_SCHEDULE_BEING_DELETED)
        for job in self._jobs_of(schedule):
            if job.state is not JobState.DELETING:
                self._jobs.delete(job.id)
        self._enter(schedule, JobScheduleState.DELETING)

    def advance(self, schedule: JobSchedule) -> None:
        """Let happen what is due: a job, the end of the schedule."""
        if schedule.state is JobScheduleState.ACTIVE:
            self._make_job_if_due(schedule)
        elif schedule.settles_at is not None:
            self._settle(schedule)

    def _make_job_if_due(self, schedule: JobSchedule) -> None:
        now = self._state.now()
        schedule = _without_missed(schedule, now)
        due = schedule.next_due
        if due is not None and due <= now and not self._has_active_job(schedule):
            schedule = self._with_job(schedule.changed(last_due=due))
        if schedule.is_over(now) and not self._has_active_job(schedule):
            self._complete(schedule)
            return
        self._state.put_schedule(schedule.with_info(next_run_time=schedule.next_due))
        for moment in filter(None, (schedule.next_due, schedule.last_moment)):
            if moment > now:  # what is due already waits for the end of the job that is active
                self._state.set_alarm(moment, AlarmKind.JOB_SCHEDULE_DUE, schedule.id)

    def _with_job(self, schedule: JobSchedule) -> JobSchedule:
        """Make a job; one that the account's quota does not allow is left out."""
        number = schedule.jobs_made + 1
        try:
            job = self._jobs.add(
                schedule.job_specification,
                f"{schedule.id}:job-{number}",
                schedule_id=schedule.id,
                pool_id=self._pool_id(schedule),
            )
        except BatchError:
            return schedule
        return schedule.changed(jobs_made=number).with_info(recent_job=RecentJob(id=job.id))

    def _pool_id(self, schedule: JobSchedule) -> str | None:
        """Return the pool that all jobs of a schedule share, if they have one of their own."""
        wanted = schedule.job_specification.pool_info.auto_pool_specification
        if wanted is None or wanted.pool_lifetime_option is PoolLifetimeOption.JOB:
            return None
        return auto_pool_id(wanted, f"{schedule.id}/{schedule.creation_time.isoformat()}")

    def _put_and_advance(self, schedule: JobSchedule) -> JobSchedule:
        """Store a schedule, and let happen at once what is due."""
        self._state.set_alarm(self._state.now(), AlarmKind.JOB_SCHEDULE_DUE, schedule.id)
        return self._state.put_schedule(schedule.with_info(next_run_time=schedule.next_due))

    def _settle(self, schedule: JobSchedule) -> None:
        now = self._state.now()
        if schedule.settles_at is None or now < schedule.settles_at:
            return
        if schedule.state is JobScheduleState.TERMINATING and not self._has_active_job(schedule):
            self._complete(schedule)
        elif schedule.state is JobScheduleState.DELETING and not self._jobs_of(schedule):
            self._remove_pool(schedule)
            self._state.remove_schedule(schedule)

    def _complete(self, schedule: JobSchedule) -> None:
        now = self._state.now()
        ended = schedule.moved(JobScheduleState.COMPLETED, now).changed(settles_at=None)
        self._state.put_schedule(ended.with_info(end_time=now, next_run_time=None))
        self._remove_pool(ended)

    def _remove_pool(self, schedule: JobSchedule) -> None:
        if pool_id := self._pool_id(schedule):
            self._state.set_alarm(self._state.now(), AlarmKind.AUTO_POOL_UNUSED, pool_id, schedule.id)

    def _enter(self, schedule: JobSchedule, passing: JobScheduleState) -> None:
        now = self._state.now()
        settles_at = now + self._state.moments.settling
        self._state.put_schedule(schedule.moved(passing, now).changed(settles_at=settles_at))
        self._state.set_alarm(settles_at, AlarmKind.JOB_SCHEDULE_DUE, schedule.id)

    def _change(self, schedule_id: str, properties: dict[str, object]) -> None:
        schedule = self._open(schedule_id)
        changed = schedule.changed(**properties, e_tag=self._state.new_etag(), last_modified=self._state.now())
        self._jobs.check(changed.job_specification, of_schedule=True)
        if changed.schedule != schedule.schedule and changed.schedule is not None:
            self._check_times(changed.schedule)
        if self._pool_id(changed) != self._pool_id(schedule):
            self._remove_pool(schedule)
        self._put_and_advance(changed)

    def _check_times(self, schedule: Schedule) -> None:
        until, after = schedule.do_not_run_until, schedule.do_not_run_after
        if after is not None and after <= max(self._state.now(), until or self._state.now()):
            raise invalid_property("doNotRunAfter", after.isoformat(), "No job could be made before.")

    def _open(self, schedule_id: str) -> JobSchedule:
        schedule = self._state.schedule(schedule_id)
        if schedule.state in _REFUSALS:
            raise BatchError(_REFUSALS[schedule.state])
        return schedule

    def _jobs_of(self, schedule: JobSchedule) -> list[Job]:
        key = key_of(schedule.id)
        return [job for job in self._state.jobs.values() if job.schedule_id and key_of(job.schedule_id) == key]

    def _has_active_job(self, schedule: JobSchedule) -> bool:
        """Whether a job of the schedule has not ended: one that is still ending has not."""
        return any(job.state is not JobState.COMPLETED for job in self._jobs_of(schedule))


def _without_missed(schedule: JobSchedule, now: datetime) -> JobSchedule:
    """Leave out the jobs whose time has passed: the interval of the next has begun, or `startWindow` is over."""
    when = schedule.schedule
    while when and (due := schedule.next_due) and due <= now:
        following = due + when.recurrence_interval if when.recurrence_interval else None
        is_late = when.start_window is not None and now > due + when.start_window
        if not is_late and (following is None or following > now):
            break
        schedule = schedule.changed(last_due=due)
    return schedule
