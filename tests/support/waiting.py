"""Waiting for what happens in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

WAIT_SECONDS = 300  # only a failure takes so long, also on a machine that is busy tenfold

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None]) -> T:
    """Wait until a condition gives something that is true, and return it; fails if that takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, "what the test waits for has not happened"
        time.sleep(0.02)
