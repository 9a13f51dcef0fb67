"""Which task starts when not all can, on a clock that the test moves."""

from __future__ import annotations


def test_jobs_of_higher_priority_go_first(machine):
    """Whenever a slot is free, whatever the age of the jobs."""
    machine.job("low", priority=-5)
    machine.task("busy", "low", requiredSlots=4)
    machine.task("l", "low", requiredSlots=4)
    machine.job("high", priority=5)
    machine.task("h", "high", requiredSlots=4)
    machine.ends("busy")
    assert list(machine.running) == ["h"]


def test_jobs_of_equal_priority_share(machine):
    """The job with fewer running tasks goes first."""
    machine.job("a")
    machine.job("b")
    machine.task("big", "a", requiredSlots=4)
    for number in range(3):
        machine.task(f"a{number}", "a")
        machine.task(f"b{number}", "b")
    machine.ends("big")
    assert sorted(machine.running) == ["a0", "a1", "b0", "b1"]


def test_a_job_may_limit_its_parallel_tasks(machine):
    """Free slots stay free."""
    machine.job(maxParallelTasks=2)
    for number in range(4):
        machine.task(str(number))
    assert sorted(machine.running) == ["0", "1"]


def test_slots_are_what_a_node_can_take(machine):
    """A task that needs more slots than are free waits, and does not hold up smaller ones."""
    machine.job()
    machine.task("1", requiredSlots=2)
    machine.task("2", requiredSlots=3)
    machine.task("3", requiredSlots=2)
    assert sorted(machine.running) == ["1", "3"]
    machine.ends("1")
    assert sorted(machine.running) == ["3"]
    machine.ends("3")
    assert sorted(machine.running) == ["2"]


def test_tasks_start_in_the_order_in_which_they_were_added(machine):
    """Whatever the slots that they need, as long as those are free."""
    machine.job(maxParallelTasks=1)
    for name, slots in (("a", 2), ("b", 1), ("c", 4), ("d", 1)):
        machine.task(name, requiredSlots=slots)
    started = []
    while machine.running:
        started += machine.running
        machine.ends(started[-1])
    assert started == ["a", "b", "c", "d"]


def test_a_task_that_fits_no_node_waits_for_ever(machine):
    """The service accepts it all the same."""
    machine.job()
    machine.task("1", requiredSlots=5)
    machine.passes(seconds=10**6)
    assert machine.task_state("1") == "active"
