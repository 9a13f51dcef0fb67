"""Flows with `concurrency`: their runs are admitted by ticks alone, in the order of their acceptance."""

from __future__ import annotations

import pytest

from shared import poll_runs, submit_run
from shared.errors import BatchRefused

pytestmark = pytest.mark.sampled

LIMITED = "id: etl\nnamespace: team\nconcurrency: {{limit: {limit}, behavior: {behavior}}}\ncommands: [{command}]\n"


def flow(limit: int = 1, behavior: str = "QUEUE", command: str = "echo hi") -> str:
    return LIMITED.format(limit=limit, behavior=behavior, command=command)


def states(world) -> dict[str, tuple[str, str | None]]:
    """State and reason of waiting of the open runs, by the name of their manifests."""
    return {run.id.split("-")[0]: (run.progress.state, run.progress.waiting) for run in world.app.runs.list()}


def test_runs_of_a_flow_begin_one_after_another_and_the_first_at_the_next_tick(world) -> None:
    runs = [world.accept(f"{name}.yaml", flow()) for name in "abc"]
    assert states(world) == dict.fromkeys("abc", ("QUEUED", "flow"))
    assert world.batch_requests() == {}
    assert world.result(runs[0], "status.json", "a.yaml")["waiting"] == "flow"
    assert world.names("inbox") == []
    ended = []
    while world.names("runs"):
        poll_runs.poll(world.app)
        assert sum(state == "RUNNING" for state, _ in states(world).values()) <= 1
        world.deliver()
        ended += [run for run in runs if run not in ended and not world.app.runs.load(run)]
    assert ended == runs
    ended_as = [world.record(run, f"{name}.yaml")["state"] for run, name in zip(runs, "abc", strict=True)]
    assert ended_as == ["SUCCESS"] * 3


def test_as_many_run_at_once_as_the_limit_says_and_others_do_not_wait_for_them(world) -> None:
    for name in "abc":
        world.accept(f"{name}.yaml", flow(limit=2, command="sleep 60"))
    world.accept("other.yaml", flow(command="sleep 60").replace("etl", "other"))
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 503, "code": "ServerBusy", "next": 1})
    world.accept("free.yaml", "commands: [sleep 60]")
    world.batch_fails()
    poll_runs.poll(world.later(seconds=40))
    running = ("RUNNING", None)
    assert states(world) == {**dict.fromkeys(("a", "b", "other", "free"), running), "c": ("QUEUED", "flow")}


def test_a_tick_asks_nothing_for_the_runs_that_wait(world) -> None:
    for name in "abc":
        world.accept(f"{name}.yaml", flow(command="sleep 60"))
    poll_runs.poll(world.app)
    world.batch_requests()
    poll_runs.poll(world.app)
    assert world.batch_requests() == {"Jobs_ListJobs": 1}


def test_runs_that_wait_know_their_place_in_the_queue_of_their_flow(world) -> None:
    runs = [world.accept(f"{name}.yaml", flow(command="sleep 60")) for name in "abc"]
    poll_runs.poll(world.app)
    poll_runs.poll(world.later(seconds=61))
    told = [world.result(run, "status.json", f"{name}.yaml") for run, name in zip(runs[1:], "bc", strict=True)]
    assert [(each["waiting"], each["position"]) for each in told] == [("flow", 1), ("flow", 2)]


@pytest.mark.parametrize(("behavior", "state"), [("CANCEL", "KILLED"), ("FAIL", "FAILED")])
def test_a_run_beyond_the_limit_ends_at_once(world, behavior: str, state: str) -> None:
    world.accept("a.yaml", flow(behavior=behavior, command="sleep 60"))
    poll_runs.poll(world.app)
    run = world.accept("b.yaml", flow(behavior=behavior))
    poll_runs.poll(world.app)
    record = world.record(run, "b.yaml")
    assert (record["state"], record["failure"]["code"], record["failure"]["category"]) == (
        state,
        "ConcurrencyLimit",
        "user",
    )
    assert "as many runs of the flow team/etl were under way" in record["failure"]["message"]
    assert (record["tasks"], record["jobs"]) == ([], [])
    assert states(world) == {"a": ("RUNNING", None)}
    assert [ended.failure.code for ended in world.outbox.ends] == ["ConcurrencyLimit"]


