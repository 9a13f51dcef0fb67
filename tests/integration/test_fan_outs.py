"""Fan-outs: one task for each item, and what a later task gets of all of them."""

from __future__ import annotations

import contextlib
import json

import pytest

from shared import poll_runs

pytestmark = pytest.mark.sampled

RESULTS_FOLDER = "m"


def text_of(world, run: str, name: str) -> str:
    results = world._storage.get_container_client(world.settings.containers.results)
    return results.download_blob(f"{RESULTS_FOLDER}/{run}/{name}").readall().decode()


def items_of(record: dict, task: int = 0) -> list[dict]:
    return record["tasks"][task]["items"]["records"]


def run_text(world, text: str) -> tuple[str, dict]:
    run = world.accept(text=text)
    world.finish()
    return run, world.record(run)


MERGE = """
tasks:
- id: square
  foreach: [2, 3, 4]
  commands:
  - mkdir -p parts
  - echo $(( {{ item }} * {{ item }} )) > parts/square.txt
  - 'echo "::{\\"outputs\\": {\\"square\\": $(cat parts/square.txt)}}::"'
  outputFiles: ["parts/*.txt"]
- id: sum
  commands:
  - cat {{ outputs.square }}/*/parts/square.txt > all.txt
  - echo {{ outputs.square[1].vars.square }} {{ outputs.square[2].exitCode }} >> all.txt
  - cat {{ outputs.square[0].outputFiles['parts/square.txt'] }} >> all.txt
  outputFiles: [all.txt]
"""


def test_the_task_after_a_fan_out_finds_the_files_and_values_of_all_items(world) -> None:
    run, record = run_text(world, MERGE)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert [(job["id"], job["reason"]) for job in record["jobs"]] == [(f"{run}-1", "first"), (f"{run}-2", "fan-out")]
    assert text_of(world, run, "outputs/sum/all.txt").split() == ["4", "9", "16", "9", "0", "4"]
    square = record["tasks"][0]
    assert (square["state"], square["items"]["count"], square["items"]["states"]) == ("SUCCESS", 3, {"SUCCESS": 3})
    second = items_of(record)[1]
    assert (second["index"], second["value"], second["outputs"]["vars"]) == (1, 3, {"square": 9})
    assert second["outputs"]["outputFiles"]["parts/square.txt"]["blob"] == "outputs/square/1/parts/square.txt"
    assert second["logs"]["stdout"] == "logs/square/1/stdout.txt"
    assert world.names("runs") == world.names("staging") == []


def test_items_may_be_counted_and_know_their_index(world) -> None:
    """The scripts of all items are the same, so that one is staged."""
    run = world.accept(text="id: t\nforeach: 12\ncommands: ['echo $ITEM_INDEX > i.txt']\noutputFiles: [i.txt]")
    assert [name for name in world.names("staging") if "/sys/" in name] == [f"{run}/sys/t/run.sh"]
    world.finish()
    record = world.record(run)
    assert [text_of(world, run, f"outputs/t/{index}/i.txt") for index in range(12)] == [f"{i}\n" for i in range(12)]
    assert record["tasks"][0]["items"]["states"] == {"SUCCESS": 12}


def test_files_and_commands_that_differ_by_item_are_packed(world) -> None:
    text = (
        "id: t\nforeach: [a, 'b c', \"d'e\"]\n"
        "inputFiles: {same.txt: x, 'in/{{ taskrun.iteration }}.txt': '{{ item }}'}\n"
        "env: {V: '{{ item }}'}\ncommands: ['cat same.txt in/{{ taskrun.iteration }}.txt', 'echo :$V']"
    )
    run = world.accept(text=text)
    staged = [name for name in world.names("staging") if name.split("/")[1] in ("in", "sys")]
    assert sorted(staged) == [f"{run}/in/t/same.txt", f"{run}/sys/t/0/run.sh"]
    world.finish()
    assert [text_of(world, run, f"logs/t/{index}/stdout.txt") for index in range(3)] == [
        "xa:a\n",
        "xb c:b c\n",
        "xd'e:d'e\n",
    ]


