"""A whole stack: many manifests at once, and how soon an ended task is recorded."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient

from shared.parallel import AT_ONCE, in_parallel
from tests.benchmarks.target import Measured, ratio, timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.stack import Stack

ALL_DEADLINE_SECONDS = 3600
PAUSE_SECONDS = 0.25


class Outside:
    """A whole stack, seen by its user."""

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
        url, body = f"{self._settings['BATCH_ACCOUNT_ENDPOINT']}/_local/settings", json.dumps({"activeJobQuota": quota})
        urllib.request.urlopen(urllib.request.Request(url, body.encode(), method="PATCH")).close()

    def drop(self, name: str, text: str) -> None:
        """Drop a manifest."""
        self.storage.get_blob_client("inbox", name).upload_blob(text)

    def await_records(self, prefix: str, count: int) -> list[str]:
        """Wait until so many runs are recorded: the names of their records."""
        deadline, results = time.monotonic() + ALL_DEADLINE_SECONDS, self.storage.get_container_client("results")
        while True:
            names = [name for name in results.list_blob_names(name_starts_with=prefix) if name.endswith("/record.json")]
            if len(names) >= count:
                return names
            assert time.monotonic() < deadline, f"{len(names)} of {count} are recorded"
            time.sleep(PAUSE_SECONDS)

    def record(self, name: str) -> dict[str, Any]:
        """A record."""
        return json.loads(self.storage.get_blob_client("results", name).download_blob().readall())


def lag(stack: Stack, quick: bool) -> Iterator[Measured]:
    """From the end of a task to its record, one run after the other."""
    outside, lags = Outside(stack), []
    for number in range(5 if quick else 20):
        outside.drop(f"lag-{number}.yaml", "commands: [echo hi]")
        (name,) = outside.await_records(f"lag-{number}/", 1)
        timings = outside.record(name)["timings"]
        lags.append(datetime.fromisoformat(timings["recorded"]) - datetime.fromisoformat(timings["ended"]))
    median = statistics.median(each.total_seconds() for each in lags)
    how = f"median of {len(lags)}, slowest {max(lags).total_seconds():.2f} s, ticks of {outside.tick} s"
    yield Measured("end of a task to its record", median, outside.tick + 1, "s", how)


def burst(stack: Stack, quick: bool) -> Iterator[Measured]:
    """Many manifests at once, beside a bare loop that makes the same jobs, waits for them and deletes them."""
    outside, count = Outside(stack), 100 if quick else 1000
    with timed() as bare:
        _bare_burst(outside, count)
    with timed() as own:
        in_parallel(lambda number: outside.drop(f"burst/{number}.yaml", "commands: [echo hi]"), range(count))
        outside.await_records("burst/", count)
    yield ratio(
        f"burst of {count:,} manifests / bare Batch calls", own.seconds, bare.seconds, 2.0, f", {AT_ONCE} threads"
    )


def _bare_burst(outside: Outside, count: int) -> None:
    names = [f"bare-{number}" for number in range(count)]
    in_parallel(lambda name: _bare_submit(outside, name), names)
    _await_end(outside, names)
    in_parallel(lambda name: _bare_collect(outside, name), names)


def _bare_submit(outside: Outside, name: str) -> None:
    pool = models.BatchPoolInfo(pool_id=outside.pool)
    outside.batch.create_job(models.BatchJobCreateOptions(id=name, pool_info=pool))
    task = models.BatchTaskCreateOptions(id="1", command_line="/bin/sh -c 'echo hi'")
    outside.batch.create_task_collection(name, models.BatchTaskGroup(task_values=[task]))
    mode = models.BatchAllTasksCompleteMode.TERMINATE_JOB
    outside.batch.update_job(name, models.BatchJobUpdateOptions(all_tasks_complete_mode=mode))


def _await_end(outside: Outside, names: Sequence[str]) -> None:
    while {job.id for job in outside.batch.list_jobs(filter="state ne 'completed'", select=["id"])} & set(names):
        time.sleep(outside.tick)


def _bare_collect(outside: Outside, name: str) -> None:
    assert all(task.state == models.BatchTaskState.COMPLETED for task in outside.batch.list_tasks(name))
    outside.batch.begin_delete_job(name)
