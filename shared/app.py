"""The app of one process: its settings, and the services that the three stories use.

It is made once and kept between invocations, so that connections and the listing of pools are reused.
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
from shared.storage.card import CardStore
from shared.storage.copies import Copies
from shared.storage.flows import StoredFlows
from shared.storage.inbox import Inbox
from shared.storage.ledger import Ledger
from shared.storage.results import Results
from shared.storage.runs import PartStore, RunStore
from shared.storage.schedules import ScheduleStore
from shared.storage.sources import Sources
from shared.storage.staging import Staging


def utc_now() -> datetime:
    """The current time, with its time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class App:
    """The settings, services and clock that the three stories use."""

    settings: Settings
    inbox: Inbox
    flows: StoredFlows
    runs: RunStore
    parts: PartStore
    schedules: ScheduleStore
    sources: Sources
    staging: Staging
    results: Results
    copies: Copies
    batch: Batch
    events: Events
    ledger: Ledger
    card: CardStore
    now: Callable[[], datetime] = utc_now

    @classmethod
    def of(cls, settings: Settings) -> App:
        """Make the app for some settings. From then on, secrets are masked in log lines."""
        clients, names = Clients(settings), settings.containers
        masker = Masker.of(settings)
        copies = Copies(clients.blobs, settings.storage.blob_endpoint)
        log.addFilter(MaskingFilter(masker))
        logging.getLogger("azure").setLevel(logging.WARNING)  # at INFO the SDKs log every request
        return cls(
            settings=settings,
            inbox=Inbox(clients.blobs.get_container_client(names.inbox)),
            flows=StoredFlows(clients.blobs.get_container_client(names.flows)),
            runs=RunStore(clients.blobs.get_container_client(names.runs)),
            parts=PartStore(clients.blobs.get_container_client(names.runs)),
            schedules=ScheduleStore(clients.blobs.get_container_client(names.runs)),
            sources=Sources(clients.blobs, names.namespaces),
            staging=Staging(clients.blobs, settings, copies),
            results=Results(clients.blobs.get_container_client(names.results), masker, copies),
            copies=copies,
            batch=Batch(clients.batch),
            events=Events(clients.topic, masker),
            ledger=Ledger(clients.blobs.get_container_client(names.results), masker),
            card=CardStore(clients.blobs.get_container_client(names.results), settings),
        )


@contextmanager
def isolate_failures(stage: Stage, *, run: str | None = None, blob: str | None = None) -> Iterator[None]:
    """Log a failure of one run instead of letting it stop the work on all others; a later tick tries again.

    A failure of a service, a change by another invocation, or a document that only an operator can repair is logged in
    one line; any other exception is logged as an error with its traceback.
    """
    try:
        yield
    except (RunChanged, RunUnreadable, TryLater, AzureError) as expected:
        log_event(stage, "put-off", level=logging.WARNING, run=run, blob=blob, reason=str(expected).partition("\n")[0])
    except Exception:  # noqa: BLE001 - a bug must not stop the runs that it does not concern
        log_exception(stage, "failed", run=run, blob=blob)


@cache
def get_app() -> App:
    """The app of this process. Raises SettingsError, naming the setting, until all settings are present."""
    app = App.of(Settings.from_environ())
    collect_garbage_less_often()
    return app


def collect_garbage_less_often() -> None:
    """Exclude imported objects from garbage collection; collect after 50,000 new objects instead of 700.

    A plan of 10,000 tasks is a million objects without cycles: walking them repeatedly took longer than planning.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