def test_a_failed_item_fails_the_fan_out_and_the_others_go_on(world) -> None:
    text = "tasks:\n- {id: t, foreach: [0, 3, 0], commands: ['exit {{ item }}']}\n- {id: after, commands: [echo]}"
    _, record = run_text(world, text)
    assert record["state"] == "FAILED"
    fan_out, after = record["tasks"]
    assert (fan_out["state"], fan_out["items"]["states"]) == ("FAILED", {"FAILED": 1, "SUCCESS": 2})
    assert fan_out["failure"]["message"] == ("1 of 3 items failed; the first, [1]: the commands ended with exit code 3")
    assert after["state"] == "SKIPPED"


def test_a_failed_item_that_is_allowed_is_a_warning(world) -> None:
    text = (
        "tasks:\n- {id: t, allowFailure: true, foreach: [0, 3], commands: ['exit {{ item }}']}\n"
        "- {id: after, commands: [echo]}"
    )
    _, record = run_text(world, text)
    assert (record["state"], [task["state"] for task in record["tasks"]]) == ("WARNING", ["WARNING", "SUCCESS"])


def test_printed_values_are_the_items_of_the_next_fan_out(world) -> None:
    text = (
        'tasks:\n- {id: list, commands: [\'echo "::{\\"outputs\\": {\\"names\\": [\\"x\\", \\"y\\"]}}::"\']}\n'
        "- {id: each, foreach: '{{ outputs.list.vars.names }}', commands: ['echo {{ item }}']}"
    )
    run, record = run_text(world, text)
    assert [item["value"] for item in items_of(record, 1)] == ["x", "y"]
    assert text_of(world, run, "logs/each/1/stdout.txt") == "y\n"
    assert [job["reason"] for job in record["jobs"]] == ["first", "values"]


def test_the_files_of_a_task_are_the_items_of_the_next_fan_out(world) -> None:
    text = (
        "tasks:\n- {id: split, commands: ['echo 1 > a.csv; echo 2 > b.csv; echo 3 > c.txt'], outputFiles: ['*']}\n"
        "- id: each\n  foreach: {files: {task: split, glob: '*.csv'}}\n"
        "  commands: ['cat {{ outputs.split.outputFiles[item] }}']"
    )
    run, record = run_text(world, text)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert [item["value"] for item in items_of(record, 1)] == ["a.csv", "b.csv"]
    assert text_of(world, run, "logs/each/1/stdout.txt") == "2\n"


def test_the_files_of_a_fan_out_are_the_items_of_the_next_one(world) -> None:
    text = (
        "tasks:\n- {id: a, foreach: 2, commands: ['echo {{ item }} > f.txt'], outputFiles: [f.txt]}\n"
        "- {id: b, foreach: {files: {task: a, glob: '**/*.txt'}}, commands: ['cat {{ outputs.a }}/{{ item }}']}"
    )
    run, record = run_text(world, text)
    assert [item["value"] for item in items_of(record, 1)] == ["0/f.txt", "1/f.txt"]
    assert text_of(world, run, "logs/b/1/stdout.txt") == "1\n"


def test_namespace_files_are_items_and_each_item_gets_its_own(world) -> None:
    for name in ("a", "b"):
        world.put("namespaces", f"n.s/data/{name}.csv", name)
    text = (
        "id: t\nnamespace: n.s\nforeach: {namespaceFiles: 'data/*.csv'}\n"
        "inputFiles: {mine.csv: 'nsfile:///{{ item }}'}\ncommands: [cat mine.csv]"
    )
    run, record = run_text(world, text)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert [item["value"] for item in items_of(record)] == ["data/a.csv", "data/b.csv"]
    assert [text_of(world, run, f"logs/t/{index}/stdout.txt") for index in (0, 1)] == ["a", "b"]


def test_items_and_files_of_a_task_may_be_of_different_namespaces(world) -> None:
    world.put("namespaces", "n.s/data/a.csv", "a")
    world.put("namespaces", "n.other/more.txt", "more")
    text = (
        "id: t\nnamespace: n.s\nforeach: {namespaceFiles: 'data/*.csv'}\n"
        "namespaceFiles: {namespaces: [n.other]}\ncommands: ['cat more.txt; echo {{ item }}']"
    )
    run, record = run_text(world, text)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert text_of(world, run, "logs/t/0/stdout.txt") == "moredata/a.csv\n"


