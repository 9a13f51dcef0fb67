"""The published app under Microsoft's own Python worker: what only our local host tolerates would fail here.

The app is unpacked from the zip that is published, and knows no other folder. What the host sends is as in Azure: a
blob with its content and metadata (the ETag of which is `{}`), a timer without `useMonitor`, an event as text.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from infra.package import build
from local.stack.stack import Stack
from tests.conftest import unavailable
from tests.integration.conftest import World
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.sampled

WORKER = Path(__file__).parents[1] / "fixtures" / "python_worker.py"
TICK = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
TIME = "2026-11-22T12:13:14+00:00"


class Worker:
    """One process of the worker, with the app of one folder."""

    def __init__(self, app_folder: Path, settings: dict[str, str]) -> None:
        environ = {"PATH": os.environ["PATH"], **settings}
        command = [sys.executable, "-I", str(WORKER), str(app_folder)]
        self._process = subprocess.Popen(
            command, env=environ, cwd=app_folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.indexed = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def invoke(self, function: str, kind: str, value: str, **metadata: tuple[str, str]) -> str | None:
        """Invoke a function with a trigger's data; why it failed, or None."""
        assert self._process.stdin is not None
        line = {"function": function, "data": [kind, value], "metadata": metadata}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return self._answer()["failure"]

    def stop(self) -> None:
        """The end of input ends it."""
        self._process.communicate(timeout=WAIT_SECONDS)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Azure runs the app from."""
    folder = tmp_path_factory.mktemp("wwwroot")
    build(folder.parent / "app.zip")
    with zipfile.ZipFile(folder.parent / "app.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def start_worker(published: Path) -> Iterator[Callable[..., Worker]]:
    """Start the worker with some settings and no other environment."""
    if importlib.util.find_spec("azure_functions_runtime") is None:
        unavailable("azure-functions-runtime is not installed: run make setup")
    workers: list[Worker] = []

    def start(**settings: str) -> Worker:
        workers.append(Worker(published, settings))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


def blob_metadata(blob: str, content: str) -> dict[str, tuple[str, str]]:
    """What the host sends with a blob's content."""
    properties = {"LastModified": TIME, "ContentLength": len(content), "ContentType": "text/yaml", "ETag": {}}
    return {
        "BlobTrigger": ("string", blob),
        "Uri": ("json", json.dumps(f"https://store1.blob.core.windows.net/{blob}")),
        "Properties": ("json", json.dumps(properties)),
        "Metadata": ("json", "{}"),
        "name": ("string", blob.partition("/")[2]),
        "sys": ("json", json.dumps({"MethodName": "submit_run", "UtcNow": TIME, "RandGuid": "0"})),
    }


def cloud_event(run: str) -> dict[str, Any]:
    """JobEnded as Event Grid delivers it in the schema of CloudEvents, which is the one of our topic."""
    return {
        "specversion": "1.0",
        "id": "7d3f",
        "source": "/azure-batch-task-runner",
        "type": "AzureBatchTaskRunner.JobEnded",
        "subject": run,
        "time": TIME,
        "data": {"runId": run, "round": 1, "last": False},
    }


def event_grid_event(run: str) -> dict[str, Any]:
    """JobEnded in Event Grid's own schema, from a topic or subscription that was made with it."""
    return {
        "id": "7d3f",
        "topic": "/subscriptions/0/resourceGroups/g/providers/Microsoft.EventGrid/topics/t",
        "subject": run,
        "eventType": "AzureBatchTaskRunner.JobEnded",
        "eventTime": TIME,
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {"runId": run, "round": 1, "last": False},
    }


def settings_of(world: World, services: Stack) -> dict[str, str]:
    """The app settings of a test's app."""
    containers = {f"{name.upper()}_CONTAINER": value for name, value in asdict(world.settings.containers).items()}
    return {**services.settings, **containers}


@pytest.mark.parametrize("event", [cloud_event, event_grid_event])
def test_a_run_from_drop_to_record(
    world: World, services: Stack, start_worker: Callable[..., Worker], event: Callable[[str], dict[str, Any]]
) -> None:
    worker = start_worker(**settings_of(world, services))
    manifest = "commands: [echo hi > hi.txt]\noutputFiles: [hi.txt]"
    run = world.drop("team/m.yaml", manifest)
    blob = f"{world.settings.containers.inbox}/team/m.yaml"
    assert worker.invoke("submit_run", "bytes", manifest, **blob_metadata(blob, manifest)) is None
    world.await_end(run)
    assert worker.invoke("poll_runs", "json", json.dumps(TICK)) is None
    assert worker.invoke("record_run", "json", json.dumps(event(run))) is None
    record = world.record(run, "team/m.yaml")
    assert record["state"] == "SUCCESS"
    assert record["tasks"][0]["outputs"]["outputFiles"]["hi.txt"]["bytes"] == 3


def test_without_any_setting_three_functions_are_indexed(start_worker: Callable[..., Worker]) -> None:
    """And an invocation fails with the name of the first setting that is missing."""
    worker = start_worker()
    bindings = {name: each["type"] for name, (each,) in worker.indexed["functions"].items()}
    assert bindings == {"submit_run": "blobTrigger", "poll_runs": "timerTrigger", "record_run": "eventGridTrigger"}
    failure = worker.invoke("poll_runs", "json", json.dumps(TICK))
    assert failure is not None
    assert "The app setting RunStorage is missing." in failure


def test_an_event_of_somebody_else_fails_its_invocation(
    world: World, services: Stack, start_worker: Callable[..., Worker]
) -> None:
    """So that Event Grid keeps it in the dead-letter container, where the wrong subscription is found."""
    worker = start_worker(**settings_of(world, services))
    failure = worker.invoke("record_run", "json", json.dumps({**cloud_event("r"), "data": {"url": "https://x"}}))
    assert failure is not None
    assert "Check the filters of the subscriptions" in failure
