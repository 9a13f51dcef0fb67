"""Calls in parallel, a bounded number of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")


AT_ONCE = 16


def in_parallel(function: Callable[[Given], Result], given: Iterable[Given], *, at_once: int = AT_ONCE) -> list[Result]:
    """Call a function for each value; its results in order. Raises the first exception once all calls have ended."""
    all_given = list(given)
    if len(all_given) <= 1:
        return [function(each) for each in all_given]
    with ThreadPoolExecutor(min(at_once, len(all_given))) as threads:
        return list(threads.map(function, all_given))
