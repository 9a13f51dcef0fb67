"""A whole stack: many manifests at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from local.stack.stack import Stack
from shared.parallel import AT_ONCE, in_parallel
from shared.settings import Containers
from tests.benchmarks.bare import Bare
from tests.benchmarks.target import Measured, ratio, timed
from tests.benchmarks.user import PAUSE_SECONDS, User

MANIFEST = "commands: [echo hi]"


def burst(stack: Stack, quick: bool) -> Iterator[Measured]:
    """Many manifests at once, beside bare loops: of their Batch calls, and of those to storage too."""
    user, count = User(stack), 100 if quick else 1000
    bare = Bare(user.storage, user.batch, Containers(inbox="bare-inbox", runs="bare-runs"), user.pool)
    user.storage.create_container("bare-inbox")
    user.storage.create_container("bare-runs")
    bare.make_ledger()
    with timed() as own:
        in_parallel(lambda number: user.drop(f"burst/{number}.yaml", MANIFEST), range(count))
        user.await_records("burst/", count)
    with timed() as batch:
        _in_phases(user, "batch", count, lambda name: _submit(bare, name), bare.list_and_delete)
    with timed() as everything:
        in_parallel(
            lambda number: bare.storage.get_blob_client("bare-inbox", f"{number}").upload_blob(b"x"), range(count)
        )
        _in_phases(user, "all", count, lambda name: bare.submit(name, name.removeprefix("all-")), bare.record)
    how = f", {AT_ONCE} threads"
    yield ratio(f"burst of {count:,} manifests / their Batch calls bare", own.seconds, batch.seconds, 2.0, how)
    yield ratio(
        f"burst of {count:,} manifests / their Batch and storage calls bare", own.seconds, everything.seconds, 1.3, how
    )


def _submit(bare: Bare, name: str) -> None:
    bare.create_job(name)
    bare.add_task(name)


def _in_phases(
    user: User, prefix: str, count: int, submit: Callable[[str], None], collect: Callable[[str], None]
) -> None:
    """Submit all, wait until all have ended, collect all."""
    names = [f"{prefix}-{number}" for number in range(count)]
    in_parallel(submit, names)
    while {job.id for job in user.batch.list_jobs(filter="state ne 'completed'", select=["id"])} & set(names):
        time.sleep(PAUSE_SECONDS)
    in_parallel(collect, names)
