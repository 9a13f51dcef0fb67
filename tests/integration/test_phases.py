"""What runs after a failure, a cancel or the end of the time of a flow: errors, finally, afterExecution."""

from __future__ import annotations

import pytest

from shared import poll_runs, record_run, submit_run
from shared.errors import TryLater
from shared.events import JobEnded

pytestmark = pytest.mark.sampled

FLOW = """
timeout: {timeout}
tasks: [{{id: a, commands: [{command}]}}, {{id: b, commands: [echo b]}}]
errors: [{{id: e, commands: [echo e]}}]
finally: [{{id: f, commands: ["{finally_}"]}}]
afterExecution: [{{id: after, commands: ["echo {{{{ execution.state }}}}"]}}]
"""


def flow(command: str = "sleep 600", timeout: str = "PT1H", finally_: str = "echo f") -> str:
    return FLOW.format(command=command, timeout=timeout, finally_=finally_)


def states(record: dict) -> dict[str, str]:
    return {task["id"]: task["state"] for task in record["tasks"]}


def await_round(world, run: str, number: int) -> None:
    """Poll and deliver until the job of a round is there."""
    while not world.app.batch.tasks(f"{run}-{number}"):
        poll_runs.poll(world.app)
        world.deliver()


def test_a_cancel_ends_the_tasks_and_goes_on_with_finally(world) -> None:
    run = world.accept(text=flow())
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert states(record) == {"a": "KILLED", "b": "SKIPPED", "e": "SKIPPED", "f": "SUCCESS", "after": "SUCCESS"}
    assert {task["skipped"] for task in record["tasks"]} == {None, "cancelled"}
    assert world.text("results", f"m/{run}/logs/after/stdout.txt") == "KILLED\n"
    assert world.names("runs") == world.names("inbox") == []


def test_what_errors_has_for_a_failure_is_not_needed_without_one(world) -> None:
    """Of the flow and of a group. The record and the report say so, rather than that a condition did not hold."""
    lists = "tasks: [{id: a, commands: [echo]}], errors: [{id: e2, commands: [echo]}]"
    group = f"{{id: g, type: io.kestra.plugin.core.flow.Sequential, {lists}}}"
    run = world.accept(text=f"tasks: [{group}]\nerrors: [{{id: e, commands: [echo]}}]")
    world.finish()
    record = world.record(run)
    assert record["state"] == "SUCCESS"
    assert {task["id"]: task["skipped"] for task in record["tasks"]} == {"a": None, "e2": "noFailure", "e": "noFailure"}
    assert "e2, e: not needed, as nothing failed." in world.text("results", f"m/{run}/report.html")


@pytest.mark.parametrize("is_known", [True, False], ids=["its submitter goes on", "its submitter dies"])
def test_a_cancel_while_tasks_are_added_is_one_of_a_running_run(world, monkeypatch, *, is_known: bool) -> None:
    """The job is not noted yet, but its tasks may run: what follows runs, and the record names the job and its pool."""
    batch, cancel = world.app.batch, submit_run.receive
    add_tasks, run = batch.add_tasks, world.drop(text=flow())
    world.put("inbox", f"{run}.cancel")

    def cancelled_meanwhile(job: str, tasks) -> None:
        add_tasks(job, tasks)
        cancel(world.app, f"{run}.cancel")
        if not is_known:
            raise TryLater("the process dies here")

    with monkeypatch.context() as first:
        first.setattr(batch, "add_tasks", cancelled_meanwhile)
        submit_run.accept(world.app, "m.yaml")
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert [(job["id"], job["pool"], job["reason"]) for job in record["jobs"]] == [
        (f"{run}-1", "local", "first"),
        (f"{run}-2", "local", "ends"),
        (f"{run}-3", "local", "ends"),
    ]
    assert record["jobs"][0]["nodes"]
    assert record["jobs"][0]["nodes"] == record["jobs"][1]["nodes"]
    assert record["timings"]["submitted"] == record["jobs"][0]["submitted"]
    assert (states(record)["f"], states(record)["after"]) == ("SUCCESS", "SUCCESS")
    assert world.names("runs") == world.names("staging") == world.names("inbox") == []


def test_a_cancel_before_any_task_is_added_begins_nothing(world, monkeypatch) -> None:
    batch, run = world.app.batch, world.drop(text=flow())
    world.put("inbox", f"{run}.cancel")

    def cancelled_meanwhile(*_: object) -> None:
        submit_run.receive(world.app, f"{run}.cancel")
        raise TryLater("the process dies here")

    with monkeypatch.context() as first:
        first.setattr(batch, "add_tasks", cancelled_meanwhile)
        submit_run.accept(world.app, "m.yaml")
    world.finish()
    record = world.record(run)
    assert (record["state"], record["jobs"]) == ("KILLED", [])


