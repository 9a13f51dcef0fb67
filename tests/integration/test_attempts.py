"""Attempts on real storage and a real Batch service: what is recorded of them, also if a node is lost meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled


def test_batch_runs_a_task_once_however_often_its_commands_are_tried(world) -> None:
    run = world.accept(text="id: t\nretry: {maxAttempts: 4}\ncommands: [exit 7]")
    world.await_end(run)
    assert world.app.batch.tasks(f"{run}-1")["1"].retries == 0
    world.finish()
    (task,) = world.record(run)["tasks"]
    assert (task["state"], task["retries"], task["requeueCount"]) == ("FAILED", 3, 0)
    assert [attempt["exitCode"] for attempt in task["attempts"]] == [7, 7, 7, 7]
    times = [time for attempt in task["attempts"] for time in (attempt["started"], attempt["ended"])]
    assert times == sorted(times)
    assert not [name for name in world.names("results") if "attempts" in name], "the notes are not a log"


def test_a_task_that_runs_again_on_another_node_begins_with_the_first_attempt(world, tmp_path: Path) -> None:
    """The record tells the attempts of the node where it ended; Batch does not count nodes that were lost."""
    text = (
        f"id: t\nretry: {{maxAttempts: 3}}\noutputFiles: ['*']\ncommands:\n- echo >> {tmp_path}/begun\n"
        f"- n=$(wc -l < {tmp_path}/begun)\n- echo > made$n\n- if [ $n -eq 2 ]; then sleep 3600; fi\n- test $n -eq 4\n"
    )
    run = world.accept(text=text)
    begun = tmp_path / "begun"
    wait_for(lambda: begun.exists() and begun.read_text().count("\n") == 2)
    world.lose_node(f"{run}-1", "1")
    world.finish()
    (task,) = world.record(run)["tasks"]
    assert (task["state"], task["requeueCount"], task["retries"]) == ("SUCCESS", 0, 1)
    assert [attempt["exitCode"] for attempt in task["attempts"]] == [1, 0]
    assert list(task["outputs"]["outputFiles"]) == ["made4"]


def test_every_item_of_a_fan_out_has_attempts_of_its_own(world, tmp_path: Path) -> None:
    text = (
        f"id: t\nforeach: [1, 2, 3]\nretry: {{maxAttempts: 5}}\noutputFiles: ['*']\ncommands:\n"
        f"- echo >> {tmp_path}/$ITEM_INDEX\n- n=$(wc -l < {tmp_path}/$ITEM_INDEX)\n- echo > made$n\n"
        '- \'echo "::{\\"outputs\\": {\\"n$n\\": true}}::"\'\n- test $n -eq {{ item }}\n'
    )
    run = world.accept(text=text)
    world.finish()
    (task,) = world.record(run)["tasks"]
    assert (task["state"], task["retries"]) == ("SUCCESS", 3)
    items = task["items"]["records"]
    assert [len(item["attempts"]) for item in items] == [1, 2, 3]
    assert [list(item["outputs"]["outputFiles"]) for item in items] == [["made1"], ["made2"], ["made3"]]
    assert [item["outputs"]["vars"] for item in items] == [{"n1": True}, {"n2": True}, {"n3": True}]