def test_it_ends_also_while_the_quota_is_used_up_or_batch_is_busy(world) -> None:
    world.accept("a.yaml", flow(behavior="FAIL", command="sleep 60"))
    poll_runs.poll(world.app)
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 429, "code": "Busy", "retryAfterSeconds": 600})
    world.accept("busy.yaml")
    run = world.accept("b.yaml", flow(behavior="FAIL"))
    poll_runs.poll(world.app)
    assert world.record(run, "b.yaml")["state"] == "FAILED"
    assert states(world)["busy"] == ("QUEUED", "busy")


def test_a_run_that_waits_is_cancelled_at_once(world) -> None:
    world.accept("a.yaml", flow(command="sleep 60"))
    run = world.accept("b.yaml", flow())
    poll_runs.poll(world.app)
    world.put("inbox", f"{run}.cancel")
    submit_run.receive(world.app, f"{run}.cancel")
    assert world.record(run, "b.yaml")["state"] == "KILLED"
    assert states(world) == {"a": ("RUNNING", None)}


def test_mistakes_are_told_before_a_run_waits(world) -> None:
    world.accept("a.yaml", flow(command="sleep 60"))
    for name, wrong in (("b", "'{{ nosuch() }}'"), ("c", "'{{ inputs.x }}'")):
        run = world.accept(f"{name}.yaml", flow(command=wrong))
        assert world.record(run, f"{name}.yaml")["state"] == "REJECTED"


def test_the_time_that_it_waited_is_no_part_of_the_timeout(world) -> None:
    """It is accepted, waits for longer than its timeout, and then has all of it."""
    text = flow().replace("commands: [echo hi]", "tasks: [{id: t, commands: [echo hi]}]\ntimeout: PT1H")
    run = world.drop("a.yaml", text)
    submit_run.accept(world.later(hours=-2), "a.yaml")
    world.finish()
    assert world.record(run, "a.yaml")["state"] == "SUCCESS"


def test_a_run_keeps_its_place_through_all_of_its_rounds(world) -> None:
    rounds = """\
id: etl
namespace: team
concurrency: {limit: 1}
tasks:
  - {id: a, commands: ['echo ''::{"outputs": {"n": 1}}::''']}
  - {id: b, commands: ["echo {{ outputs.a.vars.n }}"]}
"""
    run = world.accept("a.yaml", rounds)
    poll_runs.poll(world.app)
    world.accept("b.yaml", flow())
    world.await_end(run)
    poll_runs.poll(world.app)
    world.deliver()
    assert states(world) == {"a": ("RUNNING", None), "b": ("QUEUED", "flow")}
    world.finish()
    assert len(world.record(run, "a.yaml")["jobs"]) == 2


def test_an_app_that_dies_after_it_has_admitted_a_run_goes_on_with_that_one(world) -> None:
    """The admission is in the document before anything else happens: nobody takes its place."""
    world.accept("a.yaml", flow(command="sleep 60"))
    world.accept("b.yaml", flow())
    (first, _) = world.app.runs.list()
    world.app.runs.set_progress(first, first.progress.attempted(world.app.now()))
    poll_runs.poll(world.app)
    assert states(world) == {"a": ("QUEUED", None), "b": ("QUEUED", "flow")}
    poll_runs.poll(world.later(seconds=61))
    assert states(world) == {"a": ("RUNNING", None), "b": ("QUEUED", "flow")}


def test_a_run_whose_trigger_died_before_it_read_the_flow_waits_like_others(world) -> None:
    """It is a tick that finds out that its flow has a limit; that keeps nobody else waiting."""
    world.accept("a.yaml", flow(command="sleep 60"))
    poll_runs.poll(world.app)
    drop = world.drop("b.yaml", flow())
    world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("b.yaml")))
    late = world.later(seconds=31)
    poll_runs.poll(late)
    poll_runs.poll(late)
    assert states(world) == {"a": ("RUNNING", None), "b": ("QUEUED", "flow")}
    assert world.result(drop, "status.json", "b.yaml")["waiting"] == "flow"


def test_a_run_is_refused_once_also_if_the_app_died_after_its_record(world) -> None:
    world.accept("a.yaml", flow(behavior="FAIL", command="sleep 60"))
    poll_runs.poll(world.app)
    run = world.accept("b.yaml", flow(behavior="FAIL"))
    removed = world.app.runs.remove
    world.app.runs.remove = lambda _: (_ for _ in ()).throw(BatchRefused("x", "died"))
    poll_runs.poll(world.app)
    world.app.runs.remove = removed
    assert world.record(run, "b.yaml")["state"] == "FAILED"
    poll_runs.poll(world.app)
    assert states(world) == {"a": ("RUNNING", None)}
