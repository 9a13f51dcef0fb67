"""`python -m local check`: what the app would say of a manifest and send to Batch, with nothing contacted."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from local.__main__ import main

CHANGED = 1_800_000_000


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Check manifests by their texts; returns the exit code, the JSON of each, and the lines on stderr."""

    def contacted(*_: object) -> None:
        pytest.fail("something was contacted")

    def check(*texts: str, name: str = "m{}.yaml") -> tuple[int, list[dict], list[str]]:
        files = [tmp_path / name.format(number) for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            os.utime(file, (CHANGED, CHANGED))  # the id of a run depends on when its manifest was changed
        code = main(["check", *map(str, files)])
        printed = capsys.readouterr()
        return code, json.loads(printed.out), printed.err.replace(f"{tmp_path}/", "").splitlines()

    monkeypatch.chdir(tmp_path)  # far from a stack that is up
    monkeypatch.setattr(socket.socket, "connect", contacted)
    monkeypatch.setenv("SECRET_TOKEN", "s3cr3t-t0ken")
    monkeypatch.setenv("SECRET_SHORT", "abc")
    return check


def test_a_manifest_that_is_fine_ends_with_0_and_shows_the_job_and_its_tasks_as_they_go_to_batch(check) -> None:
    text = "tasks: [{id: a, commands: [x], retry: {maxAttempts: 3}}, {id: b, commands: [y]}]"
    code, [found], lines = check(text)

    assert (code, found["errors"], lines[-1]) == (0, [], "m0.yaml: no errors found")
    assert found["job"]["poolInfo"] == {"poolId": "local"}
    assert found["job"]["id"].startswith("m0-")
    assert [(task["id"], task["displayName"], task.get("dependsOn")) for task in found["tasks"]] == [
        ("1", "a", None),
        ("2", "b", {"taskIds": ["1"]}),
    ]
    assert found["tasks"][0]["constraints"]["maxTaskRetryCount"] == 0  # the script makes the attempts


def test_the_same_file_makes_the_same_job(check) -> None:
    assert check("commands: [x]")[1][0]["tasks"] == check("commands: [x]")[1][0]["tasks"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("comands: [x]", "m0.yaml:1:1: error: comands: unknown property"),
        ("commands: [x]\ntimout: PT1M", 'm0.yaml:2:1: error: timout: unknown property; did you mean "timeout"?'),
        ("commands: [x]\nenv: {A: '{{ vars.a }}'}", "m0.yaml:2:10: error: env.A: 'a' does not exist"),
        ("commands: [x]\ntaskRunner: {account: other}", "m0.yaml:2:23: error: taskRunner.account: runs use the app's"),
        (b"\xff", "m0.yaml: error: the manifest is not text in UTF-8"),
        (b"#" * (1024 * 1024 + 1), "m0.yaml: error: the manifest is larger than 1 MiB"),
    ],
)  # fmt: skip
def test_what_would_be_refused_ends_with_1_and_is_located(check, text, line) -> None:
    code, [found], lines = check(text)

    assert code == 1
    assert (found["job"], found["tasks"]) == (None, [])
    assert lines[0].startswith(line)
    assert found["errors"][0]["message"] in lines[0]


def test_of_several_manifests_each_is_told_and_one_that_is_refused_decides(check) -> None:
    code, found, lines = check("commands: [x]", "commands: 3")

    assert code == 1
    assert [bool(each["errors"]) for each in found] == [False, True]
    assert lines[-1].startswith("m1.yaml:1:11: error: commands: expected a list")


def test_json_is_read_as_json(check) -> None:
    assert check('{"commands": ["x"]}', name="m{}.json")[0] == 0
    assert "this is not valid JSON" in check("commands: [x]", name="m{}.json")[2][0]


def test_warnings_are_told_and_refuse_nothing(check) -> None:
    code, [found], lines = check("commands: [x]\nlogLevel: DEBUG")

    assert code == 0
    assert lines[0] == "m0.yaml:2:1: warning: logLevel: without effect: everything that a task prints is kept"
    assert [warning["path"] for warning in found["warnings"]] == ["logLevel"]


def test_secrets_and_the_keys_of_storage_are_masked_however_short(check) -> None:
    """In the job as in messages."""
    runner = "taskRunner: {registry: {registryServer: r, userName: u, password: \"{{ secret('SHORT') }}\"}}"
    _, [found], lines = check(f"commands: [x]\ncontainerImage: \"i/{{{{ secret('TOKEN') }}}}\"\n{runner}")
    settings = found["tasks"][0]["containerSettings"]

    assert (settings["imageName"], settings["registry"]["password"]) == ("i/******", "******")
    assert found["tasks"][0]["resourceFiles"][0]["storageContainerUrl"].endswith("/staging?******")
    assert "s3cr3t" not in json.dumps(found) + "".join(lines)
    lines = check("commands: [x]\nrequiredSlots: 1\noutputFiles: [\"/{{ secret('TOKEN') }}\"]")[2]
    assert "'/******' is not a relative path" in lines[0]


