"""The events that subscriptions have yet to deliver, in a database; dead-lettered events, in a folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.event_subscriptions import RECORD_RUN
from local.eventgrid.events import EventSchema, PublishedEvent
from local.eventgrid.retry_policy import DeadLetterReason

_TABLE = """
CREATE TABLE IF NOT EXISTS waiting (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, schema TEXT NOT NULL, body TEXT NOT NULL,
  published REAL NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_attempt REAL, outcome TEXT
)"""
_SUBSCRIPTION = f"ALTER TABLE waiting ADD COLUMN subscription TEXT NOT NULL DEFAULT '{RECORD_RUN.name}'"
"""A database of a former version has the events of one subscription."""
_INDEX = "CREATE INDEX IF NOT EXISTS by_due ON waiting (subscription, due, number)"


@dataclass(frozen=True)
class Attempts:
    """How often delivery has been tried, when last, and how that ended, as `outcome_name` says it."""

    count: int = 0
    last: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class StoredEvent:
    """An undelivered event, and the attempts to deliver it."""

    number: int
    event: PublishedEvent
    published: datetime
    due: datetime
    attempts: Attempts


class EventStore:
    """The undelivered events of all subscriptions. Every change is on disk when the method returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._dead_letters = folder / "dead-letter"
        self._database = sqlite3.connect(folder / "events.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")  # a commit then survives the end of the process
        self._database.execute(_TABLE)
        if "subscription" not in (column[1] for column in self._database.execute("PRAGMA table_info(waiting)")):
            self._database.execute(_SUBSCRIPTION)
        self._database.execute(_INDEX)

    def add(self, events: Sequence[tuple[str, PublishedEvent]], now: datetime) -> None:
        """Store the events of one request, each for the subscription named, all or none; they are due immediately."""
        stamp = now.timestamp()
        rows = [(name, event.id, event.schema, event.body, stamp, stamp) for name, event in events]
        self._database.execute("BEGIN")
        with self._database:
            self._database.executemany(
                "INSERT INTO waiting (subscription, id, schema, body, published, due) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def keep_only(self, subscriptions: Collection[str]) -> int:
        """Remove the events of other subscriptions, which are no more; returns how many there were."""
        others = "DELETE FROM waiting WHERE subscription NOT IN (SELECT value FROM json_each(?))"
        return self._database.execute(others, (json.dumps(list(subscriptions)),)).rowcount

    def due_first(self, subscription: str, limit: int) -> list[StoredEvent]:
        """At most `limit` undelivered events of a subscription, ordered by when they are due."""
        query = "SELECT * FROM waiting WHERE subscription = ? ORDER BY due, number LIMIT ?"
        rows = self._database.execute(query, (subscription, limit))
        return [
            StoredEvent(
                number,
                PublishedEvent(id_, EventSchema(schema), body),
                _time(published),
                _time(due),
                Attempts(count, None if last is None else _time(last), outcome),
            )
            for number, id_, schema, body, published, due, count, last, outcome, _ in rows
        ]

    def retry(self, stored: StoredEvent, attempts: Attempts, due: datetime) -> None:
        """Record that one more attempt has failed; the next one is due at `due`."""
        last = attempts.last.timestamp() if attempts.last else None
        self._database.execute(
            "UPDATE waiting SET attempts = ?, last_attempt = ?, outcome = ?, due = ? WHERE number = ?",
            (attempts.count, last, attempts.outcome, due.timestamp(), stored.number),
        )

    def remove(self, stored: StoredEvent) -> None:
        """Remove a delivered event."""
        self._database.execute("DELETE FROM waiting WHERE number = ?", (stored.number,))

    def dead_letter(self, stored: StoredEvent, attempts: Attempts, reason: DeadLetterReason) -> Path:
        """Give an event up: it is removed, and written to a file in the format of dead-lettered events."""
        about: dict[str, object] = {
            "deadletterreason": reason.value,
            "deliveryattempts": attempts.count,
            "lastdeliveryoutcome": attempts.outcome,
            "publishtime": stored.published.isoformat(),
            "lastdeliveryattempttime": attempts.last and attempts.last.isoformat(),
        }
        self._dead_letters.mkdir(exist_ok=True)
        file = self._dead_letters / f"{stored.number}.json"
        whole = file.with_suffix(".tmp")  # whoever finds the file, finds all of it
        whole.write_text(json.dumps([stored.event.as_cloud_event() | about], indent=2))
        whole.replace(file)
        self.remove(stored)
        return file


def _time(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
