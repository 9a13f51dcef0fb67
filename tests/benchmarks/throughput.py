"""How many runs an account's quota of active jobs lets through, and what the same work costs as one fan-out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.parallel import in_parallel
from tests.benchmarks.target import Measured, timed
from tests.benchmarks.user import User

TICKS = (5, 15)
QUOTA = 100
TASK_SECONDS = 5
POOL = "local:10:16"  # nodes and slots: more than the quota lets run at once
PER_HOUR = 3600


def quota(quick: bool) -> Iterator[Measured]:
    """Many runs of one task under a quota of active jobs, and one run of as many items, at two schedules of ticks."""
    count = 200 if quick else 1000
    commands = f"commands: [sleep {TASK_SECONDS}]"
    for tick in TICKS:
        yield _throughput(tick, count, f"{count:,} runs", lambda user: _drop_all(user, count, commands), count)
    one = f"id: t\nforeach: {count}\n{commands}"
    yield _throughput(TICKS[-1], count, f"one foreach of {count:,}", lambda user: user.drop("fan/t.yaml", one), 1)


def _drop_all(user: User, count: int, text: str) -> None:
    in_parallel(lambda number: user.drop(f"fan/{number}.yaml", text), range(count))


def _throughput(tick: int, tasks: int, what: str, drop: Callable[[User], object], records: int) -> Measured:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(StackOptions(data_dir=Path(folder), ports=AUTO, tick=tick, pools=(POOL,))) as stack,
    ):
        user = User(stack)
        user.allow_jobs(QUOTA)
        with timed() as lap:
            drop(user)
            user.await_records("fan/", records)
        calls = user.batch_calls()
    how = f"{lap.seconds:.1f} s, {calls:,} Batch calls; quota of {QUOTA} jobs"
    what = f"tasks of {TASK_SECONDS} s an hour: {what}, ticks of {tick} s"
    return Measured(what, tasks / lap.seconds * PER_HOUR, None, "", how)