def test_nothing_runs_for_a_fan_out_without_items_and_what_follows_does(world) -> None:
    text = "tasks:\n- {id: t, foreach: [], commands: [echo]}\n- {id: after, commands: ['ls {{ outputs.t }}']}"
    _, record = run_text(world, text)
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 1)
    assert record["tasks"][0]["items"] == {
        "count": 0, "states": {}, "takenOver": 0, "usage": None, "records": [], "blob": None,
    }  # fmt: skip


def test_an_item_of_a_fan_out_without_items_does_not_exist(world) -> None:
    text = (
        "tasks:\n- {id: t, foreach: [], commands: [x]}\n"
        "- {id: after, commands: [\"echo {{ outputs.t[0] ?? 'none' }}\"]}"
    )
    run, record = run_text(world, text)
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 1)
    assert text_of(world, run, "logs/after/stdout.txt") == "none\n"


def test_a_run_of_nothing_but_an_empty_fan_out_succeeds_without_a_job(world) -> None:
    run, record = run_text(world, "id: t\nforeach: 0\ncommands: [echo]")
    assert (record["state"], record["jobs"], record["tasks"][0]["state"]) == ("SUCCESS", [], "SUCCESS")
    assert world.names("runs") == []
    assert f"{run}-1" not in world.app.batch.live_jobs().ids


def test_more_than_a_hundred_items_stand_in_a_document_of_their_own(world) -> None:
    run, record = run_text(world, "id: t\nforeach: 103\ncommands: ['true']")
    summary = record["tasks"][0]["items"]
    assert (summary["count"], summary["states"]) == (103, {"SUCCESS": 103})
    assert (summary["records"], summary["blob"]) == (None, "tasks.json")
    assert (summary["usage"]["count"], summary["usage"]["reported"]) == (103, 103)
    items = json.loads(text_of(world, run, "tasks.json"))
    assert (items["runId"], [task["id"] for task in items["tasks"]]) == (run, ["t"])
    assert [item["index"] for item in items["tasks"][0]["items"]] == list(range(103))


@pytest.mark.parametrize(
    ("foreach", "message"),
    [
        ("'{{ vars.x }}'", "foreach: expected a JSON list or a whole number, this is 'nonsense'"),
        ("'{{ vars.many }}'", "foreach: a fan-out has 0 to 10000 items, this one would have 10001"),
        ("'{{ vars.y }}'", "foreach: 'y' does not exist"),
        ("{namespaceFiles: '*'}", "foreach: the flow has no `namespace` to take files from"),
    ],
)
def test_items_that_cannot_be_are_rejected_with_their_place(world, foreach: str, message: str) -> None:
    text = f"id: t\nvariables: {{x: nonsense, many: 10001}}\nforeach: {foreach}\ncommands: [x]"
    _, record = run_text(world, text)
    assert record["state"] == "REJECTED"
    (error,) = record["errors"]
    assert message in f"{error['path']}: {error['message']}"
    assert error["line"] == 3


def test_a_cancelled_fan_out_of_a_submitter_that_died_leaves_nothing_behind(world, monkeypatch) -> None:
    """It died before the document could say that the run has parts."""
    batch = world.app.batch
    monkeypatch.setattr(batch, "end_when_tasks_end", lambda _: 1 / 0)
    with contextlib.suppress(ZeroDivisionError):
        world.accept(text="id: t\nforeach: 2\ncommands: ['sleep 60']")
    monkeypatch.undo()
    (run,) = world.app.runs.list()
    world.put("inbox", f"{run.id}.cancel")
    poll_runs.poll(world.app)
    world.await_end(run.id)
    poll_runs.poll(world.app)
    world.deliver()
    assert world.record(run.id)["state"] == "KILLED"
    assert world.names("runs") == world.names("staging") == world.names("inbox") == []


def test_cancelling_a_fan_out_keeps_what_has_ended(world) -> None:
    run = world.accept(text="id: t\nforeach: [0, 60]\ncommands: ['sleep {{ item }}; echo done {{ item }}']")
    batch = world.app.batch
    while batch.tasks(f"{run}-1")["1"].state != "completed":
        pass
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert record["tasks"][0]["items"]["states"] == {"KILLED": 1, "SUCCESS": 1}
    assert text_of(world, run, "logs/t/0/stdout.txt") == "done 0\n"
