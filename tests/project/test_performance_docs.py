"""`docs/performance.md`: its model follows from the counts that the tests assert, and its tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration import test_costs

ROOT = Path(__file__).parents[2]
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()
TICKS_A_DAY = 24 * 3600 // 15
RUNS_A_DAY = (10, 10_000, 1_000_000)
STORAGE_OF_A_RUN = sum(
    len(each)
    for each in (
        test_costs.SUBMIT, test_costs.PUSHED, test_costs.RECORD, test_costs.RECORD_AGAIN, test_costs.CLOSE,
    )
)  # fmt: skip
BATCH_OF_A_RUN = sum(test_costs.BATCH_CALLS.values())
MEMORY_GB = 2


def row(name: str) -> list[int]:
    """The numbers of a row of the model: a run, a tick, an hour idle, and three days."""
    (line,) = [line for line in PERFORMANCE.splitlines() if line.startswith(f"| {name} |")]
    return [int(number) for number in re.findall(r"\d+", line.partition(name)[2].replace(",", ""))]


def expected(run: int, tick: int, idle_tick: int) -> list[int]:
    return [run, tick, idle_tick * TICKS_A_DAY // 24, *(runs * run + tick * TICKS_A_DAY for runs in RUNS_A_DAY)]


def test_the_model_follows_from_the_counts() -> None:
    assert row("executions") == expected(2, 1, 1)
    assert row("GB-s") == expected(2 * MEMORY_GB, MEMORY_GB, MEMORY_GB)
    assert row("storage operations of the app") == expected(STORAGE_OF_A_RUN, len(test_costs.TICK), 2)
    assert row("Batch calls, at most") == expected(BATCH_OF_A_RUN, 1, 0)
    assert row("Event Grid operations") == expected(5, 0, 0)


@pytest.mark.parametrize("seconds", [15, 30, 60])
def test_what_ticks_cost_follows_from_their_number(seconds: int) -> None:
    ticks = 30 * 24 * 3600 // seconds
    (line,) = [line for line in PERFORMANCE.splitlines() if line.startswith(f"| {seconds} s |")]
    numbers = [float(number) for number in re.findall(r"[\d.]+", line.replace(",", ""))]
    jobs_an_hour = 100 * 3600 / seconds
    assert numbers == [seconds, ticks, MEMORY_GB * ticks, 2 * ticks, seconds / 2, jobs_an_hour]


def test_the_counts_are_those_that_are_asserted() -> None:
    assert f"| storage operations of a run of one task with one output file | {STORAGE_OF_A_RUN} |" in PERFORMANCE
    assert f"| Batch calls of a run of one task, whatever its duration | {BATCH_OF_A_RUN} |" in PERFORMANCE


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PERFORMANCE)
    assert named
    assert [(path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []


def test_what_is_not_met_is_explained() -> None:
    missed = PERFORMANCE.count("**not met**")
    assert missed == PERFORMANCE.count("The one that is not met")