def test_a_cancel_of_finally_ends_the_run(world) -> None:
    run = world.accept(text=flow(command="exit 3", finally_="sleep 600"))
    await_round(world, run, 3)
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert states(record) == {"a": "FAILED", "b": "SKIPPED", "e": "SUCCESS", "f": "KILLED", "after": "SKIPPED"}
    assert record["state"] == "FAILED"  # as it was before the cancel: see `run_state`


def test_a_cancel_whose_answer_is_lost_is_one_cancel(world, monkeypatch) -> None:
    """Batch ends the job, and the run goes on with `finally` before the request is read again: it is the same one."""
    run = world.accept(text=flow())
    batch, terminate = world.app.batch, world.app.batch.terminate
    world.put("inbox", f"{run}.cancel")

    def without_answer(job: str) -> bool:
        terminate(job)
        raise TryLater("the answer is lost")

    with monkeypatch.context() as lost:
        lost.setattr(batch, "terminate", without_answer)
        submit_run.receive(world.app, f"{run}.cancel")
    world.await_end(run)
    record_run.record(world.app, JobEnded(run, 1))
    assert world.names("inbox") == [f"{run}.cancel"]
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert states(record) == {"a": "KILLED", "b": "SKIPPED", "e": "SKIPPED", "f": "SUCCESS", "after": "SUCCESS"}
    assert world.names("inbox") == []


def test_a_second_cancel_ends_what_the_first_one_began(world) -> None:
    run = world.accept(text=flow(finally_="sleep 600"))
    world.put("inbox", f"{run}.cancel")
    await_round(world, run, 2)
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert states(record) == {"a": "KILLED", "b": "SKIPPED", "e": "SKIPPED", "f": "KILLED", "after": "SKIPPED"}


def test_at_the_end_of_the_time_of_the_flow_what_follows_still_runs(world) -> None:
    run = world.accept(text=flow(command="sleep 60", timeout="PT2S"))
    world.finish()
    record = world.record(run)
    assert record["state"] == "FAILED"
    assert states(record) == {"a": "FAILED", "b": "SKIPPED", "e": "SUCCESS", "f": "SUCCESS", "after": "SUCCESS"}
    assert record["tasks"][0]["failure"]["code"] == "FlowTimeout"


def test_a_flow_whose_time_ends_between_its_rounds_goes_on_with_what_follows(world) -> None:
    text = flow(timeout="PT10M").replace("[sleep 600]", '["echo ::{\\\\\\"outputs\\\\\\":{\\\\\\"n\\\\\\":1}}::"]')
    text = text.replace("[echo b]", '["echo {{ outputs.a.vars.n }}"]')
    run = world.accept(text=text)
    world.await_end(run)
    poll_runs.poll(world.app)
    late = world.later(minutes=12)
    for event in world.outbox.take():
        record_run.record(late, event)
    world.finish()
    record = world.record(run)
    assert (record["state"], record["failure"]["code"]) == ("FAILED", "FlowTimeout")
    assert states(record) == {"a": "SUCCESS", "b": "SKIPPED", "e": "SUCCESS", "f": "SUCCESS", "after": "SUCCESS"}
    assert [error["message"] for error in record["errors"]] == [record["failure"]["message"]]


def test_a_job_that_batch_refuses_keeps_nothing_from_being_tidied_up(world) -> None:
    run = world.accept(text=flow(command="exit 3"))
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 400, "code": "InvalidPropertyValue", "next": 1})
    world.finish()
    record = world.record(run)
    assert record["state"] == "FAILED"
    assert states(record) == {"a": "FAILED", "b": "SKIPPED", "e": "SUCCESS", "f": "SUCCESS", "after": "SUCCESS"}
    assert record["failure"]["code"] == "InvalidPropertyValue"


@pytest.mark.parametrize("how", ["cancelled", "rejected"])
def test_a_run_of_which_nothing_ran_has_no_later_phases(world, how: str) -> None:
    fault = {"status": 409, "code": "ActiveJobAndScheduleQuotaReached"}
    if how == "rejected":
        fault = {"status": 400, "code": "InvalidPropertyValue"}
    world.batch_fails({"operation": "Jobs_CreateJob", **fault})
    run = world.accept(text=flow())
    if how == "cancelled":
        world.put("inbox", f"{run}.cancel")
        poll_runs.poll(world.app)
    record = world.record(run)
    assert (record["state"], record["tasks"]) == ("KILLED" if how == "cancelled" else "REJECTED", [])
