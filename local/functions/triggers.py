"""What fires a function: the triggers this host knows, with every setting resolved."""

from __future__ import annotations

from dataclasses import dataclass

from local.functions.blob_path import BlobPathPattern
from local.functions.ncrontab import Schedule


@dataclass(frozen=True)
class BlobTrigger:
    """A new or changed blob at a path; `connection` is a connection string.

    `source` (`LogsAndContainerScan` or `EventGrid`) makes no difference here: both are served by scanning.
    """

    path: BlobPathPattern
    connection: str


@dataclass(frozen=True)
class TimerTrigger:
    """A point in time."""

    schedule: Schedule
    run_on_startup: bool


@dataclass(frozen=True)
class EventGridTrigger:
    """An event that Event Grid posts to the host's webhook."""


Trigger = BlobTrigger | TimerTrigger | EventGridTrigger
