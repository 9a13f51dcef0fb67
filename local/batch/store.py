"""Where the resources of an account survive a restart: a SQLite file, written before a request is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.batch.machine.state import Kind, Resource, ResourceKey
from local.batch.models.job import Job
from local.batch.models.job_schedule import JobSchedule
from local.batch.models.pool import Pool
from local.batch.models.task import Task
from local.errors import LocalError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, parent TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, parent, key)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Stored:
    """Everything that was stored; tasks with the key of their job, in the order in which they were added."""

    pools: list[Pool]
    jobs: list[Job]
    tasks: list[tuple[str, Task]]
    schedules: list[JobSchedule]


class Store:
    """The store of one account, open for this process alone.

    Commits reach the operating system, not the disk (`synchronous=OFF`): they survive the death of this process, though
    not a power cut, and cost microseconds.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file; LocalError if another process has it open."""
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(_SCHEMA)
        except sqlite3.OperationalError as error:
            raise LocalError(
                f"Another Batch service is using {path} ({error}). Stop it, or choose another --data-dir."
            ) from error

    def close(self) -> None:
        """Close the file for others to open."""
        self._connection.close()

    def load(self) -> Stored:
        """Return everything that was stored."""
        tasks = [(parent, Task.model_validate_json(body)) for parent, body in self._rows(Kind.TASK)]
        return Stored(
            pools=[Pool.model_validate_json(body) for _, body in self._rows(Kind.POOL)],
            jobs=[Job.model_validate_json(body) for _, body in self._rows(Kind.JOB)],
            tasks=sorted(tasks, key=lambda stored: stored[1].creation_time),
            schedules=[JobSchedule.model_validate_json(body) for _, body in self._rows(Kind.JOB_SCHEDULE)],
        )

    def write(self, changes: Iterable[tuple[ResourceKey, Resource | None]]) -> None:
        """Store all changes, or none if the process dies meanwhile."""
        rows = [(_row_key(key), resource) for key, resource in changes]
        if not rows:
            return
        self._connection.execute("BEGIN")
        for row_key, resource in rows:
            if resource is None:
                self._connection.execute("DELETE FROM resources WHERE kind = ? AND parent = ? AND key = ?", row_key)
            else:
                body = resource.model_dump_json(exclude_defaults=True)
                self._connection.execute("REPLACE INTO resources VALUES (?, ?, ?, ?)", (*row_key, body))
        self._connection.execute("COMMIT")

    def _rows(self, kind: Kind) -> list[tuple[str, str]]:
        query = "SELECT parent, body FROM resources WHERE kind = ?"
        return self._connection.execute(query, (kind.value,)).fetchall()


def _row_key(key: ResourceKey) -> tuple[str, str, str]:
    *parents, own = key.parts
    return (key.kind.value, "/".join(parents), own)
