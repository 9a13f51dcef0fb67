"""A week of schedules on a simulated clock: the app's own ticks, storage in memory, and all that goes wrong with ticks.

Ticks do not come, come twice at once, or die at any request; the clock goes back and forth; flows are stored again. A
run that was created is recorded and closed after a while, which may be while a tick still thinks that it is due.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from shared.app import App
from shared.documents.names import scheduled_run_id
from shared.steps.start_due import start_due
from shared.storage.schedules import ScheduleStore
from tests.simulation.day import Day, InvocationEnded, OneAfterTheOther, Options

MINUTE = timedelta(minutes=1)
TICK = timedelta(seconds=50)
LONG = timedelta(seconds=10)
FLOW = (
    "id: f{number}\nnamespace: team\ndescription: version {version}\ntasks: [{{id: a, commands: [b]}}]\n"
    "triggers: [{{id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: '{cron}', timezone: {zone}}}]\n"
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


@dataclass(frozen=True)
class Timer:
    """A schedule, as sets of the minutes, hours and days of the week (0 is Monday) at which it is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    zone: str

    @property
    def cron(self) -> str:
        """The same as an expression."""
        hours = ",".join(map(str, sorted(self.hours))) if len(self.hours) < 24 else "*"
        days = ",".join(str((day + 1) % 7) for day in sorted(self.days)) if len(self.days) < 7 else "*"
        return f"{','.join(map(str, sorted(self.minutes)))} {hours} * * {days}"

    def times(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """When it is due, found by looking at a clock on the wall every minute."""
        zone, moment = ZoneInfo(self.zone), after.replace(second=0, microsecond=0)
        before = moment.astimezone(zone).replace(tzinfo=None)
        shown: set[datetime] = set()
        while (moment := moment + MINUTE) <= until:
            wall = moment.astimezone(zone).replace(tzinfo=None)
            passed = [before + MINUTE * step for step in range(1, max(1, (wall - before) // MINUTE))]
            in_gap = len(self.hours) < 24 and any(map(self._is_at, passed))
            is_again = len(self.hours) < 24 and wall in shown
            if in_gap or (self._is_at(wall) and not is_again):
                yield moment
            shown.add(wall)
            before = wall

    def _is_at(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and wall.weekday() in self.days


def timers(count: int, chance: random.Random) -> list[Timer]:
    """Schedules: many once a day, at times at which clocks are changed too, some in every hour."""
    every, days = frozenset(range(24)), frozenset(range(7))
    found = [Timer(frozenset({chance.randrange(60)}), every, days, chance.choice(ZONES)) for _ in range(10)]
    found += [Timer(frozenset({5, 25, 45}), every, days, zone) for zone in ZONES[:3]]
    while len(found) < count:
        hours = frozenset(chance.sample(range(24), chance.choice((1, 1, 1, 2))) + chance.choice(([], [1], [2])))
        on = days if chance.random() < 0.6 else frozenset(chance.sample(range(7), 3))
        found.append(Timer(frozenset({chance.randrange(60)}), hours, on, chance.choice(ZONES)))
    return found


class Week:
    """The world of one week."""

    def __init__(self, start: datetime, count: int, *, seed: int = 1) -> None:
        self._day = Day(Options(runs=0, burst=0, outages=()))
        self._start, self._chance = start, random.Random(seed)
        self._day.clock.now = start
        self._skew = timedelta(0)
        self._timers = timers(count, self._chance)
        self._executed: list[str] = []
        self._dies, self._depth = 0.0, 0
        self._day.storage.before_request = self._before_request
        self._app = self._process()
        self.dead = self.overtaken = 0
        for number in range(count):
            self._put(number, 1)

    def run(self, length: timedelta) -> None:
        """Let the week pass, and some quiet ticks after it."""
        with patch("shared.parallel.ThreadPoolExecutor", OneAfterTheOther):
            self._dies = 0.002
            while self._day.clock.now < self._start + length:
                self._next()
            self._dies, self._skew = 0.0, timedelta(0)
            for _ in range(3):
                self._day.clock.now += TICK
                self._tick()
                self._close_some(1.0)

    def problems(self) -> list[str]:
        """What was lost, and what was made that was not due, or twice."""
        until = self._day.clock.now
        due = {
            scheduled_run_id(f"team/f{number}", "t", time)
            for number, timer in enumerate(self._timers)
            for time in timer.times(self._start, until)
        }
        made = set(self._executed)
        return [
            *(f"{run} is lost" for run in sorted(due - made)),
            *(f"{run} was not due" for run in sorted(made - due)),
            *(f"{run} was run twice" for run in sorted(made) if len(made) < len(self._executed)),
        ]

    @property
    def executed(self) -> int:
        """How many runs have ended."""
        return len(self._executed)

    def _process(self) -> App:
        runs = self._day.container("runs")
        return replace(self._day.app, schedules=ScheduleStore(runs), now=lambda: self._day.clock.now + self._skew)

    def _put(self, number: int, version: int) -> None:
        timer = self._timers[number]
        text = FLOW.format(number=number, version=version, cron=timer.cron, zone=timer.zone)
        self._day.container("flows").put(f"team/f{number}.yaml", text.encode())

    def _next(self) -> None:
        chance = self._chance.random()
        self._day.clock.now += TICK
        if chance < 0.01:  # no tick for a while, which is longer than what counts as missed
            self._day.clock.now += timedelta(minutes=self._chance.choice((2, 5, 15, 45)))
        elif chance < 0.03:
            self._skew = timedelta(minutes=self._chance.choice((-30, -7, -1, 0, 0, 0)))
        elif chance < 0.04:
            self._put(self._chance.randrange(len(self._timers)), self._chance.randrange(10**6))
        elif chance < 0.06:
            self._app = self._process()
        self._tick()
        self._close_some(0.3)

    def _tick(self) -> None:
        try:
            now = self._app.now()
            start_due(self._app, now, now + LONG)
        except InvocationEnded:
            self.dead += 1
            self._app = self._process()

    def _before_request(self) -> None:
        """The process dies, or another one has a tick of its own meanwhile, and runs end."""
        chance = self._chance.random() if self._dies else 1.0
        if chance < self._dies:
            raise InvocationEnded
        if chance < 0.01 and self._depth == 0:
            self.overtaken += 1
            self._depth, own, self._app = 1, self._app, self._process()
            self._tick()
            self._close_some(0.8)
            self._depth, self._app = 0, own

    def _close_some(self, share: float) -> None:
        """Run what is open and has no record, and close it: what a tick and a recorder do."""
        runs, results = self._day.container("runs"), self._day.container("results")
        for blob in runs.all():
            run = blob.name.removesuffix(".json")
            if run.startswith("_") or self._chance.random() >= share:
                continue
            record = f"team/{run.partition('-')[0]}/{run}/record.json"
            if results.find(record) is None:
                self._executed.append(run)
                results.put(record, b"", silent=True)
            runs.drop(blob.name)


def simulated(start: datetime, count: int, days: float, **options: Any) -> Week:
    """A week that has passed."""
    week = Week(start, count, **options)
    week.run(timedelta(days=days))
    return week
