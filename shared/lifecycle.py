"""Decides what a tick does with an open run: submit, reject, announce the end of its job, or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from shared.documents.progress import ListedRun
from shared.documents.states import State

MAX_ATTEMPTS = 10
MAX_ANNOUNCEMENTS = 12
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_RUN = timedelta(days=7)  # a flow may take six days; a job that was disabled by hand would never end


class Action(StrEnum):
    """What a tick can do with an open run."""

    NOTHING = "nothing"
    SUBMIT = "submit"
    REJECT = "reject"
    ANNOUNCE = "announce"
    ANNOUNCE_LAST = "announce the last time"
    TERMINATE = "terminate"


def next_action(  # noqa: PLR0911 - one return a row of the table
    run: ListedRun, *, job_is_alive: bool, now: datetime
) -> Action:
    """What a tick must do with an open run.

    A queued run that waits for a service is tried at every tick; one that was just written is left to the invocation
    that wrote it. Attempts and announcements are repeated after growing pauses, a limited number of times.
    """
    progress = run.progress
    if not progress.is_readable:
        return Action.NOTHING
    unchanged_for = now - run.last_write
    if progress.state is State.QUEUED:
        if progress.attempts >= MAX_ATTEMPTS:
            return Action.REJECT
        return Action.SUBMIT if progress.waiting or unchanged_for >= pause(progress.attempts) else Action.NOTHING
    if job_is_alive:
        return Action.TERMINATE if now - run.accepted > LONGEST_RUN else Action.NOTHING
    if progress.announced == 0:
        return Action.ANNOUNCE
    if unchanged_for < pause(progress.announced - 1):
        return Action.NOTHING
    return Action.ANNOUNCE if progress.announced < MAX_ANNOUNCEMENTS else Action.ANNOUNCE_LAST


def pause(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts: 30 s, doubled each time, at most an hour."""
    return min(FIRST_PAUSE * (1 << attempts), LONGEST_PAUSE)
