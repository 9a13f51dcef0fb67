"""record_run beside a bare loop of Copy Blob, and what memory it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from azure.core.pipeline.transport import RequestsTransport

from local.stack.options import REPOSITORY
from shared import record_run
from shared.events import JobEnded
from shared.parallel import in_parallel
from tests.benchmarks.target import Measured, Memory, ratio, timed
from tests.integration.conftest import World

MEBIBYTE = 1 << 20
LINE = b"2026-11-29 a line of a log, as long as most of them are, that says what the program does\n"
MOST_DELIVERIES = 100


def many_files(world: World, quick: bool) -> Iterator[Measured]:
    """Many small files, beside copying the same blobs with as many threads."""
    count = 1000 if quick else 10_000
    run = _ended(world)
    staging = world._storage.get_container_client(world.settings.containers.staging)
    names = [f"{run}/out/task/0/{number}.txt" for number in range(count)]
    in_parallel(lambda name: staging.upload_blob(name, b"x" * 100), names)
    with timed() as bare:
        in_parallel(lambda name: _bare_copy(world, name), names)
    memory = Memory()
    with timed() as own:
        events = _record(world, run)
    grown = memory.growth()
    yield ratio(f"record {count:,} small files / Copy Blob", own.seconds, bare.seconds, 1.5, f", {events} event(s)")
    yield Measured(
        f"record {count:,} small files: memory growth", grown, 50, "MB", f"{len(names):,} entries in the record"
    )


def _bare_copy(world: World, name: str) -> None:
    results = world._storage.get_container_client(world.settings.containers.results)
    staging = world._storage.get_container_client(world.settings.containers.staging)
    results.get_blob_client(f"bare/{name}").start_copy_from_url(staging.get_blob_client(name).url)


def large_file(world: World, quick: bool) -> Iterator[Measured]:
    """One large output: nothing of it comes to the app."""
    size = (256 if quick else 2048) * MEBIBYTE
    run = _ended(world)
    staging = world._storage.get_container_client(world.settings.containers.staging)
    blob = staging.get_blob_client(f"{run}/out/task/0/large.txt")
    blocks = [f"{number:06}" for number in range(size // (64 * MEBIBYTE))]
    for block in blocks:
        blob.stage_block(block, bytes(64 * MEBIBYTE))
    blob.commit_block_list(blocks)
    memory, received = Memory(), []
    with _counting_bytes(received), timed() as own:
        _record(world, run)
    how = f"{own.seconds:.2f} s"
    yield Measured(f"record one output of {size // MEBIBYTE:,} MiB: memory growth", memory.growth(), 20, "MB", how)
    yield Measured("  bytes that the app received of storage and Batch", sum(received) / 1000, 100, "kB", "all answers")


def memory_of_a_worker(world: World, quick: bool) -> Iterator[Measured]:
    """All that a worker process takes at most that does nothing but record a run of many files and large logs."""
    files, logs, size = 1000 if quick else 10_000, 8, (8 if quick else 64) * MEBIBYTE
    tasks = "".join(
        f"- {{id: t{number}, commands: [echo], outputFiles: ['*.txt'], dependsOn: []}}\n" for number in range(logs)
    )
    run = world.accept("worker.yaml", f"tasks:\n{tasks}")
    world.await_end(run)
    staging = world._storage.get_container_client(world.settings.containers.staging)
    in_parallel(lambda number: staging.upload_blob(f"{run}/out/t{number % logs}/0/{number}.txt", b"x"), range(files))
    for number in range(logs):
        staging.upload_blob(f"{run}/std/t{number}/stdout.txt", LINE * (size // len(LINE)), overwrite=True)
    worker = [sys.executable, "-m", "tests.benchmarks.worker", run]
    with timed() as own:
        told = subprocess.run(worker, env=world.environ, stdout=subprocess.PIPE, check=True, text=True, cwd=REPOSITORY)
    assert len(world.record(run, "worker.yaml")["tasks"]) == logs
    how = f"{own.seconds:.1f} s; as it begins {told.stdout.split()[1]} MB"
    what = f"worker that records {files:,} files, {logs} logs of {size // MEBIBYTE} MiB"
    yield Measured(what, float(told.stdout.split()[0]), 300, "MB", how)


def _counting_bytes(received: list[int]) -> Any:
    send = RequestsTransport.send

    def counting(self: RequestsTransport, request: Any, **options: Any) -> Any:
        response = send(self, request, **options)
        if request.method != "HEAD":
            received.append(int(response.headers.get("Content-Length") or 0))
        return response

    return patch.object(RequestsTransport, "send", counting)


def _ended(world: World) -> str:
    run = world.accept(text="commands: [echo hi]\noutputFiles: ['**/*.txt']")
    world.await_end(run)
    return run


def _record(world: World, run: str) -> int:
    """Deliver events until there is a record: how many it took. One that storage cut off is published again.

    The run is not closed: that would remove what is staged, which the bare loop does not do, nor does anybody wait for
    it; Azurite needs for each blob as many milliseconds as it has thousands of them.
    """
    deliveries, record = 0, f"/{run}/record.json"
    with patch("shared.steps.close_run.close"):
        while not any(name.endswith(record) for name in world.names("results")):
            assert deliveries < MOST_DELIVERIES
            for event in world.outbox.take() or [JobEnded(run, 1)]:
                deliveries += 1
                record_run.record(world.app, event)
    assert world.record(run)["state"] == "SUCCESS"
    return deliveries
