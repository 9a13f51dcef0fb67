"""The app's own stories, called step by step, on real storage and a real Batch service; the test is the trigger."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from local.errors import LocalError
from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.documents.end_markers import EndMarker, end_marker_at
from shared.documents.names import results_folder, run_id
from shared.documents.run_ended import RunEnded
from shared.documents.schedules import SCHEDULES_BLOB
from shared.events import JobEnded
from shared.settings import Containers, Settings
from tests.conftest import unavailable
from tests.support.waiting import WAIT_SECONDS

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Storage and Batch without a Functions host: nothing happens unless a test makes it happen."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("services"), ports=AUTO, functions=False)
    try:
        with Stack(options) as running:
            yield running
    except LocalError as error:
        unavailable(str(error))


@dataclass
class Outbox:
    """In place of the topic: what was published, call by call, for the test to deliver as it likes."""

    calls: list[list[JobEnded]] = field(default_factory=list)
    ends: list[RunEnded] = field(default_factory=list)

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Keep the events."""
        self.calls.append(list(events))

    def publish_end(self, ended: RunEnded) -> None:
        """Keep what others are told."""
        self.ends.append(ended)

    def take(self) -> list[JobEnded]:
        """Everything published since the last time."""
        events = [event for call in self.calls for event in call]
        self.calls.clear()
        return events


class World:
    """One app with containers of its own, and what a test does to it and sees of it."""

    def __init__(self, services: Stack, **settings: str) -> None:
        number = next(_numbers)
        containers = {f"{name.upper()}_CONTAINER": f"{name}-{number}" for name in Containers.__dataclass_fields__}
        self.environ = {**services.settings, **containers, **settings}
        self.settings = Settings.from_environ(self.environ)
        self.outbox = Outbox()
        self.app = replace(App.of(self.settings), events=self.outbox)
        self._storage = BlobServiceClient.from_connection_string(services.settings["RunStorage"])
        for container in containers.values():
            self._storage.create_container(container)
        self._batch = services.settings["BATCH_ACCOUNT_ENDPOINT"]

    def later(self, **by: float) -> App:
        """The app some time later, as its clock says."""
        return replace(self.app, now=lambda: datetime.now(UTC) + timedelta(**by))

    def drop(self, name: str = "m.yaml", text: str = "commands: [echo hi]") -> str:
        """Drop a manifest; the id of its run."""
        blob = self._storage.get_blob_client(self.settings.containers.inbox, name)
        written = blob.upload_blob(text, overwrite=True)
        return run_id(self.settings.containers.inbox, name, written["etag"], written["last_modified"])

    def accept(self, name: str = "m.yaml", text: str = "commands: [echo hi]") -> str:
        """Drop a manifest and submit its run, as the blob trigger does."""
        run = self.drop(name, text)
        submit_run.accept(self.app, name)
        return run

    def finish(self) -> None:
        """Poll and deliver, until no run is open."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.names("runs"):
            assert time.monotonic() < deadline, f"still open: {self.names('runs')}"
            poll_runs.poll(self.app)
            self.deliver()
            time.sleep(0.15)

    def deliver(self) -> None:
        """Deliver what was published."""
        for event in self.outbox.take():
            record_run.record(self.app, event)

    def await_end(self, run: str, number: int = 1) -> None:
        """Wait until a job of a run has completed, or is gone."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.app.batch.has_ended(f"{run}-{number}"):
            assert time.monotonic() < deadline, f"the job of {run} is still alive"
            time.sleep(0.02)

    def markers(self, run: str) -> list[EndMarker]:
        """The markers of ends that the tasks of a run have left, as the events of storage name them."""
        client = self._storage.get_container_client(self.settings.containers.staging)
        names = client.list_blob_names(name_starts_with=f"{run}/std/")
        return list(filter(None, (end_marker_at(client.get_blob_client(name).url) for name in names)))

    def names(self, container: str) -> list[str]:
        """The blobs of one of the app's containers; of `runs`, those of open runs."""
        client = self._storage.get_container_client(getattr(self.settings.containers, container))
        return [name for name in client.list_blob_names() if (container, name) != ("runs", SCHEDULES_BLOB)]

    def results(self) -> list[str]:
        """The blobs in the folders of runs: not those of the app as a whole."""
        return [name for name in self.names("results") if not name.startswith("_")]

    def put(self, container: str, name: str, text: str = "") -> None:
        """Write a blob into one of the app's containers."""
        self._storage.get_blob_client(getattr(self.settings.containers, container), name).upload_blob(text)

    def text(self, container: str, name: str) -> str:
        """The text of a blob of one of the app's containers."""
        blob = self._storage.get_blob_client(getattr(self.settings.containers, container), name)
        return blob.download_blob().readall().decode()

    def remove(self, container: str, name: str) -> None:
        """Remove a blob of one of the app's containers."""
        self._storage.get_blob_client(getattr(self.settings.containers, container), name).delete_blob()

    def result(self, run: str, document: str, name: str = "m.yaml") -> dict[str, Any]:
        """A JSON document of a run's results."""
        blob = f"{results_folder(name, run)}/{document}"
        client = self._storage.get_blob_client(self.settings.containers.results, blob)
        return json.loads(client.download_blob().readall())

    def record(self, run: str, name: str = "m.yaml") -> dict[str, Any]:
        """The record of a run."""
        return self.result(run, "record.json", name)

    def batch_requests(self) -> dict[str, int]:
        """The requests that Batch had since this was last called, by operation."""
        url = f"{self._batch}/_local/requests"
        with urllib.request.urlopen(url) as answer:
            counts = json.load(answer)
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
        return counts

    def nodes_fail(self, **faults: list[dict[str, Any]]) -> None:
        """Make image pulls (`imagePulls`) and uploads (`uploads`) fail in these ways and no others."""
        faults = {name: [fault for fault in wanted if fault["next"]] for name, wanted in faults.items()}
        body = json.dumps(faults).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self._batch}/_local/node-faults", body, method="PUT")).close()

    def lose_node(self, job: str, task: str) -> None:
        """Let the node of a task fail, and come back empty: Batch runs its tasks again."""
        node = self.app.batch.tasks(job)[task].node
        for state in ("unusable", "idle"):
            url, body = f"{self._batch}/_local/pools/local/nodes/{node}", json.dumps({"state": state}).encode()
            urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")).close()

    def change_batch(self, **settings: object) -> None:
        """Change settings of the Batch service, for every world."""
        body = json.dumps(settings).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self._batch}/_local/settings", body, method="PATCH")).close()

    def batch_fails(self, *faults: dict[str, Any]) -> None:
        """Make Batch misbehave in these ways and no others."""
        body = json.dumps({"faults": faults}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self._batch}/_local/faults", body, method="PUT")).close()


@pytest.fixture
def make_world(services: Stack) -> Iterator[Callable[..., World]]:
    """Make an app of some settings."""
    worlds: list[World] = []

    def make(**settings: str) -> World:
        worlds.append(World(services, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.batch_fails()
        world.nodes_fail()
    for world in worlds[:1]:  # all have the same account; a test may leave a run open
        for job in world.app.batch._client.list_jobs():
            world.app.batch.delete(job.id)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An app of the usual settings."""
    made = make_world()
    made.batch_requests()
    return made
