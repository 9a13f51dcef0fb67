"""Why a run waits, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.states import Waiting

if TYPE_CHECKING:
    from shared.record import Status

_REASONS = {
    Waiting.QUOTA: "waits for the account's quota of active jobs",
    Waiting.BUSY: "waits: Azure Batch is busy",
    Waiting.POOL: "waits for its pool",
}


def why_it_waits(status: Status | None) -> str:
    """The reason that `status.json` gives; empty if there is none."""
    if status is None or status.waiting is None:
        return ""
    place = f", place {status.position} in the queue" if status.position else ""
    more = f": {status.message}" if status.message else ""
    return _REASONS[Waiting(status.waiting)] + place + more
