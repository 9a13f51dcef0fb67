"""What the app logs of a run, as it leaves the Functions host: the fields that the queries of docs/operate.md use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack.stack import Stack

pytestmark = pytest.mark.slow

_OBJECT = re.compile(r"\{.*\}$")


def events_of(stack: Stack, run_id: str) -> Iterator[dict[str, Any]]:
    """The events of a run, in their order."""
    for line in (stack.data_dir.path / "logs" / "functions.log").read_text().splitlines():
        found = _OBJECT.search(line)
        if found and f'"{run_id}"' in line:
            yield json.loads(found[0])


def test_the_log_tells_the_life_of_a_run_with_durations(stack, drop) -> None:
    """Accepted, submitted, collected, recorded: each once, with the ids and the milliseconds where it took time."""
    run = drop("logged.yaml", "id: t\ncommands: [echo hi]")
    run.record()

    events = {event["event"]: event for event in events_of(stack, run.id)}
    assert list(events) == ["accepted", "submitted", "round-collected", "recorded"]
    assert [event["stage"] for event in events.values()] == ["submit", "submit", "record", "record"]
    assert events["submitted"]["job"] == f"{run.id}-1"
    assert events["recorded"]["state"] == "SUCCESS"
    assert all(events[name]["ms"] > 0 for name in ("submitted", "round-collected", "recorded"))
