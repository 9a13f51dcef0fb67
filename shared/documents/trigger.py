"""What started a run that nobody dropped: a trigger of its stored flow, on time or after another run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.documents.document import Document
from shared.documents.states import State


class DueTime(Document):
    """The time that a Schedule was due, in its time zone, and those after and before it that it is due as well."""

    date: datetime
    next: datetime | None = None
    previous: datetime | None = None


class EndedRun(Document):
    """The run after whose end a Flow trigger starts another one, as its record has it; `results` is its folder."""

    run_id: str
    results: str
    namespace: str
    flow_id: str
    state: State
    started: datetime
    ended: datetime
    first_failed_task: str | None = None
    last_task: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)


class StartedBy(Document):
    """The trigger that started a run: its id and type, and its flow, `<namespace>/<id>`.

    `due` is that of a Schedule, `ended` that of a Flow trigger; a flow that is only checked has neither. `depth` counts
    the runs before it in its chain.
    """

    id: str
    type: str
    flow: str
    due: DueTime | None = None
    ended: EndedRun | None = None
    depth: int = 0

    @property
    def is_known(self) -> bool:
        """Whether there is a run that it started, and not only a flow that is checked."""
        return self.due is not None or self.ended is not None
