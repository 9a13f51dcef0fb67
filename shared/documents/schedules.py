"""What ticks know of stored flows: which of their triggers are due when, and how far they are done.

It is one document of the app, `runs/_schedules.json`, which is changed only under its ETag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.documents.document import Document

SCHEDULES_BLOB = "_schedules.json"


class KnownSchedule(Document):
    """A Schedule of a flow: all that is due after `since`, and was not `done`, is to be made.

    `since` is when the flow was stored in which it was first seen with this id, cron expression and time zone.
    """

    cron: str
    timezone: str
    since: datetime
    done: datetime | None = None

    @property
    def after(self) -> datetime:
        """The moment after which nothing is done yet."""
        return max(self.since, self.done or self.since)

    def is_same(self, other: KnownSchedule) -> bool:
        """Whether it is due at the same times."""
        return (self.cron, self.timezone) == (other.cron, other.timezone)


class KnownFlow(Document):
    """A version of a stored flow: its schedules by id, and by the ids of its Flow triggers the flows that they follow.

    One that cannot be read `is_wrong`: it starts nothing, and keeps what was known of its schedules for the next one.
    """

    etag: str
    is_wrong: bool = False
    schedules: dict[str, KnownSchedule] = Field(default_factory=dict)
    follows: dict[str, str] = Field(default_factory=dict)

    def after_edit(self, before: KnownFlow | None) -> KnownFlow:
        """It, as the next version of a flow: a schedule that is due at the same times goes on where it was.

        One with another cron expression or time zone begins anew, as if its id were new.
        """
        if before is None:
            return self
        if self.is_wrong:
            return self.model_copy(update={"schedules": before.schedules})
        kept = {
            name: before.schedules[name]
            for name, schedule in self.schedules.items()
            if name in before.schedules and schedule.is_same(before.schedules[name])
        }
        return self.model_copy(update={"schedules": {**self.schedules, **kept}})


TriggerName = tuple[str, str]
"""The name of a stored flow, `<namespace>/<id>`, and the id of one of its triggers."""


class Schedules(Document):
    """The stored flows by their names, as they were `listed`."""

    schema_version: Literal["1"] = "1"
    listed: datetime | None = None
    flows: dict[str, KnownFlow] = Field(default_factory=dict)

    def schedules(self) -> dict[TriggerName, KnownSchedule]:
        """The schedules of all flows that can be read."""
        readable = ((flow, known) for flow, known in self.flows.items() if not known.is_wrong)
        return {(flow, name): schedule for flow, known in readable for name, schedule in known.schedules.items()}

    def followers(self, flow: str) -> list[TriggerName]:
        """The Flow triggers that follow a flow."""
        return [
            (name, trigger)
            for name, known in self.flows.items()
            for trigger, followed in known.follows.items()
            if followed == flow
        ]

    def with_flows(self, flows: Mapping[str, KnownFlow], stored: Iterable[str], listed: datetime | None) -> Schedules:
        """The document with new versions of some flows, and without those that are not stored any more."""
        names = set(stored)
        kept = {name: flow for name, flow in self.flows.items() if name in names}
        changed = {name: flow.after_edit(self.flows.get(name)) for name, flow in flows.items()}
        return self.model_copy(update={"flows": {**kept, **changed}, "listed": listed})

    def with_done(self, done: Mapping[TriggerName, datetime]) -> Schedules:
        """The document in which some schedules are done up to some times; that never goes back."""
        known = self.schedules()
        flows = dict(self.flows)
        for (flow, name), moment in done.items():
            schedule = known.get((flow, name))
            if schedule and moment > schedule.after:
                update = {name: schedule.model_copy(update={"done": moment})}
                flows[flow] = flows[flow].model_copy(update={"schedules": {**flows[flow].schedules, **update}})
        return self.model_copy(update={"flows": flows})
