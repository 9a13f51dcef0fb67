"""A retry runs what did not end well in an earlier run, and takes over the rest with its files and values."""

from __future__ import annotations

from typing import Any

import pytest

from shared import submit_run
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

FLOW = """\
id: etl
namespace: company.team
inputs: [{id: rows, type: INT, defaults: 3}]
tasks:
- id: make
  commands:
  - echo data > data.csv
  - "echo '::{\\"outputs\\":{\\"n\\":{{ inputs.rows }}}}::'"
  outputFiles: [data.csv]
- id: each
  namespaceFiles: {enabled: true}
  foreach: "{{ outputs.make.vars.n }}"
  commands:
  - echo item {{ item }} > out-{{ item }}.txt
  - test {{ item }} != 1 || test -e ok
  outputFiles: ["out-*.txt"]
- id: sum
  dependsOn: [each]
  commands:
  - cat {{ outputs.each }}/*/* {{ outputs.make.outputFiles['data.csv'] }} > all.txt
  - cat {{ outputs.each[0].outputFiles['out-0.txt'] }} >> all.txt
  outputFiles: [all.txt]
"""
GONE = "is not in the results of"


def tasks_of(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tasks of a record by their ids."""
    return {task["id"]: task for task in record["tasks"]}


@pytest.fixture
def failed(world: World) -> str:
    """A run of which one item has failed, because a file of its namespace was not there yet."""
    run = world.accept("etl.yaml", FLOW)
    world.finish()
    record = world.record(run, "etl.yaml")
    assert {name: task["state"] for name, task in tasks_of(record).items()} == {
        "make": "SUCCESS",
        "each": "FAILED",
        "sum": "SKIPPED",
    }
    world.put("namespaces", "company.team/ok", "")
    return run


def retry(world: World, run: str, more: str = "") -> tuple[str, dict[str, Any]]:
    """Drop a retry; its id and record."""
    again = world.accept("again.yaml", f"retry: etl/{run}\n{more}")
    world.finish()
    return again, world.record(again, "again.yaml")


def test_only_what_failed_runs_again_and_the_results_are_complete(world: World, failed: str) -> None:
    """Files and values of what is taken over are there as if it had run, and what runs uses them."""
    world.batch_requests()
    again, record = retry(world, failed)
    tasks = tasks_of(record)
    assert record["state"] == "SUCCESS", record
    assert record["retryOf"] == {"runId": failed, "results": f"etl/{failed}"}
    assert {name: task["takenFrom"] for name, task in tasks.items()} == {"make": failed, "each": None, "sum": None}
    items = tasks["each"]["items"]["records"]
    assert [(item["value"], item["state"], item["takenFrom"]) for item in items] == [
        (0, "SUCCESS", failed),
        (1, "SUCCESS", None),
        (2, "SUCCESS", failed),
    ]
    assert tasks["make"]["outputs"]["vars"] == {"n": 3}
    folder = f"again/{again}"
    assert world.text("results", f"{folder}/outputs/sum/all.txt") == "item 0\nitem 1\nitem 2\ndata\nitem 0\n"
    assert world.text("results", f"{folder}/outputs/make/data.csv") == "data\n"
    assert world.text("results", f"{folder}/outputs/each/2/out-2.txt") == "item 2\n"
    assert f"{folder}/logs/make/stdout.txt" in world.names("results")
    assert (tasks["each"]["items"]["takenOver"], tasks["make"]["items"]) == (2, None)
    begin = record["timings"]["started"]
    assert begin == tasks["each"]["started"] == items[1]["started"], "what was taken over ran in another run"
    assert record["timings"]["ended"] == tasks["sum"]["ended"]
    assert [job["reason"] for job in record["jobs"]] == ["first", "fan-out"]
    assert world.batch_requests()["Jobs_CreateJob"] == 2
    assert world.names("staging") == []
    assert world.names("runs") == []


def test_values_by_chance_are_those_of_the_first_run_in_every_retry(world: World) -> None:
    flow = "namespace: n\nid: t\nnamespaceFiles: {enabled: true}\ncommands: ['echo {{ uuid() }}', test -e ok]"
    runs = [world.accept("etl.yaml", flow)]
    world.finish()
    for _ in range(2):
        runs.append(world.accept("etl.yaml", f"retry: etl/{runs[-1]}"))
        world.finish()
    assert [world.record(run, "etl.yaml")["seed"] for run in runs] == [runs[0]] * 3
    printed = {world.text("results", f"etl/{run}/logs/t/stdout.txt") for run in runs}
    assert len(printed) == 1
    assert printed.pop().count("-") == 4


def test_a_retry_of_a_retry_names_the_run_in_which_each_task_ran(world: World, failed: str) -> None:
    world.remove("namespaces", "company.team/ok")
    first = world.accept("etl.yaml", f"retry: etl/{failed}")
    world.finish()
    world.put("namespaces", "company.team/ok", "")
    _, record = retry(world, first)
    assert record["state"] == "SUCCESS"
    assert record["retryOf"]["runId"] == first
    assert tasks_of(record)["make"]["takenFrom"] == failed


def test_from_runs_tasks_again_with_all_that_depends_on_them(world: World, failed: str) -> None:
    again, record = retry(world, failed, "from: [make]\nlabels: {try: second}\n")
    assert record["state"] == "SUCCESS"
    assert {task["takenFrom"] for task in record["tasks"]} == {None}
    assert {item["takenFrom"] for item in tasks_of(record)["each"]["items"]["records"]} == {None}
    assert record["labels"] == {"try": "second"}
    assert record["inputs"] == {"rows": 3}
    assert world.text("results", f"again/{again}/flow.yaml") == world.text("results", f"etl/{failed}/manifest.yaml")


def test_a_retry_has_the_inputs_of_the_earlier_run(world: World) -> None:
    """Also those that were given, and those of defaults that would be others now."""
    text = (
        "id: f\nnamespace: company.team\ninputs: [{id: a, type: INT, defaults: 1},"
        ' {id: at, defaults: "{{ now() }}"}]\n'
        "tasks: [{id: t, commands: ['echo {{ inputs.a }} {{ inputs.at }}; exit 3']}]\n"
    )
    world.put("flows", "company.team/f.yaml", text)
    run = world.accept("etl.yaml", "flow: company.team/f\ninputs: {a: 5}\n")
    world.finish()
    before = world.record(run, "etl.yaml")
    world.remove("flows", "company.team/f.yaml")
    again, record = retry(world, run)
    assert record["inputs"] == before["inputs"]
    assert record["inputs"]["a"] == 5
    log = "logs/t/stdout.txt"
    assert world.text("results", f"again/{again}/{log}") == world.text("results", f"etl/{run}/{log}")


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        (
            "retry: etl/etl-20260131t120000-0123abcd\n",
            "there is no record of a run in 'etl/etl-20260131t120000-0123abcd'",
        ),
        ("retry: etl\n", "expected the folder of a run in the results, which ends in its id"),
        ("retry: etl/RUN\nfrom: [mak]\n", "the flow has no task 'mak'; did you mean \"make\"?"),
        ("retry: etl/RUN\ninputs: {rows: 4}\n", "a retry has the inputs of the earlier run"),
        ("flow: a/b\nfrom: [make]\n", "`from` says where a `retry` begins"),
    ],
)
def test_a_wrong_retry_is_rejected_with_the_reason(world: World, failed: str, request_text: str, message: str) -> None:
    again = world.accept("again.yaml", request_text.replace("RUN", failed))
    record = world.record(again, "again.yaml")
    assert record["state"] == "REJECTED"
    [problem] = record["errors"]
    assert problem["message"].startswith(message)
    assert problem["line"]


def test_a_run_that_is_open_is_not_retried(world: World) -> None:
    run = world.accept("etl.yaml", "commands: [sleep 60]")
    again = world.accept("again.yaml", f"retry: etl/{run}")
    [problem] = world.record(again, "again.yaml")["errors"]
    assert problem["message"].endswith("it is open still: wait until it has ended")
    world.put("inbox", f"{run}.cancel")
    world.finish()


def test_files_that_are_gone_are_named_with_what_to_do(world: World, failed: str) -> None:
    """Nothing has run then; with that advice it does."""
    world.remove("results", f"etl/{failed}/outputs/make/data.csv")
    again = world.accept("again.yaml", f"retry: etl/{failed}")
    [problem] = world.record(again, "again.yaml")["errors"]
    assert problem["message"].startswith(f"'outputs/make/data.csv' {GONE} {failed!r} any more")
    _, _, advice = problem["message"].partition("add to the request: ")
    assert advice == "`from: [make]`"
    _, record = retry(world, failed, advice.strip("`"))
    assert record["state"] == "SUCCESS"


def test_a_run_in_which_all_ended_well_is_not_run_again(world: World) -> None:
    run = world.accept("etl.yaml", "commands: [echo]")
    world.finish()
    _, record = retry(world, run)
    assert record["state"] == "REJECTED"
    assert record["errors"][0]["message"].startswith("every task of the earlier run has ended well")
    _, record = retry(world, run, "from: [task]")
    assert record["state"] == "SUCCESS"


def test_a_retry_that_is_cancelled_while_it_takes_over_leaves_nothing_behind(
    world: World, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies after the items are stored, and before its document says so."""
    again = world.drop("again.yaml", f"retry: etl/{failed}")
    with monkeypatch.context() as broken:
        broken.setattr(type(world.app.runs), "save", lambda *_: pytest.fail("the process dies here"))
        with pytest.raises(pytest.fail.Exception):
            submit_run.accept(world.app, "again.yaml")
    assert any(name.startswith(f"parts/{again}/") for name in world.names("runs"))
    world.put("inbox", f"{again}.cancel")
    world.finish()
    assert world.record(again, "again.yaml")["state"] == "KILLED"
    assert world.names("runs") == []
