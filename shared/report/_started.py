"""What started a run that nobody dropped: the due time of a schedule, or the end of another run and its report."""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.names import results_folder
from shared.documents.record import Record
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
