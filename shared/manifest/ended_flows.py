"""Which ended run of another flow a Flow trigger follows: what Kestra 1 and 2 have for it.

A trigger follows the runs of one flow. Kestra's sets of several flows and its windows of time are refused by name: a
name that is created once makes a run for each run that ended, and nothing remembers which of a set have ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from shared.documents.states import State
from shared.errors import did_you_mean
from shared.manifest._labels import Labels
from shared.manifest.conditions import (
    DATES,
    Condition,
    Kind,
    OfDate,
    OtherCondition,
    tag_of,
)
from shared.manifest.types import NoEffect, Properties, PropertyPath, Text, Unsupported

ENDED = (State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.REJECTED)
"""The states in which runs end."""
_NEVER = ("CANCELLED", "RETRIED", "SKIPPED", "RESUBMITTED", "PAUSED")
_OPEN = ("CREATED", "SUBMITTED", "QUEUED", "RUNNING", "KILLING", "RESTARTED", "RETRYING", "BREAKPOINT")
ONE_FLOW = "a trigger follows one flow: write a trigger for each, with an `id` of its own"


def _state(written: str) -> str:
    names = [state.value for state in ENDED]
    if written in _OPEN:
        raise ValueError(f"a run is followed once it has ended, which {written} is not; there is {', '.join(names)}")
    if written not in (*names, *_NEVER):
        raise ValueError(f"expected {', '.join(names)}, found {written!r}{did_you_mean(written, names)}")
    return written


States = Annotated[tuple[Annotated[Text, AfterValidator(_state)], ...], Field(min_length=1)]


def never_ended(name: str, states: Iterable[str] | None) -> Iterator[tuple[PropertyPath, str]]:
    """A warning for each state of a property in which no run ends here."""
    for index, state in enumerate(states or ()):
        if state in _NEVER:
            yield (name, index), f"without effect: no run ends as {state} here"


def _written(name: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value or "{{" in value:
            how = " as it is: it is not rendered" if value else ""
            raise ValueError(f"a trigger follows one flow: write its `{name}`{how}")
        return value

    return AfterValidator(check)


_Namespace = Annotated[str, _written("namespace")]
_FlowId = Annotated[str, _written("flowId")]


class _NamesFlow(Properties):
    @model_validator(mode="before")
    @classmethod
    def _names_are_there(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the manifest has here
        """A name that is missing is empty, so that the message says what it is for."""
        names = [name for name in ("namespace", "flowId") if name in {each.alias for each in cls.model_fields.values()}]
        if not isinstance(data, dict):
            return data
        return data | {name: "" for name in names if data.get(name) is None}


class EndedFlow(_NamesFlow):
    """The flow that a Flow trigger follows, and which of its runs."""

    namespace: _Namespace
    """The namespace of the flow."""
    flow_id: _FlowId
    """The id of the flow."""
    states: States | None = None
    """The states in which a run must have ended."""
    labels: Labels = Field(default_factory=dict)
    """Labels that a run must have, with these values."""

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """States in which no run ends here."""
        yield from never_ended("states", self.states)


class Dependency(EndedFlow):
    """The flow that a Flow trigger follows, and which of its runs, as in Kestra 2."""

    when: Text | None = None
    """As `when` of the trigger: both must hold."""


def one(flows: tuple[Any, ...]) -> tuple[Any, ...]:
    """The list, which must have one entry."""
    if len(flows) > 1:
        raise ValueError(ONE_FLOW)
    return flows


class Preconditions(Properties):
    """The flow that a Flow trigger follows, as in Kestra 1."""

    id: str
    """Its name."""
    flows: Annotated[tuple[EndedFlow, ...], Field(min_length=1), AfterValidator(one)]
    """The flow: the only entry of a list."""
    where: Annotated[
        None, Unsupported("write `flows`, with one flow, and an expression into `when` of the trigger")
    ] = None
    time_window: Annotated[None, Unsupported("each run that ends is followed, whenever that is")] = None
    reset_on_success: Annotated[bool, NoEffect("each run that ends is followed once")] = True


class ExecutionFlow(_NamesFlow, Condition):
    """Holds after runs of one flow."""

    type: Annotated[str, Kind("ExecutionFlow")]
    namespace: _Namespace
    """The namespace of the flow."""
    flow_id: _FlowId
    """The id of the flow."""


def _only_equal(value: object) -> object:
    if value not in (False, "EQUALS"):
        raise ValueError("a trigger follows one flow, of one namespace: write a trigger for each")
    return value


class ExecutionNamespace(_NamesFlow, Condition):
    """Holds after runs of the flows of one namespace."""

    type: Annotated[str, Kind("ExecutionNamespace")]
    namespace: _Namespace
    """The namespace."""
    prefix: Annotated[bool, AfterValidator(_only_equal)] = False
    """Whether it stands for all namespaces that begin so: `true` is an error."""
    comparison: Annotated[str, AfterValidator(_only_equal)] = "EQUALS"
    """How it is compared: only `EQUALS`."""


class ExecutionStatus(Condition):
    """Holds after runs that ended in some states."""

    type: Annotated[str, Kind("ExecutionStatus")]
    in_: Annotated[States | None, Field(alias="in")] = None
    """The states."""
    not_in: States | None = None
    """Other states, for which it does not hold."""

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """States in which no run ends here."""
        yield from never_ended("in", self.in_)


class ExecutionLabels(Condition):
    """Holds after runs with some labels."""

    type: Annotated[str, Kind("ExecutionLabels")]
    labels: Labels
    """The labels, with their values."""


END_CONDITIONS: tuple[type[Condition], ...] = (ExecutionFlow, ExecutionNamespace, ExecutionStatus, ExecutionLabels)
KINDS = (*DATES, *(model.__name__ for model in END_CONDITIONS))
"""The conditions of a Flow trigger, by the last part of their types."""

EndCondition = Annotated[
    OfDate
    | Annotated[ExecutionFlow, Tag("<ExecutionFlow>")]
    | Annotated[ExecutionNamespace, Tag("<ExecutionNamespace>")]
    | Annotated[ExecutionStatus, Tag("<ExecutionStatus>")]
    | Annotated[ExecutionLabels, Tag("<ExecutionLabels>")]
    | Annotated[OtherCondition, Tag("<OtherCondition>")],
    Discriminator(lambda value: tag_of(value, KINDS)),
]
