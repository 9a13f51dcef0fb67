"""What fails before the commands began, for a reason that may pass, is run again as a next round; nothing else is."""

from __future__ import annotations

import pytest

from shared.repeat import MAX_REPEATED_ROUNDS

IMAGE_PROBLEM = "run again, because it failed before its commands began: ContainerInvalidImage"


def run_text(world, text: str, *, pulls_that_fail: int, image: str = "*") -> dict:
    world.nodes_fail(imagePulls=[{"image": image, "next": pulls_that_fail}])
    run = world.take(text=text)
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


@pytest.mark.parametrize("commands", ["exit 3", "cat nothing-there"])
def test_what_the_commands_do_is_never_run_again(world, commands: str) -> None:
    record = run_text(world, f"id: t\ncommands: [{commands}]", pulls_that_fail=0)
    assert (record["state"], len(record["jobs"])) == ("FAILED", 1)
