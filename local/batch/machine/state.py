"""Everything that the machine holds: resources, alarms, commands not given yet, changes not stored yet."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from local.batch.errors import BatchError, ErrorCode
from local.batch.machine.commands import Command
from local.batch.machine.job_tasks import JobTasks
from local.batch.machine.limits import Limits
from local.batch.models.common import key_of
from local.batch.models.job import Job, JobState
from local.batch.models.job_schedule import JobSchedule, JobScheduleState
from local.batch.models.pool import Node, Pool
from local.batch.models.task import ON_NODE, Task, TaskState

Resource = Pool | JobSchedule | Job | Task
TICKS_PER_SECOND = 10_000_000
EPOCH_OF_TICKS = datetime(1, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """The kinds of resources that are stored."""

    POOL = "pool"
    JOB_SCHEDULE = "jobschedule"
    JOB = "job"
    TASK = "task"


@dataclass(frozen=True)
class ResourceKey:
    """What a stored resource is found by; tasks are found by their job's key and their own."""

    kind: Kind
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Moments:
    """How long the passing states last at least, which clients of the real service see for seconds to minutes."""

    settling: timedelta = timedelta(milliseconds=200)
    resizing: timedelta = timedelta(milliseconds=200)


@dataclass(frozen=True)
class NodeWork:
    """The tasks that a node runs, the slots that they take, and those that have ended on it since the service began."""

    running: int
    used_slots: int
    completed: int
    succeeded: int


class AlarmKind(Enum):
    """What is to be looked at when an alarm goes off."""

    AUTO_POOL_UNUSED = auto()
    AUTO_POOL_WANTED = auto()
    JOB_NODE_TIME_LIMIT = auto()
    JOB_SCHEDULE_DUE = auto()
    JOB_SETTLES = auto()
    JOB_TIME_LIMIT = auto()
    NODES_SETTLE = auto()
    POOL_SAMPLED = auto()
    POOL_SCALES = auto()
    POOL_SETTLES = auto()
    TASK_FILES_EXPIRE = auto()
    TASK_TIME_LIMIT = auto()


@dataclass(frozen=True, order=True)
class Alarm:
    """Something to be looked at from a moment on; whoever handles it finds out whether it still matters."""

    at: datetime
    order: int
    kind: AlarmKind = field(compare=False)
    keys: tuple[str, ...] = field(compare=False)


