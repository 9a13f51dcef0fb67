"""Days of some hundred runs, simulated: what `make simulate` does with 100,000."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from azure.batch import models

from shared import poll_runs
from shared.documents.manifest_blob import ManifestBlob
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.documents.states import State
from tests.simulation.day import POOL, START, Day, Options, Outage
from tests.simulation.judgement import CALLS_OF_A_ROUND, problems

pytestmark = pytest.mark.sampled

NO_POOL = models.BatchPoolInfo(pool_id="none")

QUIET = Options(
    runs=60, seconds=300, burst=20, lost_drops=0, lost_events=0, doubled_events=0, ended_invocations=0,
    dying_nodes=0, cancels=0, outages=(),
)  # fmt: skip
BAD = Options(
    runs=300, seconds=1800, burst=100, quota=20, nodes=4, lost_drops=0.05, lost_events=0.05, doubled_events=0.1,
    ended_invocations=0.01, dying_nodes=4, cancels=0.05,
    outages=(
        Outage("batch", 300, 120), Outage("storage", 600, 60, 0.5), Outage("topic", 900, 120),
        Outage("functions", 1200, 120),
    ),
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.chaos)])
def test_a_bad_day_loses_nothing(seed: int) -> None:
    """Every manifest has one record, and nothing is left behind, whatever fails in between."""
    day = Day(replace(BAD, seed=seed))
    day.run()
    assert problems(day) == []


def test_what_a_run_costs_does_not_depend_on_how_long_it_takes() -> None:
    costs = []
    for median_task in (5, 500):
        day = Day(replace(QUIET, median_task=median_task))
        day.run()
        assert problems(day) == []
        costs.append({call: day.batch.requests[call] for call in CALLS_OF_A_ROUND})
    assert costs[0] == costs[1]


def running_runs(day: Day, count: int) -> None:
    """Runs whose jobs never end, for their pool does not exist."""
    for number in range(count):
        name = f"m-{START:%Y%m%dt%H%M%S}-{number:08x}"
        manifest = ManifestBlob(name="m.yaml", etag="0x1", sha256=None, text="commands: [sleep 1]")
        run = Run(
            RunBody(run_id=name, manifest=manifest, dropped=START, accepted=START), Progress(State.RUNNING, pool=POOL)
        )
        day.app.runs.create(run)
        day.batch.create_job(models.BatchJobCreateOptions(id=run.job_id, pool_info=NO_POOL))


@pytest.mark.parametrize(("running", "calls"), [(0, {}), (1000, {"Jobs_ListJobs": 1}), (5000, {"Jobs_ListJobs": 5})])
def test_a_tick_costs_a_batch_call_for_a_thousand_active_jobs(running: int, calls: dict[str, int]) -> None:
    """And one more, of the nodes, where something waits for long; pools are listed once a minute at most."""
    day = Day(replace(QUIET, quota=5000))
    running_runs(day, running)
    day.batch.requests.clear()
    poll_runs.poll(day.app)
    assert day.batch.requests == calls
    day.clock.now += timedelta(minutes=3)
    day.batch.requests.clear()
    poll_runs.poll(day.app)
    more = {"Pools_ListPoolNodeCounts": 1, "Pools_ListPools": 1} if running else {}
    assert day.batch.requests == {**calls, **more}
