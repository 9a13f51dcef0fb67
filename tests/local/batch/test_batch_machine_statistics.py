"""What the runs of a task have used together, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.batch.api.views import task_statistics_view
from local.batch.machine.statistics import told_usage
from local.batch.models.job import DisableTasks
from local.batch.models.pool import NodeState
from local.batch.models.usage import Usage

USED = Usage(
    user_cpu_time=timedelta(seconds=2),
    kernel_cpu_time=timedelta(milliseconds=250),
    read_operations=3,
    write_operations=4,
    read_bytes=2**30,
    written_bytes=2**29,
)
RETRIES = {"constraints": {"maxTaskRetryCount": 3}}


@pytest.fixture
def statistics(machine):
    """Return the statistics of the task `1` as they look now; None if it has none."""

    def of_task(delay: float = 0):
        task = machine.account.state.task("job", "1")
        usage = told_usage(task, machine.now, delay)
        return usage and task_statistics_view(task, usage, "http://batch/jobs/job/tasks/1")

    return of_task


def test_one_run(machine, statistics):
    """All of it, from creation to end."""
    machine.job(maxParallelTasks=1)
    machine.task("first")
    machine.task("1")
    machine.passes(seconds=5)
    machine.ends("first")
    assert statistics() is None
    machine.passes(seconds=90)
    machine.ends("1", used=USED)
    assert statistics() == {
        "url": "http://batch/jobs/job/tasks/1/stats",
        "startTime": "2026-11-22T00:00:06Z",
        "lastUpdateTime": "2026-11-22T00:01:36Z",
        "userCPUTime": "PT2S",
        "kernelCPUTime": "PT0.25S",
        "wallClockTime": "PT1M30S",
        "readIOps": "3",
        "writeIOps": "4",
        "readIOGiB": 1.0,
        "writeIOGiB": 0.5,
        "waitTime": "PT5S",
    }


def test_retries_add_up(machine, statistics):
    """The wait ends with the last start; nothing is told before the end."""
    machine.job()
    machine.task("1", **RETRIES)
    machine.passes(seconds=10)
    machine.ends("1", exit_code=1, used=USED)
    machine.passes(seconds=20)
    assert statistics() is None
    machine.ends("1", used=USED)
    answer = statistics()
    assert (answer["startTime"], answer["lastUpdateTime"]) == ("2026-11-22T00:00:01Z", "2026-11-22T00:00:31Z")
    assert (answer["userCPUTime"], answer["kernelCPUTime"]) == ("PT4S", "PT0.5S")
    assert (answer["wallClockTime"], answer["waitTime"]) == ("PT30S", "PT10S")
    assert (answer["readIOps"], answer["writeIOps"], answer["readIOGiB"], answer["writeIOGiB"]) == ("6", "8", 2.0, 1.0)


def test_runs_add_up_that_made_way_for_others(machine, statistics):
    """A requeue as well as a retry; the time in between is none of the task's."""
    machine.job()
    machine.task("1")
    machine.passes(seconds=10)
    machine.account.jobs.disable("job", DisableTasks.REQUEUE)
    machine.passes()
    machine.ends("1", exit_code=137, used=USED)
    machine.passes(seconds=100)
    machine.account.jobs.enable("job")
    machine.passes(seconds=20)
    machine.passes(seconds=5)
    machine.ends("1", used=USED)
    answer = statistics()
    assert (answer["userCPUTime"], answer["wallClockTime"], answer["waitTime"]) == ("PT4S", "PT15S", "PT2M10S")


def test_a_failed_task_that_runs_again_adds_up(machine, statistics):
    """While it does, nothing is told."""
    machine.job()
    machine.task("1")
    machine.ends("1", exit_code=1, used=USED)
    assert statistics()["userCPUTime"] == "PT2S"
    machine.account.tasks.reactivate("job", "1")
    machine.passes()
    assert statistics() is None
    machine.ends("1", used=USED)
    assert statistics()["userCPUTime"] == "PT4S"


@pytest.mark.parametrize("runs", [(None,), (None, USED), (USED, None)])
def test_a_run_that_is_not_known_leaves_the_whole_unknown(machine, statistics, runs):
    """Whichever run it was: what is missing is not zero."""
    machine.job()
    machine.task("1", **RETRIES)
    for number, used in enumerate(runs, start=1):
        machine.ends("1", exit_code=int(number < len(runs)), used=used)
    assert machine.task_state("1") == "completed"
    assert statistics() is None


def test_a_run_on_a_node_that_died_leaves_the_whole_unknown(machine, statistics):
    """Nobody tells what it had used."""
    machine.job()
    machine.task("1")
    pool = machine.account.state.pool("pool")
    for state in (NodeState.UNUSABLE, NodeState.IDLE):
        machine.account.nodes.set_state("pool", pool.nodes[0].id, state)
        machine.passes()
    machine.ends("1", used=USED)
    assert machine.task_state("1") == "completed"
    assert statistics() is None


def test_a_task_that_never_ran_has_none(machine, statistics):
    """It was terminated while it waited."""
    machine.job(maxParallelTasks=1)
    machine.task("first")
    machine.task("1")
    machine.account.tasks.terminate("job", "1")
    machine.passes()
    assert machine.task_state("1") == "completed"
    assert statistics() is None


def test_they_come_so_many_seconds_after_the_end(machine, statistics):
    """Neither earlier nor later."""
    machine.job()
    machine.task("1")
    machine.ends("1", used=USED)
    machine.passes(seconds=59.9)
    assert statistics(delay=60) is None
    machine.passes(seconds=0.1)
    assert statistics(delay=60) is not None
    assert statistics(delay=float("inf")) is None


def test_they_survive_a_restart(machine, statistics):
    """A run under way does not."""
    machine.job()
    machine.task("1", **RETRIES)
    machine.ends("1", exit_code=1, used=USED)
    machine.ends("1", used=USED)
    before = statistics()
    machine.restarts()
    assert statistics() == before is not None
