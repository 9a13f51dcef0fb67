"""Retries of runs that cannot be run again as they were, and what they say; and of runs that ended in other ways."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from shared import submit_run
from shared.errors import TryLater
from shared.storage.runs import PartStore, RunStore
from tests.integration.conftest import World
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.sampled

SECRETS = {"SECRET_TOKEN": "s3cr3t-t0ken", "SECRET_OTHER": "an0ther-0ne"}


def retried(world: World, folder: str, more: str = "") -> dict[str, Any]:
    """The record of a retry."""
    again = world.accept("again.yaml", f"retry: {folder}\n{more}")
    world.finish()
    assert world.names("inbox") == world.names("runs") == world.names("staging") == []
    return world.record(again, "again.yaml")


def ended(world: World, text: str) -> str:
    """The folder of a run that has ended."""
    run = world.accept("etl.yaml", text)
    world.finish()
    return f"etl/{run}"


def reasons(record: dict[str, Any]) -> list[tuple[str | None, str | None, str]]:
    """What a run was rejected for: file, path and message."""
    assert record["state"] == "REJECTED", record
    return [(problem["file"], problem["path"], problem["message"]) for problem in record["errors"]]


def change_record(world: World, folder: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the record of a run says."""
    name = f"{folder}/record.json"
    record = json.loads(world.text("results", name))
    change(record)
    world.remove("results", name)
    world.put("results", name, json.dumps(record))


INPUT_OF_INT = "flow: {inputs: [{id: r, type: INT, defaults: 1}], commands: [echo]}\ninputs: {r: x}\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", ("flow.yaml", None), "the manifest is empty"),
        ("\0", (None, "retry"), "manifest.yaml in"),
        ("comands: [a]", ("flow.yaml", "comands"), "unknown property"),
        (
            "inputs: [{id: r}]\ncommands: [ls]\n",
            ("flow.yaml", "inputs[0].defaults"),
            "the input 'r' has no value, as in",
        ),
        (INPUT_OF_INT, (None, "retry"), "was rejected for what it was given (inputs.r): drop a new run request"),
        ("flow: company.team/none\n", (None, "retry"), "was rejected before it had a flow: drop its manifest again"),
        ("retry: x/x-20260131t120000-0123abcd\n", (None, "retry"), "was rejected before it had a flow"),
    ],
)
def test_a_run_that_was_rejected_is_rejected_again_and_never_run_with_other_values(
    world: World, text: str, place: tuple[str | None, str | None], message: str
) -> None:
    [(*where, told)] = reasons(retried(world, ended(world, text)))
    assert (*where,) == place
    assert message in told


