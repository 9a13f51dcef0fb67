"""A run from its drop to its record, across the deaths of the processes that work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError

from batchrun.client.ledger import LedgerReader
from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.documents.end_markers import EndMarker
from shared.documents.ledger import LineKind
from shared.documents.names import results_folder
from shared.documents.states import State
from shared.errors import TryLater
from shared.events import JobEnded
from tests.chaos.stories import REQUEST, Story
from tests.chaos.wire import Death, Wire, process
from tests.integration.conftest import World
from tests.support.waiting import wait_for

MAX_TICKS = 200
TICK = timedelta(seconds=65)
"""Longer than the sweep, and the first pauses between attempts and announcements, wait."""


@dataclass
class Host:
    """Runs the app's stories one at a time, as a Functions host does, and starts the app anew when it has died.

    Time passes from tick to tick once the wire has failed, without a fault to come from the start. `redelivers`: the
    event whose handler died comes again; otherwise it is lost. `is_pushed`: the markers that tasks leave are delivered,
    each of them once, before the tick. A run is cancelled once its task has begun, as the ledger `cancels` says.
    """

    world: World
    wire: Wire = field(default_factory=Wire)
    redelivers: bool = True
    is_pushed: bool = False
    cancels: Path | None = None
    app: App = field(init=False)
    clock: timedelta = timedelta(0)
    delivered: list[JobEnded | EndMarker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = process(self.world, self.wire)

    def drop(self, name: str, text: str) -> str:
        """Drop a manifest, and invoke what it triggers; the id of the run."""
        run = self.world.drop(name, text)
        self.invoke(lambda app: submit_run.accept(app, name))
        return run

    def work(self) -> None:
        """Do what a host does until nothing is left to do."""
        for _ in range(MAX_TICKS):
            if not self.world.names("runs") and not self.world.names("inbox"):
                return
            self._await_a_job()
            if self.is_pushed:
                self.push()
            self.tick()
        raise AssertionError(f"still open: {self.world.names('runs')}, still there: {self.world.names('inbox')}")

    def push(self) -> None:
        """Deliver the markers that tasks have left since the last time."""
        left = [marker for run in self.world.app.runs.list() for marker in self.world.markers(run.id)]
        self._deliver([marker for marker in left if marker not in self.delivered])

    def tick(self) -> None:
        """Poll, and deliver what is published."""
        self.invoke(poll_runs.poll)
        self._deliver(self.world.outbox.take())
        if self.wire.has_failed:
            self.clock += TICK

    def _deliver(self, events: Sequence[JobEnded | EndMarker]) -> None:
        events = list(events)
        while events:
            event = events.pop()
            self.delivered.append(event)
            if not self.invoke(lambda app, event=event: record_run.record(app, event)) and self.redelivers:
                events.append(event)
            events += self.world.outbox.take()

    def repeat_all(self, *names: str) -> None:
        """Deliver everything once more: the drops, and every event."""
        for name in names:
            submit_run.accept(self.world.app, name)
        for event in self.delivered:
            record_run.record(self.world.app, event)

    def _await_a_job(self) -> None:
        """Wait for the job of a running run, the oldest; this is the test's waiting, and goes over no wire."""
        running = [run for run in self.world.app.runs.list() if run.progress.state is State.RUNNING]
        if running and self.cancels:
            ledger, self.cancels = self.cancels / running[0].id, None
            wait_for(ledger.exists)
            self.world.put("inbox", f"{running[0].id}.cancel")
        elif running and not (running[0].progress.round == 1 and self._is_asked_to_cancel()):
            self.world.await_end(running[0].id, running[0].progress.round)

    def _is_asked_to_cancel(self) -> bool:
        return any(name.endswith(".cancel") for name in self.world.names("inbox"))

    def invoke(self, story: Callable[[App], None]) -> bool:
        """Invoke a function; False if that failed. If the process died of it, there is a new one from then on."""
        clock = self.clock
        app = replace(self.app, now=lambda: datetime.now(UTC) + clock)
        try:
            story(app)
        except Death:
            self.app = process(self.world, Wire())
            return False
        except (AzureError, TryLater):
            return False
        return True


def prepare(world: World, story: Story, ledger: Path) -> None:
    """Store the flow that a request names, and let the run fail that a retry names."""
    if story.stored:
        world.put("flows", "company.team/stored.yaml", story.stored_text(ledger))
    if story.retries:
        run = world.accept("earlier.yaml", REQUEST.text(ledger))
        world.finish()
        assert world.record(run, "earlier.yaml")["state"] == "FAILED"
        world.outbox.ends.clear()


def earlier_of(world: World) -> str:
    """The folder of the run that a retry names."""
    records = [name for name in world.names("results") if name.startswith("earlier/") and name.endswith("/record.json")]
    return records[0].removesuffix("/record.json") if records else ""


def assert_told(world: World, run: str, name: str) -> None:
    """Others are told of the end, the same each time; and the last word of the ledger on the run is its record's."""
    told = [ended.to_json() for ended in world.outbox.ends if ended.run_id == run]
    assert len(set(told)) == 1, f"others are told of the end of {run}: {told}"
    results = world._storage.get_container_client(world.settings.containers.results)
    line = LedgerReader(results).run(run)
    record = world.record(run, name)
    assert line, f"the ledger has no line of {run}"
    assert (line.kind, line.state, line.results) == (LineKind.RECORDED, record["state"], results_folder(name, run))


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
        (
            entry["state"],
            entry["exitCode"],
            entry["outputs"]["vars"],
            sorted(entry["outputs"]["outputFiles"]),
            bool(entry["takenFrom"]),
        )
        for entry in _entries(record)
    ]
    reasons = [job["reason"] for job in record["jobs"]]
    told = [warning["message"] for warning in record["warnings"]]
    told += [entry["failure"]["message"] for entry in _entries(record) if entry["failure"]]
    return {"state": record["state"], "jobs": reasons, "entries": entries, "errors": record["errors"], "told": told}
