"""Creates the runs that are due by the schedules of stored flows, each once: whatever ticks are missed or doubled.

1. Create run documents. The id of a run follows from flow, trigger and due time; one that has a record is not made.
2. Advance, in the document of schedules, how far each schedule is done. That has as its condition the ETag of before 1:
   if it succeeds, nobody else has done so meanwhile.
3. If that fails, another invocation has done so: a run that was created here and has a record by now is removed, it was
   closed meanwhile. Any other is as good as one that the other has made, which may count on it. Then 2 again.

A process that dies between two steps leaves runs that are due; the next tick finds them, or their records, and goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from shared.app import App, isolate_failures
from shared.documents.run import Run
from shared.documents.schedules import KnownSchedule, TriggerName
from shared.documents.trigger import DueTime, StartedBy
from shared.errors import RunChanged
from shared.log import Stage, log_event
from shared.manifest.triggers import RecoverMissedSchedules
from shared.manifest.triggers import Schedule as ScheduleTrigger
from shared.parallel import in_parallel
from shared.schedules import MAX_MISSED, DueTimes, Schedule, due_times
from shared.steps._list_flows import MAX_CONFLICTS, list_flows
from shared.steps._run_of_trigger import (
    StoredFlow,
    create_run,
    note_accepted,
    read_stored_flow,
    run_of_trigger,
    starts_run,
)
from shared.storage.schedules import StoredSchedules

_MOST = {RecoverMissedSchedules.ALL: MAX_MISSED, RecoverMissedSchedules.LAST: 1, RecoverMissedSchedules.NONE: 0}


@dataclass
class Started:
    """What a schedule has started in this tick: the runs that were created, and up to which time it is done."""

    name: TriggerName
    done: datetime | None = None
    runs: list[Run] = field(default_factory=list)


def start_due(app: App, now: datetime, deadline: datetime) -> None:
    """Create the runs that are due; what there is no time for is left to the next tick."""
    if not _due(list_flows(app, now, deadline), now):
        return
    stored = app.schedules.read()

    def start(name: TriggerName) -> Started:
        started = Started(name)
        with isolate_failures(Stage.POLL, blob=name[0]):
            _start(app, started, stored.document.schedules()[name], now, deadline)
        return started

    _advance(app, stored, in_parallel(start, _due(stored, now)))


def _due(stored: StoredSchedules, now: datetime) -> list[TriggerName]:
    """The schedules that are due, the one that has waited longest first."""
    known = stored.document.schedules()
    following = {name: _next_time(each.cron, each.timezone, each.after) for name, each in known.items()}
    due = [(moment, name) for name, moment in following.items() if moment and moment <= now]
    return [name for _, name in sorted(due)]


@lru_cache(maxsize=20_000)
def _next_time(cron: str, timezone: str, after: datetime) -> datetime | None:
    return Schedule(cron, timezone).next_after(after)


@dataclass(frozen=True)
class _Timer:
    """A schedule of a flow, as both are now."""

    flow: StoredFlow
    trigger: ScheduleTrigger
    schedule: Schedule

    @classmethod
    def find(cls, app: App, name: TriggerName, known: KnownSchedule) -> _Timer | None:
        """Read it; None if the flow has changed since it was listed, and it is due at other times, or never."""
        flow = read_stored_flow(app, name[0])
        schedules = flow.manifest.flow.placed_triggers.schedules if flow else ()
        found = next((each for each in schedules if each.id == name[1]), None)
        if flow is None or found is None or (found.normal_cron, found.timezone) != (known.cron, known.timezone):
            return None
        return cls(flow, found, Schedule(known.cron, known.timezone))

    def by(self, time: datetime) -> StartedBy:
        """What starts a run for a due time."""
        following, previous = self.schedule.next_after(time), self.schedule.last_before(time)
        due = DueTime(
            date=self.schedule.local(time),
            next=self.schedule.local(following) if following else None,
            previous=self.schedule.local(previous) if previous else None,
        )
        return StartedBy(id=self.trigger.id, type=self.trigger.type, flow=self.flow.name, due=due)

    def due_times(self, app: App, after: datetime, now: datetime) -> DueTimes:
        """The times for which runs are made."""
        has_condition = any(True for _ in self.trigger.whens)

        def holds(time: datetime) -> bool:
            return not has_condition or starts_run(app, self.flow, self.trigger, self.by(time))

        return due_times(self.schedule, _MOST[self.trigger.recover_missed_schedules], after, now, holds)


def _start(app: App, started: Started, known: KnownSchedule, now: datetime, deadline: datetime) -> None:
    """Create the runs of one schedule, and note how far it is done, also if that is broken off."""
    timer = _Timer.find(app, started.name, known) if app.now() < deadline else None
    if timer is None:
        return
    due = timer.due_times(app, known.after, now)
    if due.leaves_out:
        name = "#".join(started.name)
        log_event(Stage.POLL, "missed-left-out", level=logging.WARNING, trigger=name, started=len(due.times))
    for time in due.times:
        if app.now() >= deadline:
            return
        run = create_run(app, run_of_trigger(app, timer.flow, timer.trigger, timer.by(time)))
        if run:
            started.runs.append(run)
        started.done = time
    started.done = next(timer.schedule.latest(known.after, now), started.done)


def _advance(app: App, stored: StoredSchedules, all_started: Sequence[Started]) -> None:
    """Say how far the schedules are done; remove runs that somebody else made before, and closed meanwhile."""
    done = {started.name: started.done for started in all_started if started.done}
    runs = [run for started in all_started for run in started.runs]

    def keep(run: Run) -> bool:
        if is_closed := app.results.has_record(run):
            app.runs.remove_version(run)
        return not is_closed

    for _ in range(MAX_CONFLICTS):
        document = stored.document.with_done(done)
        try:
            if document != stored.document:
                app.schedules.save(replace(stored, document=document))
            break
        except RunChanged:
            stored = app.schedules.read()
            runs = [run for run, is_kept in zip(runs, in_parallel(keep, runs), strict=True) if is_kept]
    in_parallel(lambda run: note_accepted(app, Stage.POLL, run), runs)
