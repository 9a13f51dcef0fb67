"""How soon an ended task is recorded: pushed by its marker, with ticks so seldom that they cannot be what does it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from tests.benchmarks.target import Measured
from tests.benchmarks.user import User

TICK = 59
MANIFESTS = {
    "a task": "commands: [echo hi]",
    "a flow that fails in the middle": (
        "tasks: [{id: a, commands: [echo]}, {id: b, commands: [exit 3]}, {id: c, commands: [echo]}]"
    ),
}


def pushed(quick: bool) -> Iterator[Measured]:
    """From the end of the last task to the record, one run after the other."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(StackOptions(data_dir=Path(folder), ports=AUTO, tick=TICK)) as stack,
    ):
        user = User(stack)
        for what, manifest in MANIFESTS.items():
            seconds = [
                _seconds(user, f"{what}-{number}".replace(" ", "-"), manifest) for number in range(5 if quick else 20)
            ]
            how = f"median of {len(seconds)}, slowest {max(seconds):.2f} s, ticks of {TICK} s"
            yield Measured(f"end of {what} to the record, pushed", statistics.median(seconds), 2.0, "s", how)


def _seconds(user: User, name: str, manifest: str) -> float:
    user.drop(f"{name}.yaml", manifest)
    (record,) = user.await_records(f"{name}/", 1)
    timings = user.record(record)["timings"]
    return (datetime.fromisoformat(timings["recorded"]) - datetime.fromisoformat(timings["ended"])).total_seconds()
