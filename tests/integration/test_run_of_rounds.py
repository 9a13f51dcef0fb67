"""Runs of several rounds: one Batch job after another."""

from __future__ import annotations

import pytest

from shared import record_run

pytestmark = pytest.mark.sampled

CHAIN = """
tasks:
- id: make
  commands:
  - echo 1 > one.txt
  - 'echo "::{\\"outputs\\": {\\"n\\": 41}}::"'
  outputFiles: [one.txt]
- id: use
  commands: ["echo {{ outputs.make.vars.n + 1 }} > two.txt", "cat {{ outputs.make.outputFiles['one.txt'] }} >> two.txt"]
  outputFiles: [two.txt]
- id: read
  inputFiles: {given.txt: "{{ outputs.use.outputFiles['two.txt'] }}"}
  commands: [cat given.txt]
"""


def text_of(world, run: str, name: str) -> str:
    results = world._storage.get_container_client(world.settings.containers.results)
    return results.download_blob(f"m/{run}/{name}").readall().decode()


def test_printed_values_decide_the_next_round_and_files_are_passed_on(world) -> None:
    run = world.accept(text=CHAIN)
    world.finish()
    record = world.record(run)
    assert record["state"] == "SUCCESS"
    assert [(job["id"], job["reason"]) for job in record["jobs"]] == [(f"{run}-1", "first"), (f"{run}-2", "values")]
    assert [task["id"] for task in record["tasks"]] == ["make", "use", "read"]
    assert text_of(world, run, "logs/read/stdout.txt") == "42\n1\n"
    assert world.names("runs") == world.names("staging") == []
    for number in (1, 2):
        world.await_end(run, number)


def test_after_a_failure_there_is_no_next_round(world) -> None:
    run = world.accept(text=CHAIN.replace("echo 1 > one.txt", "exit 5"))
    world.finish()
    record = world.record(run)
    assert [task["state"] for task in record["tasks"]] == ["FAILED", "SKIPPED", "SKIPPED"]
    assert (record["state"], len(record["jobs"])) == ("FAILED", 1)


def test_a_value_that_was_not_printed_is_the_failure_of_the_task_with_the_place_in_the_manifest(world) -> None:
    run = world.accept(text=CHAIN.replace('{\\"n', '{\\"m'))
    world.finish()
    record = world.record(run)
    assert (record["state"], [task["state"] for task in record["tasks"]]) == (
        "FAILED",
        ["SUCCESS", "FAILED", "SKIPPED"],
    )
    message = "tasks[1].commands[0]: 'n' does not exist; there is m at line 9, column 14"
    assert record["tasks"][1]["failure"]["message"] == message


LOOPS = """
tasks:
- {id: make, commands: ["true"]}
- id: outer
  type: io.kestra.plugin.core.flow.ForEach
  concurrencyLimit: 0
  values: [a, b]
  tasks:
  - {id: first, commands: ["true"]}
  - id: inner
    type: io.kestra.plugin.core.flow.ForEach
    values: "VALUES"
    tasks: [{id: each, commands: ["true"]}, {id: next, commands: ["true"]}]
- {id: after, commands: ["true"]}
finally: [{id: tidy, commands: ["true"]}]
"""


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ("{{ outputs.make.vars.n }}", ["SUCCESS", "SUCCESS", "FAILED", "FAILED", "SKIPPED", "SUCCESS"]),
        ("{{ outputs.first[taskrun.value].vars.n }}", ["SUCCESS", "SUCCESS", "FAILED", "FAILED", "SKIPPED", "SUCCESS"]),
    ],
)
def test_values_of_a_loop_that_turn_out_wrong_are_the_failure_of_its_tasks(world, values: str, states: list) -> None:
    run = world.accept(text=LOOPS.replace("VALUES", values))
    world.finish()
    record = world.record(run)
    assert (record["state"], [task["state"] for task in record["tasks"]]) == ("FAILED", states)
    [each] = [task for task in record["tasks"] if task["id"] == "each"]
    assert each["failure"]["code"] == "InvalidExpression"
    assert "tasks[1].tasks[1].values: 'n' does not exist" in each["failure"]["message"]


