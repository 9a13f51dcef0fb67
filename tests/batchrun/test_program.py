"""`python -m batchrun`: the same verbs as `python -m local`, on the app that a stack describes in `stack.json`."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.__main__ import VERBS, main
from batchrun.client.apps import App
from batchrun.errors import ClientError
from shared.version import VERSION

pytestmark = pytest.mark.sampled


def batchrun(*arguments: str | Path) -> tuple[int, str, str]:
    """Run a command as a process; returns its exit code and what it wrote on stdout and stderr."""
    command = [sys.executable, "-m", "batchrun", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_app_of_a_stack_has_the_settings_that_the_stack_describes(stack) -> None:
    app = App.of_stack(stack.data_dir.path)

    assert app.settings == stack.settings
    assert app.command("ls") == f"batchrun ls --data-dir {stack.data_dir.path}"


def test_a_run_is_checked_run_listed_and_read(stack, tmp_path) -> None:
    """Each verb finds the app by its data directory."""
    manifest = tmp_path / "by-batchrun.yaml"
    manifest.write_text("id: t\ncommands: [echo hello]")
    where = ("--data-dir", stack.data_dir.path)

    code, printed, _ = batchrun("check", manifest, *where)
    assert (code, json.loads(printed)[0]["job"]["poolInfo"]) == (0, {"poolId": "local"})
    code, printed, errors = batchrun("run", manifest, "--out", tmp_path / "out", *where)
    assert (code, errors) == (0, "")
    run_id = json.loads((tmp_path / "out" / "record.json").read_text())["runId"]
    assert f"SUCCESS  {run_id}" in printed
    assert re.search(rf"SUCCESS +{run_id} ", batchrun("ls", *where)[1])
    assert batchrun("logs", run_id, *where) == (0, "t out | hello\n", f"{run_id} has ended: SUCCESS\n")
    assert batchrun("cancel", run_id, *where) == (1, "", f"{run_id} has ended already: SUCCESS.\n")


@pytest.mark.parametrize("arguments", [["ls"], ["logs", "x"], ["cancel", "x"], ["run", "m.yaml"]])
def test_without_a_stack_it_is_said_how_to_start_one(arguments, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text("commands: [x]")

    assert main([*arguments, "--data-dir", ".local"]) == 3
    assert capsys.readouterr().err == "No stack is running in .local. Start one with: python -m local up\n"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": 1}'])
def test_a_description_that_is_damaged_is_one_clear_line(text, tmp_path) -> None:
    (tmp_path / "stack.json").write_text(text)

    with pytest.raises(ClientError, match=r"stack\.json does not describe a running stack"):
        App.of_stack(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["up"], ["--data-dir", "x", "ls"], ["ls", "x"], ["run"]])
def test_wrong_usage_ends_with_2(arguments) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_help_lists_the_verbs(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    assert [name for name, purpose in VERBS.items() if purpose.split(",")[0] not in printed] == []


def test_it_tells_its_version(capsys) -> None:
    """As people give it in a report, and as `doctor` compares it."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.endswith(f"batchrun {VERSION}\n")


@pytest.mark.parametrize(
    "arguments", [["ls", "\x1b[31m"], ["\x1b[31m"], ["run", "\x1b[31m.yaml"], ["ls", "--data-dir", "\x1b[31m"]]
)
def test_what_was_typed_is_shown_and_not_sent_to_the_terminal(arguments, capsys) -> None:
    with contextlib.suppress(SystemExit):
        main(arguments)
    told = capsys.readouterr().err
    assert "\\x1b[31m" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    "arguments", [["run", "x" * 300], ["check", "x" * 300 + ".yaml"], ["ls", "--data-dir", "x" * 300]]
)
def test_a_name_that_no_file_can_have_is_one_clear_line(arguments, capsys) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.endswith(": File name too long\n")
