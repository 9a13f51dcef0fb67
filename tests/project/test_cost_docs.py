"""What `docs/deploy.md` says a month costs follows from the counts that tests assert, and the prices beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.test_performance_docs import MEMORY_GB, STORAGE_OF_A_RUN, TICKS_A_DAY

DOCUMENT = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
CHAPTER = DOCUMENT.partition("### What it costs")[2].partition("\n### ")[0]
DAYS = 30
OF_THE_NODES = 6
"""Requests of a node for a run of one task: a listing, a download, four uploads."""
LISTINGS_OF_FLOWS = 24 * 60
TASK_MINUTES, SLOTS = 10, 2


def price(pattern: str) -> float:
    """A number of the paragraph about prices."""
    (found,) = re.findall(pattern.replace("N", r"([\d.,]+)"), " ".join(CHAPTER.split()))
    return float(found.replace(",", "").rstrip("."))


def beyond(count: float, free: float) -> float:
    return max(0.0, count - free)


def nodes(runs: int) -> float:
    return runs * DAYS * TASK_MINUTES / 60 / SLOTS * price("costs N an hour")


def executions(runs: int) -> float:
    gb_seconds = DAYS * MEMORY_GB * (2 * runs + TICKS_A_DAY)
    count = DAYS * (2 * runs + TICKS_A_DAY)
    of_time = beyond(gb_seconds, price("a GB-s after N and")) * price("plan N a GB-s")
    return of_time + beyond(count, price("million executions after N;")) * price("and N a million executions") / 1e6


def storage(runs: int) -> float:
    operations = DAYS * ((STORAGE_OF_A_RUN + OF_THE_NODES) * runs + 2 * TICKS_A_DAY + LISTINGS_OF_FLOWS)
    return operations / 10_000 * price("10,000 storage operations N;")


def event_grid(runs: int) -> float:
    operations = DAYS * 5 * runs
    return beyond(operations, price("Event Grid operations [0-9.]+ after N Other")) / 1e6 * price("operations N after")


@pytest.mark.parametrize(
    ("row", "cost"),
    [
        ("nodes, if they are kept busy", nodes),
        ("executions of the app", executions),
        ("storage operations, at most", storage),
        ("Event Grid", event_grid),
        ("all but nodes", lambda runs: executions(runs) + storage(runs) + event_grid(runs)),
    ],
)
def test_each_row_follows_from_counts_and_prices(row: str, cost) -> None:
    (line,) = [line for line in CHAPTER.splitlines() if line.startswith(f"| {row} |")]
    head = next(line for line in CHAPTER.splitlines() if line.startswith("| | 10 runs a day"))
    sizes = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) runs a day", head)]
    assert sizes == [10, 1_000, 10_000]
    written = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", line.partition(row)[2])]
    assert written == [round(cost(size)) for size in sizes]


def test_the_least_is_what_stands_above_the_table() -> None:
    assert f"about {round(executions(10) + storage(10))} dollars a month" in CHAPTER


def test_the_first_page_says_the_same() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"[{round(executions(10) + storage(10))} dollars a month and up](docs/deploy.md#what-it-costs)" in readme


def test_it_says_of_when_the_prices_are_and_how_to_have_those_of_today() -> None:
    assert re.search(r"public pages had them between 2024 and 2026", CHAPTER)
    assert "`python infra/prices.py eastus Standard_D2s_v5`" in CHAPTER


def test_that_many_runs_need_more_nodes_than_there_are() -> None:
    at_once = 10_000 * TASK_MINUTES / (24 * 60)
    assert f"keep {round(at_once / SLOTS)} nodes busy" in " ".join(CHAPTER.split())
