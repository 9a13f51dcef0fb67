"""`concurrency` of a flow: how many of its runs may be under way at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.documents.flow_limit import Behavior
from shared.manifest.types import Properties


class Concurrency(Properties):
    """How many runs of the flow may be under way at once, and what happens to a run beyond them.

    A run counts from the moment when it may begin until it is recorded. What belongs to one flow is told by `namespace`
    and `id`; if its runs have different limits, that of the run that was accepted last is the limit of all. Runs begin
    in the order in which they were accepted, at the next tick (15 seconds by default) after there is room. Mistakes in
    the flow are told before a run waits.
    """

    limit: Annotated[int, Field(ge=1)]
    """How many runs of the flow are under way at most."""
    behavior: Behavior = Behavior.QUEUE
    """What a run beyond the limit does: it waits (`QUEUE`; its `status.json` says so), ends as `KILLED` (`CANCEL`), or
    ends as `FAILED` (`FAIL`)."""
