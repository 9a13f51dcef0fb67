"""What fails before the commands began, for a reason that may pass, is run again as a next round; nothing else is."""

from __future__ import annotations

import pytest

from shared import poll_runs, record_run
from shared.outputs.judgement import MAX_REPEATED_ROUNDS

pytestmark = pytest.mark.sampled

IMAGE_PROBLEM = "run again, because it failed before its commands began: ContainerInvalidImage"


def run_text(world, text: str, *, pulls_that_fail: int, image: str = "*") -> dict:
    world.nodes_fail(imagePulls=[{"image": image, "next": pulls_that_fail}])
    run = world.accept(text=text)
    world.finish()
    return world.record(run)


def test_a_pull_that_fails_twice_and_then_works(world) -> None:
    record = run_text(world, "id: t\ncommands: [echo hi > a.txt]\noutputFiles: [a.txt]", pulls_that_fail=2)
    assert record["state"] == "SUCCESS", record
    assert [job["reason"] for job in record["jobs"]] == ["first", "infrastructure", "infrastructure"]
    assert [warning["message"].startswith(IMAGE_PROBLEM) for warning in record["warnings"]] == [True, True]
    assert list(record["tasks"][0]["outputs"]["outputFiles"]) == ["a.txt"]


def test_after_the_last_repetition_the_task_has_failed(world) -> None:
    record = run_text(world, "id: t\ncommands: [echo hi]", pulls_that_fail=100)
    assert (record["state"], len(record["jobs"])) == ("FAILED", 1 + MAX_REPEATED_ROUNDS)
    assert record["tasks"][0]["failure"]["code"] == "ContainerInvalidImage"


def test_what_waited_for_it_runs_then_and_what_has_ended_does_not(world) -> None:
    """`side` has ended when the job is ended because `b` waits for `a`; it is not run again."""
    text = (
        "tasks:\n- {id: side, commands: [echo side]}\n- {id: a, containerImage: broken, commands: [echo a]}\n"
        "- {id: b, dependsOn: [a], commands: [echo b]}\n"
    )
    record = run_text(world, text, pulls_that_fail=1, image="broken")
    assert [task["state"] for task in record["tasks"]] == ["SUCCESS", "SUCCESS", "SUCCESS"]
    assert record["tasks"][0]["ended"] <= record["tasks"][1]["started"]
    assert [job["reason"] for job in record["jobs"]] == ["first", "infrastructure"]


def test_only_the_items_that_failed_so_are_run_again(world) -> None:
    text = (
        "tasks:\n- {id: each, foreach: [good, broken, good], containerImage: '{{ item }}', "
        "commands: ['echo {{ item }} > x.txt'], outputFiles: [x.txt]}\n"
        "- {id: all, commands: ['cat {{ outputs.each }}/*/x.txt'], containerImage: good}"
    )
    record = run_text(world, text, pulls_that_fail=1, image="broken")
    assert record["state"] == "SUCCESS", record
    assert [job["reason"] for job in record["jobs"]] == ["first", "infrastructure", "fan-out"]
    items = record["tasks"][0]["items"]
    assert items["states"] == {"SUCCESS": 3}
    assert [item["index"] for item in items["records"]] == [0, 1, 2]
    assert items["records"][0]["ended"] < items["records"][1]["ended"]


@pytest.mark.parametrize("when", ["while the round is collected", "while the next one waits"])
def test_a_cancel_keeps_the_items_that_have_ended_of_a_fan_out_that_was_to_be_repeated(
    world, monkeypatch, when
) -> None:
    """The next round is never submitted; the record tells of each item what became of it."""
    world.nodes_fail(imagePulls=[{"image": "broken", "next": 9}])
    run = world.accept(
        text="id: each\nforeach: [good, broken, fine]\ncontainerImage: '{{ item }}'\n"
        "commands: ['echo > x.txt']\noutputFiles: [x.txt]"
    )
    world.await_end(run)
    collect = record_run.collect

    def cancelled_meanwhile(*arguments):
        part = collect(*arguments)
        world.put("inbox", f"{run}.cancel")
        poll_runs.poll(world.app)
        return part

    if when == "while the round is collected":
        monkeypatch.setattr(record_run, "collect", cancelled_meanwhile)
        poll_runs.poll(world.app)
    else:
        poll_runs.poll(world.app)
        quota = {"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"}
        world.batch_fails(quota)
        world.deliver()
        world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert (record["state"], len(record["jobs"])) == ("KILLED", 1)
    items = record["tasks"][0]["items"]["records"]
    assert [(item["value"], item["state"]) for item in items] == [
        ("good", "SUCCESS"), ("broken", "SKIPPED"), ("fine", "SUCCESS"),
    ]  # fmt: skip
    assert list(items[2]["outputs"]["outputFiles"]) == ["x.txt"]
    assert world.names("runs") == world.names("staging") == []


@pytest.mark.parametrize("commands", ["exit 3", "cat nothing-there"])
def test_what_the_commands_do_is_never_run_again(world, commands: str) -> None:
    record = run_text(world, f"id: t\ncommands: [{commands}]", pulls_that_fail=0)
    assert (record["state"], len(record["jobs"])) == ("FAILED", 1)
