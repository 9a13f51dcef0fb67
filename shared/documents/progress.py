"""The progress of every open run, as a tick needs it.

It is stored in the metadata of the run document, which a listing returns at no extra cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from shared.documents.flow_limit import FlowLimit
from shared.documents.names import dropped_at, job_id
from shared.documents.states import State, WaitReason

SCHEMA_VERSION = "1"
DAMAGED = "damaged"


@dataclass(frozen=True)
class Progress:
    """The state of an open run, as the poller needs it; stored as metadata of the run document.

    `attempts` counts submits that failed; `announced` counts the JobEnded events that were published for this round and
    have had no effect yet. The tasks of the round leave so many `markers` of their ends; with 0, a tick finds the end.
    A queued run that is `waiting` is tried again from `retry_at` on; if it `is_staged`, its files are in place. A
    running run uses `pool`. The time when it was `accepted` is that in the body; documents of before version 0.3 do not
    have it here. A run that nobody dropped is submitted `by_tick`, the next one. A run of a flow with `concurrency` has
    its `limit`, and is not submitted before it is `admitted`.
    """

    state: Literal[State.QUEUED, State.RUNNING] = State.QUEUED
    round: int = 1
    cancelled: bool = False
    attempts: int = 0
    announced: int = 0
    waiting: WaitReason | None = None
    retry_at: datetime | None = None
    is_staged: bool = False
    pool: str = ""
    markers: int = 0
    accepted: datetime | None = None
    by_tick: bool = False
    limit: FlowLimit | None = None
    admitted: datetime | None = None
    schema_version: str = SCHEMA_VERSION

    @property
    def is_readable(self) -> bool:
        """Whether this version of the app can read it; if not, a newer version has written it, or it is damaged."""
        return self.schema_version == SCHEMA_VERSION

    @property
    def is_damaged(self) -> bool:
        """Whether the metadata are those of no version of the app."""
        return self.schema_version == DAMAGED

    def attempted(self, now: datetime) -> Progress:
        """The progress once a tick begins to submit the run, which admits it if its flow has a limit."""
        admitted = self.admitted or (now if self.limit else None)
        return replace(self, attempts=self.attempts + 1, waiting=None, retry_at=None, admitted=admitted)

    def to_metadata(self) -> dict[str, str]:
        """The progress as blob metadata: names are C# identifiers, values are text."""
        return {
            "schema": self.schema_version,
            "state": self.state.value,
            "round": str(self.round),
            "cancelled": str(self.cancelled).lower(),
            "attempts": str(self.attempts),
            "announced": str(self.announced),
            "waiting": self.waiting.value if self.waiting else "",
            "retryAt": self.retry_at.isoformat() if self.retry_at else "",
            "staged": str(self.is_staged).lower(),
            "pool": self.pool,
            "markers": str(self.markers),
            "accepted": self.accepted.isoformat() if self.accepted else "",
            "byTick": str(self.by_tick).lower(),
            "flowLimit": self.limit.to_text() if self.limit else "",
            "admitted": self.admitted.isoformat() if self.admitted else "",
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> Progress:
        """Read what `to_metadata` wrote. Raises KeyError or ValueError if the blob is not a run document of this app.

        For a document of a newer version, only the version is read.
        """
        if metadata["schema"] != SCHEMA_VERSION:
            return cls(schema_version=metadata["schema"])
        state: Literal[State.QUEUED, State.RUNNING] = (
            State.RUNNING if State(metadata["state"]) is State.RUNNING else State.QUEUED
        )
        return cls(
            state=state,
            round=int(metadata["round"]),
            cancelled=metadata["cancelled"] == "true",
            attempts=int(metadata["attempts"]),
            announced=int(metadata["announced"]),
            waiting=WaitReason(metadata["waiting"]) if metadata.get("waiting") else None,
            retry_at=datetime.fromisoformat(metadata["retryAt"]) if metadata.get("retryAt") else None,
            is_staged=metadata.get("staged") == "true",
            pool=metadata.get("pool", ""),
            markers=int(metadata.get("markers") or 0),
            accepted=datetime.fromisoformat(metadata["accepted"]) if metadata.get("accepted") else None,
            by_tick=metadata.get("byTick") == "true",
            limit=FlowLimit.from_text(metadata["flowLimit"]) if metadata.get("flowLimit") else None,
            admitted=datetime.fromisoformat(metadata["admitted"]) if metadata.get("admitted") else None,
            schema_version=metadata["schema"],
        )


@dataclass(frozen=True)
class ListedRun:
    """An open run as a listing returns it; the poller decides on it what to do."""

    id: str
    progress: Progress
    etag: str
    last_write: datetime

    @property
    def job_id(self) -> str:
        """The id of the job of the current round."""
        return job_id(self.id, self.progress.round)

    @property
    def accepted(self) -> datetime:
        """When the run was accepted. Its id has the time of the drop, which may be days earlier."""
        return self.progress.accepted or dropped_at(self.id)

    @property
    def begun(self) -> datetime:
        """When it could begin: the time that it waited for other runs of its flow does not count as its own."""
        return self.progress.admitted or self.accepted

    @property
    def oldest_first(self) -> tuple[datetime, str]:
        """A sort key: the time of the acceptance."""
        return self.accepted, self.id
