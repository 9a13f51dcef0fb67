"""The triggers that this host supports, with every setting resolved."""

from __future__ import annotations

from dataclasses import dataclass

from local.functions.blob_path import BlobPathPattern
from local.functions.ncrontab import Schedule


@dataclass(frozen=True)
class BlobTrigger:
    """A new or changed blob at a path; `connection` is a connection string.

    Both sources are served by scanning. With the source `EventGrid` only those blobs count whose events the deployed
    subscription lets through, by the ends of their names and their size (`event_subscriptions.inbox_filter`). The
    source `LogsAndContainerScan` has no such filter, in Azure as here: the host loads whatever is in the container.
    """

    path: BlobPathPattern
    connection: str
    by_events: bool = False


@dataclass(frozen=True)
class TimerTrigger:
    """The occurrences of a schedule."""

    schedule: Schedule
    run_on_startup: bool


@dataclass(frozen=True)
class EventGridTrigger:
    """An event that Event Grid posts to the host's webhook."""


Trigger = BlobTrigger | TimerTrigger | EventGridTrigger
