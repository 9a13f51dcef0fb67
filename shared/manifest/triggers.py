"""`triggers` of a stored flow: on time, and after the end of a run of another flow.

What they mean is that of Kestra's `core.trigger.Schedule` and `core.trigger.Flow`:
https://github.com/kestra-io/kestra/tree/develop/core/src/main/java/io/kestra/plugin/core/trigger
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, NoReturn, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from shared.documents.states import State
from shared.errors import did_you_mean
from shared.expressions.date_patterns import DateError
from shared.expressions.dates import zone_of
from shared.manifest._cron import normal_cron
from shared.manifest._trigger import (
    FLOW_TRIGGER,
    OLD_TRIGGERS,
    SCHEDULE,
    TRIGGERS,
    TriggerProperties,
    TypeOf,
    canonical,
)
from shared.manifest.conditions import Condition, DateCondition
from shared.manifest.ended_flows import (
    ENDED,
    ONE_FLOW,
    Dependency,
    EndCondition,
    EndedFlow,
    ExecutionFlow,
    ExecutionLabels,
    ExecutionNamespace,
    ExecutionStatus,
    Preconditions,
    States,
    never_ended,
    one,
)
from shared.manifest.types import Properties, PropertyPath, Text, Unsupported


class RecoverMissedSchedules(StrEnum):
    """Which of the times that were missed are made up for."""

    ALL = "ALL"
    LAST = "LAST"
    NONE = "NONE"


def _known_zone(name: str) -> str:
    try:
        zone_of(name)
    except DateError as error:
        raise ValueError(f"{error}{did_you_mean(name, available_timezones())}") from error
    return name


def _checked_cron(written: str) -> str:
    normal_cron(written)
    return written


def _without_seconds(value: bool) -> bool:
    if value:
        raise ValueError("runs start on the minute: leave this, and the seconds of `cron`, out")
    return value


class Schedule(TriggerProperties):
    """Starts a run of the flow at fixed times.

    A run starts at the first tick (every 15 seconds by default) after its time. When clocks are put forward, a time
    that does not exist is due at the first moment after the gap; when they are put back, a time that exists twice is
    due once, unless it is due every hour.
    """

    type: Annotated[str, BeforeValidator(canonical), TypeOf("Schedule")]
    """`io.kestra.plugin.core.trigger.Schedule`."""
    cron: Annotated[str, AfterValidator(_checked_cron), Field(examples=["30 6 * * MON-FRI"])]
    """The times: minute, hour, day, month and day of the week, where 0 and 7 are Sunday and `L` is the last day of the
    month; or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. If both the day and the
    day of the week are given, each of them is due."""
    timezone: Annotated[str, AfterValidator(_known_zone), Field(examples=["Europe/Paris"])] = "UTC"
    """The time zone of `cron`."""
    inputs: dict[str, Any] = Field(default_factory=dict)
    """Values for the inputs of the flow, by their ids. Texts may use `trigger`, `flow`, `labels`, `vars`, `envs` and
    `globals`; `now()` is the time that was due."""
    when: Text | None = None
    """Which of the times are due: those for which the text is neither empty nor `false`, `0` or `-0`. It may use what
    `inputs` may use. Example: `"{{ isDayWeekInMonth(trigger.date, 'MONDAY', 'FIRST') }}"`"""
    conditions: tuple[DateCondition, ...] = ()
    """As in Kestra 1: all of them must hold."""
    schedule_conditions: tuple[DateCondition, ...] = ()
    """The old name of `conditions`."""
    recover_missed_schedules: RecoverMissedSchedules = RecoverMissedSchedules.ALL
    """Which times are made up for that were missed by more than ten minutes: `ALL`, but at most the last 100, the
    `LAST`, or `NONE`."""
    with_seconds: Annotated[bool, AfterValidator(_without_seconds)] = False
    """Whether `cron` has seconds: `true` is an error."""
    late_maximum_delay: Annotated[
        None, Unsupported("write `recoverMissedSchedules: NONE`: what is late by more than ten minutes is left out")
    ] = None
    backfill: Annotated[None, Unsupported("drop a run request for each date, with the date as an input")] = None

    @property
    def normal_cron(self) -> str:
        """Its cron expression as five lists of numbers, `*` and `L`, for croniter."""
        return normal_cron(self.cron)

    @property
    def zone(self) -> tzinfo:
        """Its time zone."""
        return zone_of(self.timezone)

    @property
    def whens(self) -> Iterator[tuple[PropertyPath, str]]:
        """The texts that must hold for a time to be due, and where they are."""
        yield from self.texts(self.when, self.conditions)
        for index, condition in enumerate(self.schedule_conditions):
            yield ("scheduleConditions", index), f"{{{{ {condition.expression()} }}}}"


@dataclass(frozen=True)
class After:
    """Which runs a Flow trigger follows: those of a flow that end in one of some states, with these labels."""

    namespace: str
    flow_id: str
    states: frozenset[State]
    labels: tuple[tuple[str, str], ...] = ()

    def is_met_by(self, namespace: str, flow_id: str, state: State, labels: Iterable[tuple[str, str]]) -> bool:
        """Whether a run that ended is one of them."""
        is_of_flow = (namespace, flow_id) == (self.namespace, self.flow_id)
        return is_of_flow and state in self.states and set(self.labels) <= set(labels)


_C = TypeVar("_C", bound=Condition)


def _of_kind(kind: type[_C], conditions: Iterable[Condition]) -> tuple[_C, ...]:
    return tuple(each for each in conditions if isinstance(each, kind))


class FlowTrigger(TriggerProperties):
    """Starts a run of the flow after each run of another one that has ended.

    The run starts once the other one is recorded. Runs that follow each other so may be 20 at most.
    """

    type: Annotated[str, BeforeValidator(canonical), TypeOf("Flow")]
    """`io.kestra.plugin.core.trigger.Flow`."""
    depends_on: Annotated[tuple[Dependency, ...], AfterValidator(one)] = ()
    """The flow that it follows, as in Kestra 2: the only entry of a list."""
    preconditions: Preconditions | None = None
    """The flow that it follows, as in Kestra 1."""
    conditions: tuple[EndCondition, ...] = ()
    """As in Kestra 1: all of them must hold. One of them may be an `ExecutionFlow`, which names the flow."""
    states: States | None = None
    """The states in which the run that it follows must have ended: of `SUCCESS`, `WARNING`, `FAILED`, `KILLED` and
    `REJECTED`. Without it, all of them."""
    inputs: dict[str, Any] = Field(default_factory=dict)
    """Values for the inputs of the flow, by their ids. Texts may use `trigger`, `envs` and `globals`, and of the run
    that ended `execution` and `labels`. `flow` is the flow of that run in Kestra 2, and this flow in Kestra 1."""
    when: Text | None = None
    """Whether a run that ended is followed: if the text is neither empty nor `false`, `0` or `-0`. It may use what
    `inputs` may use. Example: `"{{ trigger.outputs.rows > 0 }}"`"""
    mode: Annotated[None, Unsupported(ONE_FLOW)] = None
    min_satisfied: Annotated[None, Unsupported(ONE_FLOW)] = None
    window: Annotated[None, Unsupported("each run that ends is followed, whenever that is")] = None
    on_miss: Annotated[None, Unsupported("each run that ends is followed, whenever that is")] = None

    @model_validator(mode="after")
    def _follows_one_flow(self) -> Self:
        flows = {(each.namespace, each.flow_id) for each in self._ended}
        if not flows:
            raise ValueError("a trigger follows one flow: name it in `dependsOn`, by `namespace` and `flowId`")
        namespaces = {each.namespace for each in (*self._ended, *_of_kind(ExecutionNamespace, self.conditions))}
        if len(flows) > 1 or len(namespaces) > 1:
            raise ValueError(ONE_FLOW)
        if not self.after.states:
            raise ValueError("this follows no run, as none ends in a state that all of its `states` have")
        return self

    @property
    def _entries(self) -> tuple[EndedFlow, ...]:
        return (*self.depends_on, *(self.preconditions.flows if self.preconditions else ()))

    @property
    def _ended(self) -> tuple[EndedFlow | ExecutionFlow, ...]:
        return (*self._entries, *_of_kind(ExecutionFlow, self.conditions))

    @cached_property
    def after(self) -> After:
        """Which runs it follows."""
        flow, by_status = self._ended[0], _of_kind(ExecutionStatus, self.conditions)
        lists = (self.states, *(each.states for each in self._entries), *(each.in_ for each in by_status))
        states = {state for state in ENDED if all(state in each for each in lists if each)}
        left_out = {state for state in ENDED for each in by_status if state in (each.not_in or ())}
        labelled = [each.labels for each in _of_kind(ExecutionLabels, self.conditions)]
        labels = tuple(pair for each in (*(each.labels for each in self._entries), *labelled) for pair in each.items())
        return After(flow.namespace, flow.flow_id, frozenset(states - left_out), labels)

    @property
    def whens(self) -> Iterator[tuple[PropertyPath, str]]:
        """The texts that must hold for a run to be followed, and where they are."""
        yield from self.texts(self.when, self.conditions)
        yield from (
            (("dependsOn", index, "when"), each.when)
            for index, each in enumerate(self.depends_on)
            if each.when is not None
        )

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """States in which no run ends here."""
        yield from never_ended("states", self.states)


_INSTEAD = {
    "Webhook": "drop a run request instead: batchrun run NAMESPACE/FLOW",
    "ScheduleOnDates": "write a Schedule, and in its `when` the dates:"
    " `when: \"{{ ['2026-12-24', '2026-12-31'] contains (trigger.date | substringBefore('T')) }}\"`",
    "Toggle": "put the flow with `disabled` of the trigger",
}
_POLL = "look for it in the commands of a flow with a Schedule, or drop a run request when there is something to do"


def _refuse(written: str) -> NoReturn:
    known = (SCHEDULE, FLOW_TRIGGER, *(each.replace(TRIGGERS, OLD_TRIGGERS) for each in (SCHEDULE, FLOW_TRIGGER)))
    instead = _INSTEAD.get(written.rpartition(".")[2], _POLL)
    raise ValueError(f"there is no trigger {written!r} here{did_you_mean(written, known) or f': {instead}'}")


class OtherTrigger(Properties):
    """A trigger of Kestra that does not exist here: in a stored flow it is an error."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, AfterValidator(_refuse)]
    """Kestra's type."""