def _clear(record: dict[str, Any]) -> None:
    record.clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_clear, "cannot be read: it is damaged, or of a newer version of the app"),
        (lambda record: record.update(schemaVersion="2"), "cannot be read: it is damaged, or of a newer version"),
        (lambda record: record.update(runId="x-20260131t120000-0123abcd"), "is that of another run, 'x-20260131t1"),
    ],
)
def test_a_record_that_is_not_that_of_the_run_is_refused(
    world: World, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    folder = ended(world, "commands: [exit 1]")
    change_record(world, folder, change)
    [(_, path, told)] = reasons(retried(world, folder))
    assert path == "retry"
    assert message in told


def test_a_record_of_before_there_were_retries_is_enough(world: World) -> None:
    """It has none of the fields that retries brought."""
    folder = ended(world, 'id: f\ninputs: [{id: i, defaults: d}]\ncommands: ["test {{ inputs.i }} = e"]')

    def older(record: dict[str, Any]) -> None:
        for name in ("inputs", "maskedInputs", "defaultPool", "retryOf"):
            del record[name]
        del record["flow"]["source"]
        for task in record["tasks"]:
            del task["masked"], task["takenFrom"]

    change_record(world, folder, older)
    record = retried(world, folder)
    assert (record["state"], record["inputs"]) == ("FAILED", {"i": "d"})


def test_items_of_which_nobody_knows_how_they_ended_are_not_run_again_unasked(world: World) -> None:
    """101 items, so that they are in tasks.json."""
    text = "id: f\nforeach: 101\ncommands: ['test {{ item }} != 7']\n"
    folder = ended(world, text)
    assert f"{folder}/tasks.json" in world.names("results")
    world.remove("results", f"{folder}/tasks.json")
    [without] = reasons(retried(world, folder))
    world.put("results", f"{folder}/tasks.json", "{")
    [damaged] = reasons(retried(world, folder))
    assert without == damaged
    _, path, told = damaged
    assert path == "retry"
    what, _, advice = told.partition("add to the request: ")
    assert what.startswith("tasks.json, which says how items of the earlier run ended, is not there any more, or")
    record = retried(world, folder, advice.strip("`"))
    assert record["tasks"][0]["items"]["states"] == {"SUCCESS": 100, "FAILED": 1}


def test_a_file_that_has_changed_is_not_taken_over(world: World) -> None:
    """It has the same size. The advice keeps what `from` has already."""
    folder = ended(
        world,
        "tasks:\n- {id: a, commands: [echo a > a], outputFiles: [a]}\n- {id: b, dependsOn: [], commands: [ls]}\n"
        "- {id: c, commands: [exit 1]}\n",
    )
    world.remove("results", f"{folder}/outputs/a/a")
    world.put("results", f"{folder}/outputs/a/a", "b\n")
    [(_, _, told)] = reasons(retried(world, folder, "from: [b]\n"))
    assert "has changed" in told
    assert told.endswith("write in the request: `from: [b, a]`")


@pytest.fixture
def guarded(make_world: Callable[..., World]) -> World:
    """An app with secrets."""
    return make_world(**SECRETS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("inputs: {a: x s3cr3t-t0ken}", "the values of inputs of"),
        ("inputs: {a: x, p: {q: an0ther-0ne}}", "hold secrets (p.q): drop a new run request"),
        ("inputs: {a: x}\nlabels: {l: an0ther-0ne}", "hold secrets (l): give them again, in `labels` of the retry"),
    ],
)
def test_what_was_given_and_holds_a_secret_is_not_known_any_more(guarded: World, given: str, message: str) -> None:
    flow = "flow:\n  inputs: [{id: a}, {id: p.q, required: false}]\n  commands: [exit 1]\n"
    guarded.put(
        "flows", "c/e.yaml", "id: e\nnamespace: c\n" + flow.removeprefix("flow:\n").replace("\n  ", "\n").strip()
    )
    folder = ended(guarded, f"flow: c/e\n{given}")
    again = retried(guarded, folder)
    [(_, _, told)] = reasons(again)
    assert message in told
    for name in guarded.names("results"):
        assert not any(secret in guarded.text("results", name) for secret in SECRETS.values()), name
    if "labels" in message:
        assert retried(guarded, folder, "labels: {l: open}")["labels"] == {"l": "open"}


def test_a_flow_in_whose_text_a_secret_is_masked_is_not_run_again(guarded: World) -> None:
    [(_, _, told)] = reasons(retried(guarded, ended(guarded, "commands: [echo an0ther-0ne, exit 1]")))
    assert told.endswith("is not as it was run: secrets are masked in it, or it changed")


def test_what_is_masked_in_the_record_runs_again_with_all_that_depends_on_it(guarded: World) -> None:
    """Values, the name of a file, an item. The default of an input is rendered again."""
    record = retried(
        guarded,
        ended(
            guarded,
            """\
inputs: [{id: token, defaults: "{{ secret('TOKEN') }}"}]
tasks:
- {id: prints, commands: ["echo '::{\\"outputs\\":{\\"t\\":\\"s3cr3t-t0\\"}}::' | sed s/t0/t0ken/"]}
- {id: uses, commands: ["test {{ outputs.prints.vars.t }} = {{ inputs.token }}"]}
- {id: names, dependsOn: [], commands: ["echo > an0ther-''0ne.txt"], outputFiles: ["*.txt"]}
- {id: lists, dependsOn: [], foreach: ["{{ secret('OTHER') }}", x], commands: [ls]}
- {id: plain, dependsOn: [], commands: [ls]}
- {id: fails, dependsOn: [], commands: [exit 1]}
""",
        ),
    )
    taken = {task["id"]: bool(task["takenFrom"]) for task in record["tasks"]}
    assert taken == {**dict.fromkeys(("prints", "uses", "names", "lists", "fails"), False), "plain": True}
    assert {task["state"] for task in record["tasks"][:-1]} == {"SUCCESS"}


