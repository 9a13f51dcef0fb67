"""Decides what a tick does with an open run: submit, reject, announce the end of its job, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from shared.documents.flow_limit import Behavior
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
    REFUSE = "refuse because of other runs of its flow"
    ANNOUNCE = "announce"
    ANNOUNCE_LAST = "announce the last time"
    TERMINATE = "terminate"


def next_action(  # noqa: PLR0911 - one return a row of the table
    run: ListedRun, *, job_is_alive: bool, now: datetime
) -> Action:
    """What a tick must do with an open run.

    A queued run that waits for a service is tried at every tick, and one that nobody dropped at the first; any other
    that was just written is left to the invocation that wrote it. Attempts and announcements are repeated after growing
    pauses, a limited number of times. A document without its metadata is left to the operator for an hour.
    """
    progress = run.progress
    unchanged_for = now - run.last_write
    if not progress.is_readable:
        return Action.REJECT if progress.is_damaged and unchanged_for >= LONGEST_PAUSE else Action.NOTHING
    if progress.state is State.QUEUED:
        if progress.attempts >= MAX_ATTEMPTS:
            return Action.REJECT
        is_left_to_ticks = progress.waiting or (progress.by_tick and progress.attempts == 0)
        return Action.SUBMIT if is_left_to_ticks or unchanged_for >= pause(progress.attempts) else Action.NOTHING
    if job_is_alive:
        return Action.TERMINATE if now - run.begun > LONGEST_RUN else Action.NOTHING
    if progress.announced == 0:
        return Action.ANNOUNCE
    if unchanged_for < pause(progress.announced - 1):
        return Action.NOTHING
    return Action.ANNOUNCE if progress.announced < MAX_ANNOUNCEMENTS else Action.ANNOUNCE_LAST


def queued_actions(runs: Sequence[ListedRun], now: datetime) -> list[tuple[ListedRun, Action]]:
    """The queued runs with which a tick must do something: those to refuse, then the others, the oldest first."""
    over = over_limit(runs)
    actions = [
        (run, over.get(run.id) or next_action(run, job_is_alive=False, now=now))
        for run in runs
        if run.progress.state is State.QUEUED
    ]
    due = [(run, action) for run, action in actions if action is not Action.NOTHING]
    return sorted(due, key=lambda run_and_action: run_and_action[1] is not Action.REFUSE)


def over_limit(runs: Sequence[ListedRun]) -> dict[str, Action]:
    """What is done with the runs that may not begin, by id: as many others of their flow are under way as may be.

    `runs` are all open runs, the oldest first. As in Kestra, what counts is the latest limit of the flow, those that
    wait do not count, and nobody overtakes those:
    https://github.com/kestra-io/kestra/blob/develop/executor/src/main/java/io/kestra/executor/ExecutorService.java
    (`processExecutionRunning`).
    """
    limited = [(run, run.progress.limit) for run in runs if run.progress.limit]
    limits = {limit.flow: limit.limit for _, limit in limited}
    under_way = Counter(limit.flow for run, limit in limited if run.progress.admitted)
    over = {}
    for run, limit in limited:
        if run.progress.admitted:
            continue
        if under_way[limit.flow] < limits[limit.flow]:
            under_way[limit.flow] += 1
        else:
            over[run.id] = Action.NOTHING if limit.behavior is Behavior.QUEUE else Action.REFUSE
    return over


def pause(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts: 30 s, doubled each time, at most an hour."""
    return min(FIRST_PAUSE * (1 << attempts), LONGEST_PAUSE)
