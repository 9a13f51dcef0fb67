"""What `get` does beside a bare loop of the SDK with as many threads, and what memory it takes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.client.downloads import Download, listed
from shared.parallel import AT_ONCE, in_parallel
from tests.benchmarks.target import Measured, Memory, ratio, timed
from tests.integration.conftest import World

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

MEBIBYTE = 1 << 20
MOST_MEMORY = 150


def many_files(world: World, quick: bool) -> Iterator[Measured]:
    """Many small files."""
    count = 1000 if quick else 10_000
    results = _results(world)
    in_parallel(lambda number: results.upload_blob(f"many/{number}.txt", b"x" * 100), range(count))
    yield from _beside_bare(results, "many/", f"get {count:,} small files")


def large_file(world: World, quick: bool) -> Iterator[Measured]:
    """One large file; the bare loop reads its blocks with the threads that the SDK starts for it."""
    size = (256 if quick else 3072) * MEBIBYTE
    results = _results(world)
    blob = results.get_blob_client("large/file.bin")
    blocks = [f"{number:06}" for number in range(size // (64 * MEBIBYTE))]
    for block in blocks:
        blob.stage_block(block, bytes(64 * MEBIBYTE))
    blob.commit_block_list(blocks)
    yield from _beside_bare(results, "large/", f"get one file of {size // MEBIBYTE:,} MiB")


def _beside_bare(results: ContainerClient, prefix: str, what: str) -> Iterator[Measured]:
    """Fetch what is below a prefix in both ways; each lists it, too."""
    with tempfile.TemporaryDirectory() as folder:
        with timed() as bare:
            _bare(results, prefix, Path(folder))
        shutil.rmtree(folder)
        memory = Memory()
        with timed() as own:
            download = Download(results, Path(folder), lambda _: None)
            download.fetch(list(listed(results, prefix)))
        grown = memory.growth()
    assert download.problems == []
    yield ratio(f"{what} / bare loop", own.seconds, bare.seconds, 1.3, f", {AT_ONCE} threads")
    yield Measured(f"  {what}: memory growth", grown, MOST_MEMORY, "MB", f"{download.fetched:,} file(s)")


def _bare(results: ContainerClient, prefix: str, folder: Path) -> None:
    names = list(results.list_blob_names(name_starts_with=prefix))
    threads = AT_ONCE if len(names) == 1 else 1

    def fetch(name: str) -> None:
        with (folder / Path(name).name).open("wb") as file:
            results.download_blob(name, max_concurrency=threads).readinto(file)

    in_parallel(fetch, names)


def _results(world: World) -> ContainerClient:
    return world._storage.get_container_client(world.settings.containers.results)
