"""Job schedules: https://learn.microsoft.com/rest/api/batchservice/job-schedules."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from local.batch.models.common import BatchModel, DisplayName, Duration, MetadataItem, ResourceId, WireEnum
from local.batch.models.job import JobSpecification

Period = Annotated[Duration, Field(ge=timedelta(minutes=1))]


class JobScheduleState(WireEnum):
    """The states of a schedule; only an active one makes jobs."""

    ACTIVE = "active"
    COMPLETED = "completed"
    DISABLED = "disabled"
    TERMINATING = "terminating"
    DELETING = "deleting"


class Schedule(BatchModel):
    """When jobs are made; without an interval there is one job."""

    do_not_run_until: AwareDatetime | None = None
    do_not_run_after: AwareDatetime | None = None
    start_window: Period | None = None
    recurrence_interval: Period | None = None


class JobScheduleCreate(BatchModel):
    """What a client gives to create a schedule."""

    id: ResourceId
    display_name: DisplayName | None = None
    schedule: Schedule
    job_specification: JobSpecification
    metadata: tuple[MetadataItem, ...] | None = None


class JobScheduleUpdate(BatchModel):
    """What PATCH can change; None leaves a property as it is."""

    schedule: Schedule | None = None
    job_specification: JobSpecification | None = None
    metadata: tuple[MetadataItem, ...] | None = None


class JobScheduleReplace(BatchModel):
    """What PUT replaces; without a schedule no more jobs are made, as there is none."""

    schedule: Schedule | None = None
    job_specification: JobSpecification
    metadata: tuple[MetadataItem, ...] | None = None


class RecentJob(BatchModel):
    """The last job that a schedule made."""

    id: str


class JobScheduleExecutionInfo(BatchModel):
    """The jobs that were made, and when the next is due."""

    next_run_time: datetime | None = None
    recent_job: RecentJob | None = None
    end_time: datetime | None = None


class JobSchedule(BatchModel):
    """A schedule as the service shows it. `last_due` is when its last job was due, or would have been."""

    local_fields: ClassVar[frozenset[str]] = frozenset({"settles_at", "jobs_made", "last_due"})

    id: ResourceId
    display_name: DisplayName | None = None
    schedule: Schedule | None
    job_specification: JobSpecification
    metadata: tuple[MetadataItem, ...] | None = None
    e_tag: str
    last_modified: datetime
    creation_time: datetime
    state: JobScheduleState = JobScheduleState.ACTIVE
    state_transition_time: datetime
    previous_state: JobScheduleState | None = None
    previous_state_transition_time: datetime | None = None
    execution_info: JobScheduleExecutionInfo = JobScheduleExecutionInfo()
    settles_at: datetime | None = None
    jobs_made: int = 0
    last_due: datetime | None = None

    def moved(self, state: JobScheduleState, now: datetime) -> JobSchedule:
        """The schedule in another state."""
        return self.changed(
            state=state,
            state_transition_time=now,
            previous_state=self.state,
            previous_state_transition_time=self.state_transition_time,
        )

    def with_info(self, **updates: object) -> JobSchedule:
        """The schedule with other execution information."""
        return self.changed(execution_info=self.execution_info.changed(**updates))

    @property
    def last_moment(self) -> datetime | None:
        """After when no job is made any more, if there is such a time."""
        return self.schedule.do_not_run_after if self.schedule else None

    def is_over(self, now: datetime) -> bool:
        """Whether no job will be made any more; a schedule that recurs goes on until its last moment."""
        recurs = self.schedule is not None and self.schedule.recurrence_interval is not None
        is_past = self.last_moment is not None and self.last_moment <= now
        return is_past or (self.next_due is None and not recurs)

    @property
    def next_due(self) -> datetime | None:
        """When a job is due after those that were, None if there is none any more."""
        when = self.schedule
        if when is None:
            return None
        if self.last_due is None:
            return max(self.creation_time, when.do_not_run_until or self.creation_time)
        if when.recurrence_interval is None:
            return None
        due = max(self.last_due + when.recurrence_interval, when.do_not_run_until or self.last_due)
        return due if self.last_moment is None or due <= self.last_moment else None
