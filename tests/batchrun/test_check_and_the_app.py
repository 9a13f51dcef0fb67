"""What `check` learns from an app that is reached, and that it needs none."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from batchrun.__main__ import main
from local.__main__ import main as local

pytestmark = pytest.mark.sampled

GONE = {
    "RunStorage": "AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/devstoreaccount1",
    "BATCH_ACCOUNT_ENDPOINT": "http://127.0.0.1:1",
    "EVENTGRID_TOPIC_ENDPOINT": "http://127.0.0.1:1",
    "BATCH_POOL_ID": "local",
}
NOT_KNOWN = "m.yaml: not known before it runs: "


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    """A person who has configured nothing, in a folder with a manifest."""
    for name in ("BATCHRUN_STORAGE", "BATCHRUN_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text("commands: [x]")


@pytest.fixture
def no_network(monkeypatch) -> None:
    def contacted(*_: object) -> None:
        pytest.fail("something was contacted")

    monkeypatch.setattr(socket.socket, "connect", contacted)


@pytest.fixture(params=["batchrun", "python -m local"])
def check(request, stack, capsys):
    """Check manifests with the stack that is up; the exit code, the first manifest's JSON, and what stderr has."""

    def check(*arguments: str) -> tuple[int, dict[str, object], str]:
        program = main if request.param == "batchrun" else local
        code = program(["check", *arguments, "--data-dir", str(stack.data_dir.path)])
        printed = capsys.readouterr()
        return code, json.loads(printed.out)[0], printed.err

    return check


def test_batch_is_asked_for_the_pool(check) -> None:
    """A manifest whose pool is there has nothing left that is not known."""
    assert check("m.yaml") == (0, check("m.yaml")[1], "m.yaml: no errors found\n")
    assert check("m.yaml")[1]["notKnown"] == []
    Path("pool.yaml").write_text("commands: [x]\ntaskRunner: {poolId: none}")
    code, found, told = check("pool.yaml")
    message = "there is no pool 'none' in the Batch account; its pools are: local"
    assert (code, told) == (1, f"pool.yaml:2:22: error: taskRunner.poolId: {message}\n")
    assert (found["job"], [error["message"] for error in found["errors"]]) == (None, [message])


def test_slots_are_those_of_the_pool(check) -> None:
    Path("slots.yaml").write_text("commands: [x]\nrequiredSlots: 100")
    code, _, told = check("slots.yaml")
    assert code == 1
    assert "slots.yaml:2:16: error: requiredSlots: the nodes of pool 'local' have " in told


def test_a_run_is_refused_before_the_drop(stack, capsys) -> None:
    Path("pool.yaml").write_text("commands: [x]\ntaskRunner: {poolId: none}")
    assert main(["run", "pool.yaml", "--data-dir", str(stack.data_dir.path)]) == 1
    told = capsys.readouterr().err
    assert "there is no pool 'none' in the Batch account; its pools are: local\n" in told
    assert told.endswith("Nothing has been dropped.\n")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("where", [[], ["--data-dir", "nowhere"], ["--app", "local"]])
def test_a_manifest_can_be_checked_where_no_app_is(where, capsys) -> None:
    """Nothing is contacted, and what an app could refuse for its settings is not refused."""
    Path("named.yaml").write_text("commands: ['{{ secret(\"X\") }}']\ntaskRunner: {account: a, poolId: big}")
    assert main(["check", "m.yaml", "named.yaml", *where]) == 0
    printed = capsys.readouterr()
    first, *rest = printed.err.splitlines()
    assert first.startswith("No app is reached, so that nothing of its settings is known. (No ")
    assert rest[:2] == [
        f"{NOT_KNOWN}which pool it is, and whether its nodes have as many task slots",
        "m.yaml: no errors found",
    ]
    assert json.loads(printed.out)[1]["job"]["poolInfo"] == {"poolId": "big"}
    Path("m.yaml").write_text("commands: 3")
    assert main(["check", "m.yaml", *where]) == 1


def test_an_app_that_is_gone_leaves_unknown_what_it_would_say(capsys) -> None:
    """With the reason; here its settings are known, by the description of its stack."""
    Path(".local").mkdir()
    Path(".local/stack.json").write_text(json.dumps({"settings": GONE}))
    assert main(["check", "m.yaml"]) == 0
    told = capsys.readouterr().err
    assert (
        f"{NOT_KNOWN}whether there is a pool 'local', and whether its nodes have as many task slots. The stack" in told
    )
    assert "does not answer." in told


@pytest.mark.parametrize("where", [["--app", "nobody"], ["--app", "a b"]])
def test_an_app_that_nobody_has_named_is_wrong_usage(where) -> None:
    assert main(["check", "m.yaml", *where]) == 2
