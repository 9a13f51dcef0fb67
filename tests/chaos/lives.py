"""A run from its drop to its record, across the deaths of the processes that work on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError

from shared import poll_runs, record_run, submit_run
from shared.errors import TryLater
from shared.run_id import results_folder
from shared.states import State
from tests.chaos.wire import Death, Wire, process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.app import App
    from shared.events import JobEnded
    from tests.integration.conftest import World

MAX_TICKS = 40
TICK = timedelta(seconds=65)
"""After a crash: longer than the sweep, and the first pauses between attempts and announcements, wait."""


@dataclass
class Host:
    """Runs the app's stories one at a time, as a Functions host does, and starts the app anew when it has died.

    `redelivers`: the event whose handler died comes again; otherwise it is lost.
    """

    world: World
    wire: Wire
    redelivers: bool
    app: App = field(init=False)
    clock: timedelta = timedelta(0)
    events: list[JobEnded] = field(default_factory=list)
    delivered: list[JobEnded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = process(self.world, self.wire)

    def run(self, name: str, text: str) -> str:
        """Drop a manifest, and do what a host does until nothing is left to do; the id of the run."""
        run = self.world.drop(name, text)
        self._invoke(lambda app: submit_run.take(app, name))
        for _ in range(MAX_TICKS):
            if not self.world.names("runs") and not self.world.names("inbox"):
                return run
            self._await_job(run)
            self._invoke(poll_runs.poll)
            self._deliver()
        raise AssertionError(f"{run} is still open; inbox: {self.world.names('inbox')}")

    def repeat_all(self, name: str) -> None:
        """Deliver everything once more: the drop, and every event."""
        submit_run.take(self.world.app, name)
        for event in self.delivered:
            record_run.record(self.world.app, event)

    def _await_job(self, run: str) -> None:
        """Wait for the job that the run is at; this is the test's waiting, and goes over no wire."""
        document = self.world.app.runs.load(run)
        if document is not None and document.progress.state is State.RUNNING:
            self.world.await_end(run, document.progress.round)

    def _deliver(self) -> None:
        self.events += self.world.outbox.take()
        while self.events:
            event = self.events.pop()
            self.delivered.append(event)
            if not self._invoke(lambda app, event=event: record_run.record(app, event)) and self.redelivers:
                self.events.append(event)
            self.events += self.world.outbox.take()

    def _invoke(self, story: Callable[[App], None]) -> bool:
        """Invoke a function; False if that failed. If the process died of it, there is a new one from then on."""
        app = replace(self.app, now=lambda: datetime.now(UTC) + self.clock)
        try:
            story(app)
        except Death:
            self.app = process(self.world, Wire())
            return False
        except (AzureError, TryLater):
            return False
        finally:
            if self.wire.has_struck:
                self.clock += TICK
        return True


@dataclass(frozen=True)
class Ended:
    """What a run left when all is over, as far as it must be the same however often the app died."""

    shape: dict[str, Any]
    ran: list[str]

    @classmethod
    def of(cls, world: World, run: str, name: str, ledger: Path) -> Ended:
        """Read it, and check what holds for every run that has ended."""
        record, folder = world.record(run, name), results_folder(name, run)
        blobs = {blob.removeprefix(f"{folder}/") for blob in world.names("results") if blob.startswith(f"{folder}/")}
        listed = set(_files(record))
        assert listed <= blobs, f"the record lists what is not there: {listed - blobs}"
        assert {"manifest.yaml", "record.json", "report.html"} <= blobs
        assert "status.json" not in blobs
        assert world.names("inbox") == world.names("runs") == world.names("staging") == []
        lines = (ledger / run).read_text().splitlines() if (ledger / run).exists() else []
        return cls(_shape(record), sorted(lines))


def _entries(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Tasks and items."""
    items = [task["items"]["records"] for task in record["tasks"] if task.get("items")]
    return [*record["tasks"], *(entry for records in items for entry in records)]


def _files(record: dict[str, Any]) -> list[str]:
    """The blobs that a record lists."""
    found = []
    for entry in _entries(record):
        found += [file["blob"] for file in entry["outputs"]["outputFiles"].values()]
        found += [log for log in entry["logs"].values() if log]
    return found


def _shape(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what differs from run to run: ids, times and nodes."""
    entries = [
        (entry["state"], entry["exitCode"], entry["outputs"]["vars"], sorted(entry["outputs"]["outputFiles"]))
        for entry in _entries(record)
    ]
    reasons = [job["reason"] for job in record["jobs"]]
    return {"state": record["state"], "jobs": reasons, "entries": entries, "errors": record["errors"]}