def _tag(value: object) -> str:
    written = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return {SCHEDULE: "<Schedule>", FLOW_TRIGGER: "<FlowTrigger>"}.get(canonical(str(written)), "<OtherTrigger>")


Trigger = Annotated[
    Annotated[Schedule, Tag("<Schedule>")]
    | Annotated[FlowTrigger, Tag("<FlowTrigger>")]
    | Annotated[OtherTrigger, Tag("<OtherTrigger>")],
    Discriminator(_tag),
]


@dataclass(frozen=True)
class Triggers:
    """The triggers of a flow, without those that are disabled."""

    schedules: tuple[Schedule, ...] = ()
    flows: tuple[FlowTrigger, ...] = ()

    @staticmethod
    def are_unread(triggers: object) -> bool:
        """Whether triggers are as they are written, because the flow is not stored."""
        return not isinstance(triggers, tuple)

    @classmethod
    def of(cls, triggers: object) -> Triggers:
        """Those of the triggers of a flow that are not disabled; none if they are unread."""
        enabled = [each for _, each in numbered(triggers) if not each.disabled]
        return cls(
            tuple(each for each in enabled if isinstance(each, Schedule)),
            tuple(each for each in enabled if isinstance(each, FlowTrigger)),
        )


def numbered(triggers: object) -> list[tuple[int, Schedule | FlowTrigger]]:
    """The triggers of a flow with their indexes; none if they are unread."""
    read = enumerate(triggers) if isinstance(triggers, tuple) else ()
    return [(index, each) for index, each in read if isinstance(each, Schedule | FlowTrigger)]
