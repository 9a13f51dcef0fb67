"""The app of one process: settings, and the places where something is read or written.

Made once and kept between invocations, so that connections and the listing of pools are reused.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from azure.core.exceptions import AzureError

from shared.batch.client import Batch
from shared.clients import Clients
from shared.errors import RunChanged, RunUnreadable, TryLater
from shared.events import Events
from shared.log import Stage, log, log_event, log_exception
from shared.masking import Masker, MaskingFilter
from shared.settings import Settings
from shared.storage.inbox import Inbox
from shared.storage.results import Results
from shared.storage.runs import PartStore, RunStore
from shared.storage.sources import Sources
from shared.storage.staging import Staging


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class App:
    """What the three stories work with."""

    settings: Settings
    inbox: Inbox
    runs: RunStore
    parts: PartStore
    sources: Sources
    staging: Staging
    results: Results
    batch: Batch
    events: Events
    now: Callable[[], datetime] = utc_now

    @classmethod
    def of(cls, settings: Settings) -> App:
        """The app for some settings; log lines are masked from here on."""
        clients, names = Clients(settings), settings.containers
        masker = Masker.of(settings)
        log.addFilter(MaskingFilter(masker))
        logging.getLogger("azure").setLevel(logging.WARNING)  # the SDKs tell every request at INFO
        return cls(
            settings=settings,
            inbox=Inbox(clients.blobs.get_container_client(names.inbox)),
            runs=RunStore(clients.blobs.get_container_client(names.runs)),
            parts=PartStore(clients.blobs.get_container_client(names.runs)),
            sources=Sources(clients.blobs, names.namespaces),
            staging=Staging(clients.blobs, settings),
            results=Results(clients.blobs.get_container_client(names.results), masker),
            batch=Batch(clients.batch),
            events=Events(clients.topic),
        )


@contextmanager
def isolate_failures(stage: Stage, *, run: str | None = None, blob: str | None = None) -> Iterator[None]:
    """Keep one run's failure from all others: it is logged, and whatever was going on is tried again later.

    What the services put off, what somebody else moved on, and what only an operator can mend, is told in one line;
    anything else is loud.
    """
    try:
        yield
    except (RunChanged, RunUnreadable, TryLater, AzureError) as expected:
        log_event(stage, "put-off", level=logging.WARNING, run=run, blob=blob, reason=str(expected).partition("\n")[0])
    except Exception:  # noqa: BLE001 - a bug of ours must not stop the runs that it does not concern
        log_exception(stage, "failed", run=run, blob=blob)


@cache
def get_app() -> App:
    """The app of this process; raises SettingsError, naming the setting, until all settings are there."""
    app = App.of(Settings.from_environ())
    collect_garbage_less_often()
    return app


def collect_garbage_less_often() -> None:
    """For this process: what was imported is never looked at again, young objects every 50,000 instead of every 700.

    A plan of 10,000 tasks is a million objects without cycles; to walk them again and again took longer than to plan.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
