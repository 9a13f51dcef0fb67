"""The triggers that this host supports, with every setting resolved."""

from __future__ import annotations

from dataclasses import dataclass

from local.functions.blob_path import BlobPathPattern
from local.functions.ncrontab import Schedule


@dataclass(frozen=True)
class BlobTrigger:
    """A new or changed blob at a path; `connection` is a connection string.

    `source` (`LogsAndContainerScan` or `EventGrid`) makes no difference: this host finds blobs by scanning.
    """

    path: BlobPathPattern
    connection: str


@dataclass(frozen=True)
class TimerTrigger:
    """The occurrences of a schedule."""

    schedule: Schedule
    run_on_startup: bool


@dataclass(frozen=True)
class EventGridTrigger:
    """An event that Event Grid posts to the host's webhook."""


Trigger = BlobTrigger | TimerTrigger | EventGridTrigger