def test_tasks_of_later_jobs_are_listed_with_the_reason(check) -> None:
    text = (
        "tasks:\n- {id: a, commands: [x]}\n- {id: b, commands: ['{{ outputs.a.vars.x }}']}\n"
        "- {id: c, commands: [x], dependsOn: [], foreach: 2}\n- {id: d, commands: [x]}\n"
        "- {id: e, commands: [x], dependsOn: [], taskRunner: {poolId: big}}\n"
    )
    _, [found], lines = check(text)

    assert [task["displayName"] for task in found["tasks"]] == ["a", "c[0]", "c[1]"]
    assert {each["task"]: each["reason"] for each in found["later"]} == {"b": "values", "d": "fan-out", "e": "pool"}
    assert "m0.yaml: later: the task 'b' is in a later job (values)" in lines


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ("{id: c, commands: [x]}", {"b": "fan-out", "c": "fan-out"}),
        ("{id: c, commands: [x]}\n- {id: d, commands: [x]}", {"b": "fan-out", "c": "fan-out", "d": "fan-out"}),
        ("{id: c, commands: [x], dependsOn: [a, b]}", {"b": "fan-out", "c": "fan-out"}),
        ("{id: c, commands: ['{{ outputs.b.vars.x }}']}\n- {id: d, commands: [x]}",
         {"b": "fan-out", "c": "values", "d": "values"}),
        ("{id: c, commands: [x], taskRunner: {poolId: big}}\n- {id: d, commands: [x], taskRunner: {poolId: big}}",
         {"b": "fan-out", "c": "pool", "d": "pool"}),
        ("{id: c, commands: [x], taskRunner: {poolId: big}}\n- {id: d, commands: [x]}",
         {"b": "fan-out", "c": "pool", "d": "pool"}),
    ],
)  # fmt: skip
def test_what_comes_after_a_task_of_a_later_job_is_there_for_the_same_reason(check, more, reasons) -> None:
    """No pool is the reason where none is named."""
    _, [found], _ = check(f"tasks:\n- {{id: a, commands: [x], foreach: 2}}\n- {{id: b, commands: [x]}}\n- {more}\n")
    assert {each["task"]: each["reason"] for each in found["later"]} == reasons


def test_what_the_app_evaluates_is_in_no_job(check) -> None:
    """What comes after it is there for the reason of what comes before it."""
    _, [found], _ = check(
        "tasks:\n- {id: a, commands: [x]}\n- {id: pick, type: io.kestra.plugin.core.flow.Switch,"
        " value: '{{ outputs.a.vars.n }}',\n   cases: {x: [{id: b, commands: [x]}]}}\n"
        "- {id: said, type: io.kestra.plugin.core.log.Log, message: x}\n- {id: c, commands: [x]}\n"
    )
    assert found["later"] == [{"task": "b", "reason": "values"}, {"task": "c", "reason": "values"}]


@pytest.mark.parametrize(
    ("text", "what", "has_job"),
    [
        ("commands: [x]", "whether there is a pool 'local'", True),
        ("namespace: n\ncommands: [x]\nnamespaceFiles: {enabled: true}", "which namespace files the task 'task'", True),
        ("namespace: n\ncommands: [x]\ninputFiles: {a: 'nsfile:///b'}", "whether there is a blob namespaces/n/b", True),
        ("namespace: n\ncommands: [x]\nforeach: {namespaceFiles: '*'}", "the items of the task 'task'", False),
        ("namespace: n\ncommands: [\"{{ read('a') }}\"]", "the text of namespaces/n/a", False),
    ],
)  # fmt: skip
def test_what_only_the_running_app_knows_is_said_and_not_invented(check, text, what, has_job) -> None:
    code, [found], lines = check(text)

    assert code == 0
    assert any(each.startswith(what) for each in found["notKnown"])
    assert any(f"not known before it runs: {what}" in line for line in lines)
    assert (found["job"] is not None) is has_job


def test_settings_are_those_that_a_stack_would_take_from_the_environment(check, monkeypatch) -> None:
    """Where services are is never taken from there."""
    monkeypatch.setenv("STAGING_CONTAINER", "mine")
    monkeypatch.setenv("BATCH_ACCOUNT_NAME", "production")
    _, [found], _ = check("commands: [x]\ntaskRunner: {account: devbatchaccount1}")

    assert "/mine?" in found["tasks"][0]["resourceFiles"][0]["storageContainerUrl"]


def test_a_malformed_setting_is_wrong_usage(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("STAGING_CONTAINER", "inbox")
    (tmp_path / "m.yaml").write_text("commands: [x]")

    assert main(["check", str(tmp_path / "m.yaml")]) == 2
    assert "The seven containers must differ" in capsys.readouterr().err


@pytest.mark.usefixtures("check")
def test_what_kestra_2_refuses_is_an_error_if_it_is_asked_for(tmp_path, capsys) -> None:
    """The app itself takes it. The places are those in the flow's own file, also where a value is given."""
    file = tmp_path / "own.yaml"
    file.write_text("inputs: [{id: a, type: BOOLEAN}]\ntasks: [{id: t, commands: ['{{ inputs.a | json }}']}]\n")
    assert main(["check", str(file), "-i", "a=true"]) == 0
    capsys.readouterr()
    assert main(["check", str(file), "-i", "a=true", "--kestra", "2"]) == 1
    printed = capsys.readouterr()
    errors = [line.removeprefix(f"{file}:") for line in printed.err.splitlines() if ": error: " in line]
    assert [line.partition(" Kestra 2 ")[0] for line in errors] == [
        "1:18: error: inputs[0].type:",
        "2:28: error: tasks[0].commands[0]:",
    ]
    (found,) = json.loads(printed.out)
    assert (len(found["errors"]), found["job"] is not None) == (2, True)
