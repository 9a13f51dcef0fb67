"""What people are told of a pool on which no task can start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.batch.pools import Pool, why_tasks_wait

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POOL = Pool("p", 4)


@pytest.mark.parametrize("state", ["idle", "running"])
def test_a_pool_with_a_node_that_works_is_fine(state: str) -> None:
    """Also if an earlier resize has failed: its errors stay in the pool."""
    assert why_tasks_wait(replace(POOL, resize_errors=("E: m",)), "p", {state: 1, "unusable": 5}, NOW) is None


@pytest.mark.parametrize(
    ("pool", "nodes", "why"),
    [
        (None, {}, "the pool p does not exist any more"),
        (POOL, {}, "the pool p has no nodes: its target is 0; resize it"),
        (replace(POOL, has_autoscale=True), {}, "has no nodes: its autoscale formula has not asked for any yet"),
        (replace(POOL, is_resizing=True, target_nodes=3), {}, "has no nodes: it is being resized to 3"),
        (
            replace(POOL, resize_errors=("AccountCoreQuotaReached: no cores",), resized=NOW - timedelta(minutes=7)),
            {},
            "has no nodes: its last resize failed 7 minutes ago: AccountCoreQuotaReached: no cores",
        ),
        (
            POOL,
            {"unusable": 2, "start_task_failed": 1, "starting": 1, "idle": 0},
            "none of the nodes of the pool p can run tasks: 1 starting, 1 with a start task that failed, 2 unusable",
        ),
    ],
)
def test_why_tasks_wait(pool: Pool | None, nodes: dict[str, int], why: str) -> None:
    told = why_tasks_wait(pool, "p", nodes, NOW)
    assert told is not None
    assert told.endswith(why)