def test_values_are_what_they_were(world: World) -> None:
    """Text that is the value of JSON or YAML is not read a second time."""
    flow = (
        "flow:\n  inputs: [{id: j, type: JSON}, {id: y, type: YAML}, {id: l, type: ARRAY, itemType: JSON}]\n"
        "  commands: ['echo {{ inputs.j | toJson }} {{ inputs.y | toJson }} {{ inputs.l | toJson }}; exit 1']\n"
    )
    folder = ended(world, f"{flow}inputs: {{j: '\"[1]\"', y: \"'7'\", l: ['\"2\"', '3']}}\n")
    before = json.loads(world.text("results", f"{folder}/record.json"))["inputs"]
    assert before == {"j": "[1]", "y": "7", "l": ["2", 3]}
    assert retried(world, folder)["inputs"] == before


def test_what_was_cancelled_while_it_ran_goes_on(world: World) -> None:
    run = world.accept(
        "etl.yaml",
        "tasks:\n- {id: a, commands: [ls]}\n"
        "- {id: f, foreach: 2, namespaceFiles: {enabled: true},"
        " commands: ['test {{ item }} = 0 || test -e ok || sleep 60']}\n"
        "namespace: n\n",
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while [task.exit_code for task in world.app.batch.tasks(f"{run}-1").values()].count(0) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    world.put("inbox", f"{run}.cancel")
    world.finish()
    assert world.record(run, "etl.yaml")["state"] == "KILLED"
    world.put("namespaces", "n/ok")
    record = retried(world, f"etl/{run}")
    assert record["state"] == "SUCCESS"
    assert record["tasks"][0]["takenFrom"] == run
    assert [bool(item["takenFrom"]) for item in record["tasks"][1]["items"]["records"]] == [True, False]


@pytest.mark.parametrize(("store", "call"), [(PartStore, "keep_taken_over"), (RunStore, "save")])
def test_a_cancel_while_it_takes_over_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, store: type, call: str
) -> None:
    """The run is closed before that call: what it writes then is removed by whoever comes last."""
    folder = ended(world, "id: f\nforeach: 3\ncommands: ['test {{ item }} != 1']\n")
    again = world.drop("again.yaml", f"retry: {folder}\n")
    undisturbed = getattr(store, call)

    def cancelled_before(*arguments: object) -> object:
        monkeypatch.setattr(store, call, undisturbed)
        world.put("inbox", f"{again}.cancel")
        submit_run.receive(world.app, f"{again}.cancel")
        return undisturbed(*arguments)

    monkeypatch.setattr(store, call, cancelled_before)
    submit_run.accept(world.app, "again.yaml")
    assert world.record(again, "again.yaml")["state"] == "KILLED"
    assert world.names("runs") == world.names("inbox") == []


def test_a_cancel_after_the_taking_over_has_died_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ended(world, "id: f\nforeach: 3\ncommands: ['test {{ item }} != 1']\n")
    again = world.drop("again.yaml", f"retry: {folder}\n")

    def dies(*_: object) -> None:
        raise TryLater("This was asked for.")

    with monkeypatch.context() as patched:
        patched.setattr(RunStore, "save", dies)
        submit_run.accept(world.app, "again.yaml")
    assert any(name.startswith("parts/") for name in world.names("runs"))
    world.put("inbox", f"{again}.cancel")
    submit_run.receive(world.app, f"{again}.cancel")
    assert world.names("runs") == world.names("inbox") == []