class State:
    """The resources of one account, and the few rules that hold whenever one of them changes."""

    def __init__(self, clock: Callable[[], datetime], limits: Limits, moments: Moments) -> None:
        self.now = clock
        self.limits = limits
        self.moments = moments
        self.pools: dict[str, Pool] = {}
        self.schedules: dict[str, JobSchedule] = {}
        self.jobs: dict[str, Job] = {}
        self.tasks: dict[str, JobTasks] = {}
        self.used_slots: Counter[str] = Counter()
        self.running_tasks: Counter[str] = Counter()
        self._completed_on: Counter[str] = Counter()
        self._succeeded_on: Counter[str] = Counter()
        self.open_schedules: set[str] = set()
        self.open_jobs: set[str] = set()
        self.jobs_with_ready_tasks: set[str] = set()
        self._alarms: list[Alarm] = []
        self._commands: list[Command] = []
        self._changed: dict[ResourceKey, None] = {}
        self._last_ticks = 0
        self._alarm_order = 0

    def pool(self, pool_id: str) -> Pool:
        """Return a pool; BatchError PoolNotFound if there is none."""
        pool = self.pools.get(key_of(pool_id))
        if pool is None:
            raise BatchError(ErrorCode.POOL_NOT_FOUND)
        return pool

    def job(self, job_id: str) -> Job:
        """Return a job; BatchError JobNotFound if there is none."""
        job = self.jobs.get(key_of(job_id))
        if job is None:
            raise BatchError(ErrorCode.JOB_NOT_FOUND)
        return job

    def schedule(self, schedule_id: str) -> JobSchedule:
        """Return a job schedule; BatchError JobScheduleNotFound if there is none."""
        schedule = self.schedules.get(key_of(schedule_id))
        if schedule is None:
            raise BatchError(ErrorCode.JOB_SCHEDULE_NOT_FOUND)
        return schedule

    def tasks_of(self, job: Job) -> JobTasks:
        """Return the tasks of a job."""
        return self.tasks[key_of(job.id)]

    def task(self, job_id: str, task_id: str) -> Task:
        """Return a task; BatchError JobNotFound or TaskNotFound if there is none."""
        task = self.tasks_of(self.job(job_id)).all.get(key_of(task_id))
        if task is None:
            raise BatchError(ErrorCode.TASK_NOT_FOUND)
        return task

    def new_etag(self) -> str:
        """Return an ETag that no resource has had: the time in .NET ticks, as the service makes them."""
        ticks = int((self.now() - EPOCH_OF_TICKS).total_seconds() * TICKS_PER_SECOND)
        self._last_ticks = max(ticks, self._last_ticks + 1)
        return f"0x{self._last_ticks:X}"

    def put_pool(self, pool: Pool) -> Pool:
        """Add or change a pool."""
        key = key_of(pool.id)
        self.pools[key] = pool
        self._note_changed(Kind.POOL, key)
        return pool

    def put_node(self, pool_id: str, node: Node) -> None:
        """Change a node of a pool; nothing if it is not there any more."""
        pool = self.pool(pool_id)
        self.put_pool(pool.changed(nodes=tuple(node if each.id == node.id else each for each in pool.nodes)))

    def remove_pool(self, pool: Pool) -> None:
        """Forget a pool."""
        key = key_of(pool.id)
        del self.pools[key]
        self._note_changed(Kind.POOL, key)

    def put_schedule(self, schedule: JobSchedule) -> JobSchedule:
        """Add or change a job schedule."""
        key = key_of(schedule.id)
        self.schedules[key] = schedule
        if schedule.state is JobScheduleState.COMPLETED:
            self.open_schedules.discard(key)
        else:
            self.open_schedules.add(key)
        self._note_changed(Kind.JOB_SCHEDULE, key)
        return schedule

    def remove_schedule(self, schedule: JobSchedule) -> None:
        """Forget a job schedule."""
        key = key_of(schedule.id)
        del self.schedules[key]
        self.open_schedules.discard(key)
        self._note_changed(Kind.JOB_SCHEDULE, key)

    def put_job(self, job: Job) -> Job:
        """Add or change a job."""
        key = key_of(job.id)
        self.jobs[key] = job
        if job.state is JobState.COMPLETED:
            self.open_jobs.discard(key)
        else:
            self.open_jobs.add(key)
        self.tasks.setdefault(key, JobTasks())
        self._note_changed(Kind.JOB, key)
        return job

    def remove_job(self, job: Job) -> None:
        """Forget a job and all its tasks."""
        key = key_of(job.id)
        for task in list(self.tasks[key].all.values()):
            self.remove_task(job, task)
        del self.jobs[key], self.tasks[key]
        self.open_jobs.discard(key)
        self._note_changed(Kind.JOB, key)

    def put_task(self, job: Job, task: Task) -> Task:
        """Add or change a task."""
        tasks = self.tasks_of(job)
        before = tasks.all.get(key_of(task.id))
        self._count_slots(before, -1)
        self._count_slots(task, +1)
        self._count_end(before, task)
        tasks.put(task)
        self._note_ready(key_of(job.id))
        self._note_changed(Kind.TASK, key_of(job.id), key_of(task.id))
        return task

    def remove_task(self, job: Job, task: Task) -> None:
        """Forget a task."""
        self._count_slots(task, -1)
        self.tasks_of(job).remove(task)
        self._note_ready(key_of(job.id))
        self._note_changed(Kind.TASK, key_of(job.id), key_of(task.id))

    def work_of(self, node_id: str) -> NodeWork:
        """Return what a node does and has done."""
        return NodeWork(
            self.running_tasks[node_id],
            self.used_slots[node_id],
            self._completed_on[node_id],
            self._succeeded_on[node_id],
        )

    def command(self, command: Command) -> None:
        """Tell a node to do something."""
        self._commands.append(command)

    def set_alarm(self, at: datetime, kind: AlarmKind, *ids: str) -> None:
        """Have something looked at when the time has come; a time in the past is due at once."""
        self._alarm_order += 1
        heapq.heappush(self._alarms, Alarm(at, self._alarm_order, kind, tuple(map(key_of, ids))))

    def take_due_alarm(self) -> Alarm | None:
        """Return and forget the earliest alarm that is due, or None."""
        if self._alarms and self._alarms[0].at <= self.now():
            return heapq.heappop(self._alarms)
        return None

    def next_alarm(self) -> datetime | None:
        """Return the time of the earliest alarm."""
        return self._alarms[0].at if self._alarms else None

    def take_commands(self) -> list[Command]:
        """Return and forget the commands that nodes have not had yet."""
        commands, self._commands = self._commands, []
        return commands

    @property
    def has_changes(self) -> bool:
        """Whether anything has changed since `take_changes` was called last."""
        return bool(self._changed)

    def take_changes(self) -> list[tuple[ResourceKey, Resource | None]]:
        """Return what has changed since the last call, with its present value; None is gone."""
        changed, self._changed = self._changed, {}
        return [(key, self._find(key)) for key in changed]

    def _find(self, key: ResourceKey) -> Resource | None:
        if key.kind is Kind.JOB_SCHEDULE:
            return self.schedules.get(key.parts[0])
        if key.kind is Kind.POOL:
            return self.pools.get(key.parts[0])
        if key.kind is Kind.JOB:
            return self.jobs.get(key.parts[0])
        tasks = self.tasks.get(key.parts[0])
        return tasks.all.get(key.parts[1]) if tasks else None

    def _note_changed(self, kind: Kind, *parts: str) -> None:
        self._changed[ResourceKey(kind, parts)] = None

    def _note_ready(self, job_key: str) -> None:
        if self.tasks[job_key].has_ready:
            self.jobs_with_ready_tasks.add(job_key)
        else:
            self.jobs_with_ready_tasks.discard(job_key)

    def _count_end(self, before: Task | None, task: Task) -> None:
        """Count a task that has ended on its node just now."""
        if before and before.state is not task.state is TaskState.COMPLETED and task.node_info:
            self._completed_on[task.node_info.node_id] += 1
            self._succeeded_on[task.node_info.node_id] += task.succeeded

    def _count_slots(self, task: Task | None, sign: int) -> None:
        if task and task.state in ON_NODE and task.node_info:
            self.used_slots[task.node_info.node_id] += sign * task.required_slots
            self.running_tasks[task.node_info.node_id] += sign
