"""`show`: one run, while it is open and once it is complete; on a stack that is up."""

from __future__ import annotations

import json

import httpx
import pytest

from batchrun.client.apps import App
from batchrun.client.runs import Runs
from local.__main__ import main
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled


@pytest.fixture
def show(stack, capsys):
    """Run `show`; returns its exit code and what it wrote on stdout and stderr."""

    def show(*arguments: str) -> tuple[int, str, str]:
        code = main(["show", *arguments, "--data-dir", str(stack.data_dir.path)])
        return code, *capsys.readouterr()

    return show


@pytest.fixture
def drop(stack, tmp_path):
    """Drop a manifest; with `complete`, wait until nothing is left of the run but its results."""

    def drop(name: str, text: str, *, complete: bool = False):
        (tmp_path / f"{name}.yaml").write_text(text)
        with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
            ref = runs.inbox.drop(tmp_path / f"{name}.yaml").ref
            if complete:
                wait_for(lambda: runs.results.record(ref) and not runs.open_run(ref.id))
        return ref

    return drop


def test_a_complete_run_says_how_each_task_ended_and_what_failed_first(show, drop) -> None:
    """With the end of its log, and the commands that show more; tasks of all rounds."""
    retried = (
        "{id: flaky, commands: ['echo again >&2', exit 4], retry: {type: constant, interval: PT1S, maxAttempts: 2}}"
    )
    first = "{id: first, commands: ['echo ''::{\"outputs\":{\"n\":[1,2]}}::''']}"
    each = "{id: each, foreach: '{{ outputs.first.vars.n }}', commands: ['echo {{ item }}']}"
    ref = drop("show-flow", f"id: shown\nnamespace: acme.show\ntasks: [{first}, {each}, {retried}]", complete=True)

    code, printed, errors = show(ref.id)
    lines = printed.splitlines()

    assert (code, errors) == (0, "")
    assert lines[0] == f"FAILED  {ref.id}"
    assert lines[1] == "  flow acme.show.shown, manifest show-flow.yaml"
    assert "  rounds" in lines
    assert any(line.split()[:2] == [f"{ref.id}-2", "pool"] for line in lines)
    rows = {line.split()[1]: line for line in lines if line.startswith(("  SUCCESS", "  FAILED"))}
    assert "2 SUCCESS" in rows["each"]
    assert "exit code 4, 2 attempts" in rows["flaky"]
    assert "  flaky: the commands ended with exit code 4 in the last of 2 attempts (user: CommandsFailed)" in lines, (
        lines
    )
    assert "    | again" in lines
    assert lines[-1].endswith(f"{ref.id}")


def test_for_programs_a_complete_run_is_its_record(show, drop) -> None:
    ref = drop("show-json", "commands: [exit 3]", complete=True)

    found = json.loads(show(ref.id, "--json")[1])

    assert (found["runId"], found["state"], found["results"]) == (ref.id, "FAILED", ref.folder)
    assert found["record"]["tasks"][0]["exitCode"] == 3
    assert (found["status"], found["tasks"]) == (None, None)


def test_an_open_run_says_what_runs_and_what_is_to_come(show, drop, tmp_path) -> None:
    """Tasks of later rounds are known by their names."""
    gate = f"until [ -e {tmp_path}/gate ]; do sleep 0.05; done"
    first = f"{{id: first, commands: ['{gate}']}}"
    each = "{id: each, foreach: '{{ outputs.first.vars.n }}', commands: [echo]}"
    ref = drop("show-open", f"tasks: [{first}, {each}]")
    try:
        printed = wait_for(lambda: next((text for text in [show(ref.id)[1]] if "first  runs" in text), None))
        found = json.loads(show(ref.id, "--json")[1])
    finally:
        (tmp_path / "gate").touch()

    assert printed.startswith(f"RUNNING  {ref.id}\n")
    assert "  0 of 2 tasks have ended\n  first  runs\n  each   waits\n" in printed
    assert (found["state"], found["record"], found["status"]["state"]) == ("RUNNING", None, "RUNNING")
    assert [(task["id"], task["total"]) for task in found["tasks"]] == [("first", 1), ("each", 0)]


def test_what_needed_no_node_has_ended_while_the_run_is_open(show, drop, tmp_path) -> None:
    """Batch knows nothing of it; the document of the run does."""
    gate = f"until [ -e {tmp_path}/gate ]; do sleep 0.05; done"
    said = "{id: said, type: io.kestra.plugin.core.debug.Return, format: x}"
    ref = drop("show-said", f"tasks: [{said}, {{id: last, commands: ['{gate}']}}]")
    try:
        printed = wait_for(lambda: next((text for text in [show(ref.id)[1]] if "last  runs" in text), None))
    finally:
        (tmp_path / "gate").touch()
    assert "1 of 2 tasks have ended" in printed
    assert "said  has ended" in printed


def test_a_retry_says_what_it_takes_over_while_it_is_open_and_once_it_is_complete(show, drop, tmp_path) -> None:
    """What is taken over does not wait for anything."""
    fails_once = f"[ {{{{ item }}}} != 1 ] || ! mkdir {tmp_path}/failed || exit 3"
    waits = f"[ {{{{ item }}}} != 1 ] || until [ -e {tmp_path}/gate ]; do sleep 0.05; done"
    each = f"{{id: each, foreach: 3, commands: ['{fails_once}', '{waits}']}}"
    flow = f"id: retried\ntasks: [{{id: make, commands: [echo]}}, {each}]\n"
    first = drop("show-first", flow, complete=True)
    again = drop("show-again", f"retry: {first.folder}")
    try:
        printed = wait_for(lambda: next((text for text in [show(again.id)[1]] if "2 more taken over" in text), None))
        found = json.loads(show(again.id, "--json")[1])
    finally:
        (tmp_path / "gate").touch()

    assert f"  retry of {first.folder}\n" in printed
    assert "  make  taken over\n  each  0 of 1 have ended, 2 more taken over\n" in printed
    assert "  0 of 1 tasks have ended" in printed
    assert found["retryOf"] == {"runId": first.id, "results": first.folder}
    assert [(task["id"], task["isTakenOver"], task["takenOverItems"]) for task in found["tasks"]] == [
        ("make", True, 0),
        ("each", False, 2),
    ]

    wait_for(lambda: show(again.id)[1].startswith("SUCCESS"))
    lines = show(again.id)[1].splitlines()
    assert f"  retry of {first.folder}: 1 task and 2 items taken over" in lines
    assert f"  SUCCESS  make  taken over from {first.id}" in lines
    assert any(line.startswith("  SUCCESS  each  3 SUCCESS, 2 taken over") for line in lines)
    assert json.loads(show(again.id, "--json")[1])["retryOf"]["runId"] == first.id


def test_a_run_that_waits_says_why(show, drop, stack) -> None:
    settings = f"{stack.settings['BATCH_ACCOUNT_ENDPOINT']}/_local/settings"
    before = httpx.get(settings).json()["activeJobQuota"]
    httpx.patch(settings, json={"activeJobQuota": 0}).raise_for_status()
    try:
        ref = drop("show-waits", "commands: [echo]")
        wait_for(lambda: "  it waits for the account's quota of active jobs" in show(ref.id)[1])
    finally:
        httpx.patch(settings, json={"activeJobQuota": before}).raise_for_status()