@pytest.mark.parametrize("kind", ["ForEach", "Loop"])
def test_the_values_of_a_loop_may_be_the_lines_of_a_file(world, kind: str) -> None:
    flow = """
tasks:
- {id: make, commands: ["echo a > f.txt", "echo b >> f.txt"], outputFiles: [f.txt]}
- id: loop
  type: io.kestra.plugin.core.flow.KIND
  values: "{{ read(outputs.make.outputFiles['f.txt']) | trim | split('\\n') }}"
  tasks: [{id: each, commands: ["echo {{ item.value ?? item }}"]}]
"""
    run = world.accept(text=flow.replace("KIND", kind))
    world.finish()
    record = world.record(run)
    assert [(task["state"], (task["items"] or {}).get("count")) for task in record["tasks"]] == [
        ("SUCCESS", None),
        ("SUCCESS", 2),
    ]


def test_a_loop_without_its_values_after_a_failure_is_skipped(world) -> None:
    flow = """
tasks:
- {id: make, commands: ["true"]}
- {id: fails, commands: [exit 3]}
- id: loop
  type: io.kestra.plugin.core.flow.Loop
  values: "{{ outputs.make.vars.n }}"
  tasks: [{id: each, commands: ["true"]}]
"""
    run = world.accept(text=flow)
    world.finish()
    record = world.record(run)
    assert [task["state"] for task in record["tasks"]] == ["SUCCESS", "FAILED", "SKIPPED"]
    assert record["errors"] == []


def test_a_file_that_the_earlier_task_did_not_make_is_named(world) -> None:
    text = (
        "tasks:\n- {id: a, commands: [echo hi], outputFiles: ['*.txt']}\n"
        "- {id: b, commands: [\"cat {{ outputs.a.outputFiles['x.txt'] }}\"]}\n"
    )
    run = world.accept(text=text)
    world.finish()
    failure = world.record(run)["tasks"][1]["failure"]
    assert (failure["category"], failure["code"]) == ("user", "InputFileMissing")
    assert "x.txt" in failure["message"]


def test_a_repeated_event_of_an_earlier_round_does_nothing(world) -> None:
    run = world.accept(text=CHAIN.replace("echo {{ outputs.make", "sleep 30; echo {{ outputs.make"))
    world.await_end(run)
    (event,) = [record_run.JobEnded(run, 1)]
    record_run.record(world.app, event)
    assert world.app.runs.load(run).progress.round == 2
    record_run.record(world.app, event)
    assert world.app.runs.load(run).progress.round == 2
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert record["state"] == "KILLED"
    assert [task["state"] for task in record["tasks"]] == ["SUCCESS", "KILLED", "SKIPPED"]


def test_a_run_of_which_conditions_leave_everything_out_has_no_job(world) -> None:
    run = world.accept(text="tasks: [{id: a, runIf: false, commands: [x]}, {id: b, when: '0', commands: [x]}]")
    record = world.record(run)
    assert record["state"] == "SUCCESS"
    assert record["jobs"] == []
    assert [(task["state"], task["skipped"]) for task in record["tasks"]] == [("SKIPPED", "condition")] * 2


def test_why_a_task_did_not_run_is_recorded(world) -> None:
    """After a failure a condition is not asked; a retry asks again, and takes over what was left out."""
    text = "tasks: [{id: out, runIf: false, commands: [x]}, {id: bad, commands: [exit 3]}, {id: c, runIf: false, %s}]"
    run = world.accept(text=text % "commands: [x]")
    world.finish()
    record = world.record(run)
    assert record["state"] == "FAILED"
    assert [(task["state"], task["skipped"]) for task in record["tasks"]] == [
        ("SKIPPED", "condition"),
        ("FAILED", None),
        ("SKIPPED", "failure"),
    ]
    again = world.accept("again.yaml", f"retry: m/{run}")
    world.finish()
    tasks = world.record(again, "again.yaml")["tasks"]
    assert [(task["skipped"], task["takenFrom"]) for task in tasks] == [
        ("condition", run),
        (None, None),
        ("failure", None),
    ]


def test_what_did_not_run_because_of_a_cancel_says_so(world) -> None:
    run = world.accept(text="tasks: [{id: a, commands: [sleep 60]}, {id: b, commands: [x]}]")
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert (record["state"], record["tasks"][1]["skipped"]) == ("KILLED", "cancelled")
