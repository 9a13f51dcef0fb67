"""What a run waits for, in words. Pure."""

from __future__ import annotations

from local.runs.stack_runs import RunView
from shared.documents.record import Status
from shared.documents.states import State, WaitReason

_REASONS = {
    WaitReason.QUOTA: "waits for the account's quota of active jobs",
    WaitReason.BUSY: "waits: Azure Batch is busy",
    WaitReason.POOL: "waits for its pool",
}


COLLECTING = "its tasks have ended, their results are being collected"


def what_it_waits_for(view: RunView) -> str:
    """The reason that the app gives, or what is still to come after the tasks; empty if tasks are to be waited for."""
    if why := why_it_waits(view.status):
        return why
    is_over = view.state is State.RUNNING and view.tasks and all(task.has_ended for task in view.tasks)
    return COLLECTING if is_over else ""


def why_it_waits(status: Status | None) -> str:
    """The reason that `status.json` gives; empty if there is none."""
    if status is None or status.waiting is None:
        return ""
    place = f", place {status.position} in the queue" if status.position else ""
    more = f": {status.message}" if status.message else ""
    return _REASONS[WaitReason(status.waiting)] + place + more
