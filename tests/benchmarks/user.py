"""A whole stack, as its user sees it."""

from __future__ import annotations

import json
import time
import urllib.request
from functools import cached_property
from typing import Any

from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient

from local.stack.stack import Stack

ALL_DEADLINE_SECONDS = 3600
PAUSE_SECONDS = 0.25


class User:
    """Someone who drops manifests and waits for records; may have any number of active jobs at first."""

    def __init__(self, stack: Stack) -> None:
        self._settings = stack.settings
        self.tick = stack.options.tick
        self.allow_jobs(10_000)

    @cached_property
    def storage(self) -> BlobServiceClient:
        """Its storage."""
        return BlobServiceClient.from_connection_string(self._settings["RunStorage"])

    @cached_property
    def batch(self) -> BatchClient:
        """Its Batch account."""
        settings = self._settings
        key = AzureNamedKeyCredential(settings["BATCH_ACCOUNT_NAME"], settings["BATCH_ACCOUNT_KEY"])
        return BatchClient(settings["BATCH_ACCOUNT_ENDPOINT"], key)

    @property
    def pool(self) -> str:
        """Its pool."""
        return self._settings["BATCH_POOL_ID"]

    def allow_jobs(self, quota: int) -> None:
        """Set the quota of active jobs."""
        body = json.dumps({"activeJobQuota": quota}).encode()
        urllib.request.urlopen(urllib.request.Request(self._local("settings"), body, method="PATCH")).close()

    def batch_calls(self) -> int:
        """How many requests the Batch service has had."""
        with urllib.request.urlopen(self._local("requests")) as answer:
            return sum(json.load(answer).values())

    def _local(self, name: str) -> str:
        return f"{self._settings['BATCH_ACCOUNT_ENDPOINT']}/_local/{name}"

    def drop(self, name: str, text: str) -> None:
        """Drop a manifest."""
        self.storage.get_blob_client("inbox", name).upload_blob(text)

    def await_records(self, prefix: str, count: int) -> list[str]:
        """Wait until so many runs are closed: the names of their records.

        The results of many runs take storage long to list, which the runs would wait for: first, no run may be open.
        """
        deadline, results = time.monotonic() + ALL_DEADLINE_SECONDS, self.storage.get_container_client("results")
        while True:
            listed = () if self._any_is_open() else results.list_blob_names(name_starts_with=prefix)
            names = [name for name in listed if name.endswith("/record.json")]
            if len(names) >= count:
                return names
            assert time.monotonic() < deadline, f"not all of {count} are recorded"
            time.sleep(PAUSE_SECONDS)

    def _any_is_open(self) -> bool:
        """Whether there is a run document; the container has but one other blob, with an underscore."""
        names = self.storage.get_container_client("runs").list_blob_names(results_per_page=10)
        return any(not name.startswith("_") for name in next(names.by_page(), ()))

    def record(self, name: str) -> dict[str, Any]:
        """A record."""
        return json.loads(self.storage.get_blob_client("results", name).download_blob().readall())
