"""A whole stack: many manifests at once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.parallel import AT_ONCE, in_parallel
from shared.settings import Containers
from tests.benchmarks.bare import Bare
from tests.benchmarks.target import Measured, ratio, timed
from tests.benchmarks.user import PAUSE_SECONDS, User

MANIFEST = "commands: [echo hi]"


def burst(quick: bool) -> Iterator[Measured]:
    """Many manifests at once, beside bare loops: of their Batch calls, and of those to storage too.

    Both begin with empty storage, for Azurite takes longer for everything, the more it has.
    """
    count = 100 if quick else 1000
    with _user(functions=True) as user, timed() as own:
        in_parallel(lambda number: user.drop(f"burst/{number}.yaml", MANIFEST), range(count))
        user.await_records("burst/", count)
    with _user(functions=False) as user:
        bare = Bare(user.storage, user.batch, Containers(), user.pool)
        bare.make_ledger()
        with timed() as batch:
            _in_phases(user, "batch", count, lambda name: _submit(bare, name), bare.list_and_delete)
        with timed() as everything:
            in_parallel(lambda number: user.drop(f"{number}", MANIFEST), range(count))
            _in_phases(user, "all", count, lambda name: bare.submit(name, name.removeprefix("all-")), bare.record)
    how, what = f", {AT_ONCE} threads", f"burst of {count:,} manifests /"
    yield ratio(f"{what} their Batch calls bare", own.seconds, batch.seconds, 2.0, how)
    yield ratio(f"{what} their Batch and storage calls bare", own.seconds, everything.seconds, 1.3, how)


@contextmanager
def _user(*, functions: bool) -> Iterator[User]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(StackOptions(data_dir=Path(folder), ports=AUTO, functions=functions)) as stack,
    ):
        yield User(stack)


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
