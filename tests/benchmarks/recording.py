"""record_run beside a bare loop of Copy Blob, and what memory it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from azure.core.pipeline.transport import RequestsTransport

from shared import record_run
from shared.events import JobEnded
from shared.parallel import in_parallel
from tests.benchmarks.target import Measured, Memory, ratio, timed
from tests.integration.conftest import World

MEBIBYTE = 1 << 20
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
