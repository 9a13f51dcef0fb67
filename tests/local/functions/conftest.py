"""A Functions host that serves the probe app, and what is needed to look at it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.functions.blob_message import BlobMessage
from local.functions.storage import BLOB_TRIGGER_QUEUE, POISON_QUEUE, queue_client
from local.stack.azurite import AzuriteEndpoints
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports
from tests.support.waiting import wait_for

PROBE_APP = Path(__file__).parents[2] / "fixtures" / "function_apps" / "probe"
NEVER = "0 0 0 29 2 *"


class ProbeHost:
    """A host with the probe app; `folder` is what its functions write to and are told by."""

    def __init__(self, program: Program, storage: str, container: str, url: str) -> None:
        self.program = program
        self.folder = Path(program.environ["PROBE_DIR"])
        self.url = url
        self.storage = storage
        self.queues = QueueServiceClient.from_connection_string(storage)
        self.blobs = BlobServiceClient.from_connection_string(storage).create_container(container)

    def tell(self, behaviour: str) -> None:
        """Make invocations `fail` or `block` from now on."""
        (self.folder / behaviour).touch()

    def untell(self, behaviour: str) -> None:
        """Take it back."""
        (self.folder / behaviour).unlink()

    def all_notes(self, function: str) -> list[dict[str, Any]]:
        """What the invocations of a function have said so far, in that order."""
        log = self.folder / f"{function}.log"
        return list(map(json.loads, log.read_text().splitlines())) if log.exists() else []

    def notes(self, function: str, phase: str) -> list[dict[str, Any]]:
        """What they have said of one phase."""
        return [note for note in self.all_notes(function) if note["phase"] == phase]

    def wait_notes(self, function: str, phase: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until there are at least so many of them."""
        wait_for(lambda: len(self.notes(function, phase)) >= count)
        return self.notes(function, phase)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """The messages in a queue, visible ones only."""
        try:
            peeked = self.queues.get_queue_client(queue).peek_messages(32)
        except ResourceNotFoundError:
            return []
        return [json.loads(base64.b64decode(message.content)) for message in peeked]

    def queue_message(self, message: BlobMessage) -> None:
        """Put a message into the host's queue, as its scan does."""
        queue = queue_client(self.storage, BLOB_TRIGGER_QUEUE)
        with contextlib.suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(message.to_json())

    def log(self) -> str:
        """What the host has logged."""
        return self.program.log.read_text()


@pytest.fixture
def app_root() -> Path:
    """The app of the test's host; a test may parametrize it."""
    return PROBE_APP


@pytest.fixture
def schedule() -> str:
    """When the probe's timer fires; a test may parametrize it."""
    return NEVER


@pytest.fixture
def host(app_root: Path, schedule: str, azurite: AzuriteEndpoints, tmp_path: Path) -> ProbeHost:
    """A host that is not started yet, with a container and empty queues of its own."""
    port, container, storage = Ports.choose(AUTO).functions, f"probe-{uuid.uuid4().hex[:8]}", azurite.connection_string
    program = Program(
        name="functions",
        command=(sys.executable, "-m", "local.functions", "--app-root", str(app_root), "--port", str(port)),
        environ={
            "PATH": os.environ["PATH"],
            "AzureWebJobsStorage": storage,
            "RunStorage": storage,
            "PROBE_DIR": str(tmp_path),
            "PROBE_CONTAINER": container,
            "PROBE_SCHEDULE": schedule,
        },
        log=tmp_path / "functions.log",
        ready_url=f"http://127.0.0.1:{port}/admin/host/status",
    )
    probe = ProbeHost(program, storage, container, f"http://127.0.0.1:{port}")
    for queue in (BLOB_TRIGGER_QUEUE, POISON_QUEUE):
        try:
            probe.queues.get_queue_client(queue).clear_messages()
        except ResourceNotFoundError:
            continue  # no test has used it yet
    return probe


@pytest.fixture
def running_host(host: ProbeHost, launch: Callable[[Program], Child]) -> ProbeHost:
    """A host that is up."""
    launch(host.program)
    return host
