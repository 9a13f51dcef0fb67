"""What started a run that nobody dropped, a due time or the end of another run; and the runs that follow it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.documents.names import results_folder
from shared.documents.record import Record
from shared.documents.run import Run
from shared.report.earlier import path_to


@dataclass(frozen=True)
class Started:
    """The trigger in words; `run_id` is the run that it followed, and `report` the relative path of its report."""

    by: str
    run_id: str | None = None
    report: str | None = None


def started(record: Record) -> Started | None:
    """What started the run; None if its manifest was dropped, as that of a retry."""
    trigger = record.trigger
    if trigger is None or record.retry_of is not None:
        return None
    if trigger.ended:
        ended, own_folder = trigger.ended, results_folder(record.manifest.name, record.run_id)
        words = f"the trigger {trigger.id}: {ended.namespace}/{ended.flow_id} ended as {ended.state.value}"
        return Started(words, ended.run_id, path_to(f"{ended.results}/report.html", own_folder))
    due = f", due at {trigger.due.date.isoformat(sep=' ')}" if trigger.due else ""
    return Started(f"the trigger {trigger.id}{due}")


@dataclass(frozen=True)
class Follower:
    """A run that starts after this one: its flow, its id and the relative path of the report that it will have."""

    flow: str
    run_id: str
    report: str


def followers(record: Record, runs: Iterable[Run]) -> list[Follower]:
    """The runs that follow a recorded one."""
    own_folder = results_folder(record.manifest.name, record.run_id)
    return [
        Follower(run.body.trigger.flow, run.id, path_to(f"{run.results}/report.html", own_folder))
        for run in runs
        if run.body.trigger
    ]
