"""What must hold of every day: nothing is lost, and what it costs does not depend on how long runs take."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.simulation.day import Day

CALLS_OF_A_ROUND = (
    "Jobs_CreateJob",
    "Tasks_CreateTaskCollection",
    "Jobs_UpdateJob",
    "Tasks_ListTasks",
    "Jobs_DeleteJob",
)
REQUESTS_OF_A_RUN = 40
PAGE = 1000


def problems(day: Day) -> list[str]:
    """Everything that is not as it must be."""
    return [*day.seen.wrong, *_lost(day), *_not_flat(day)]


def _lost(day: Day) -> Iterator[str]:
    if day.seen.recorded != day.seen.dropped:
        yield f"{day.seen.dropped} manifests, but {day.seen.recorded} records"
    for container in ("inbox", "runs", "staging"):
        if left := day.container(container).all():
            yield f"{len(left)} blobs are left in {container}, such as {left[0].name}"
    without_report = day.seen.events["closed without a report"]
    if without_report > day.seen.events["refused by storage"]:  # it is not tried again: the record is what counts
        yield f"{without_report} runs are without a report"
    if day.batch.open_jobs:
        yield f"{day.batch.open_jobs} jobs are left"


def _not_flat(day: Day) -> Iterator[str]:
    """A call is made again only where an invocation ended in the middle, an event was doubled, or a service was out."""
    requests, seen = day.batch.requests, day.seen
    pages = math.ceil(max((active for *_, active in seen.queues), default=0) / PAGE)
    listings = seen.ticks * max(1, pages)
    if requests["Jobs_ListJobs"] > listings:
        yield f"{requests['Jobs_ListJobs']} listings of jobs in {seen.ticks} ticks"
    if requests["Pools_ListPoolNodeCounts"] > seen.ticks:
        yield f"{requests['Pools_ListPoolNodeCounts']} listings of nodes in {seen.ticks} ticks"
    again = day.options.doubled_events + day.options.lost_events + REQUESTS_OF_A_RUN * day.options.ended_invocations
    out_of_reach = sum(count for event, count in seen.events.items() if event.startswith("refused by"))
    for call in CALLS_OF_A_ROUND:
        made = requests[call] - day.batch.refused[call]
        if made > seen.dropped * (1 + again) + out_of_reach:
            yield f"{made} calls of {call} for {seen.dropped} runs"
