"""The status of an open run. Version "1" may gain fields, never lose one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from shared.documents.document import Document
from shared.documents.states import State


class Status(Document):
    """`status.json`: the state of an open run; removed when the run is closed.

    `waiting` is `quota`, `busy`, `pool` or `flow`; `message` explains it, and `position` is the run's place in the
    queue: of `flow`, among the runs of the same flow.
    """

    schema_version: Literal["1"] = "1"
    run_id: str
    state: State
    round: int
    job_id: str | None
    waiting: str | None
    position: int | None = None
    message: str | None = None
    updated: datetime
