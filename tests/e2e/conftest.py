"""Dropping manifests and looking at what became of them, as a user does: through the containers only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from local.stack.stack import Stack
from shared.documents.names import results_folder, run_id
from tests.conftest import shared_stack
from tests.support.waiting import WAIT_SECONDS

stack = pytest.fixture(scope="package")(shared_stack)


@dataclass(frozen=True)
class DroppedRun:
    """A run, by what the user knows of it."""

    id: str
    results: ContainerClient
    folder: str

    def names(self) -> set[str]:
        """The names of everything in the run's folder."""
        listed = self.results.list_blob_names(name_starts_with=f"{self.folder}/")
        return {name.removeprefix(f"{self.folder}/") for name in listed}

    def read(self, name: str) -> str:
        """A text in the run's folder."""
        return self.results.download_blob(f"{self.folder}/{name}").readall().decode()

    def record(self) -> dict[str, Any]:
        """The record, once it is there and the run is closed."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            names = self.names()
            if "record.json" in names and "status.json" not in names:
                return json.loads(self.read("record.json"))
            time.sleep(0.1)
        pytest.fail(f"{self.id} was not recorded within {WAIT_SECONDS:.0f} s; its results: {sorted(self.names())}")


@pytest.fixture(scope="session")
def drop_into() -> Callable[[Stack, str, str | bytes], DroppedRun]:
    """Drop a manifest into the inbox of a stack."""

    def drop(stack: Stack, name: str, text: str | bytes) -> DroppedRun:
        blobs = BlobServiceClient.from_connection_string(stack.settings["RunStorage"])
        written = blobs.get_blob_client("inbox", name).upload_blob(text, overwrite=True)
        accepted = run_id("inbox", name, written["etag"], written["last_modified"])
        return DroppedRun(accepted, blobs.get_container_client("results"), results_folder(name, accepted))

    return drop


@pytest.fixture
def drop(stack: Stack, drop_into) -> Callable[[str, str | bytes], DroppedRun]:
    """Drop a manifest into the inbox of the stack that all tests share."""
    return lambda name, text: drop_into(stack, name, text)
