"""`ls` and `logs` after the stack has stopped: what it has done can still be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.__main__ import main as batchrun
from local.__main__ import main
from local.stack.data_dir import DataDir
from tests.conftest import require_azurite


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A data directory in which a manifest has run, with a stack of its own."""
    require_azurite()
    folder = tmp_path_factory.mktemp("stopped")
    (folder / "past.yaml").write_text("id: past\ncommands: [echo said]\n")
    command = [sys.executable, "-m", "local", "run", folder / "past.yaml", "--data-dir", folder / ".local"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / ".local"


def test_what_has_been_run_is_listed_and_its_logs_are_read(stopped, capsys):
    """By storage alone, which has stopped at the end; nothing else of the stack is there."""
    said = f"No stack is running in {stopped}: its storage is started for this command.\n"
    assert main(["ls", "--data-dir", str(stopped)]) == 0
    printed, errors = capsys.readouterr()
    [row] = [line for line in printed.splitlines() if line.startswith("SUCCESS")]
    assert errors == said
    run_id = row.split()[1]
    assert main(["logs", run_id, "-f", "--data-dir", str(stopped)]) == 0
    assert capsys.readouterr() == ("past out | said\n", f"{said}{run_id} has ended: SUCCESS\n")
    data_dir = DataDir(stopped)
    assert data_dir.running_stack() is None
    data_dir.lock()  # nobody has it
    data_dir.unlock()


def test_a_command_that_needs_more_says_what_to_do(stopped, capsys, monkeypatch):
    """The runs of a stack that is stopped go on when it is up again, and not before."""
    assert main(["cancel", "past", "--data-dir", str(stopped)]) == 3
    hint = f"What was run there is listed by: python -m local ls --data-dir {stopped}\n"
    assert capsys.readouterr().err.endswith(hint)
    for name in ("BATCHRUN_STORAGE", "BATCHRUN_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(stopped.parent / "config"))
    monkeypatch.chdir(stopped.parent)
    assert batchrun(["ls"]) == 3
    assert capsys.readouterr().err.endswith(hint)


def test_a_directory_without_a_stack_is_left_as_it_is(tmp_path):
    assert main(["ls", "--data-dir", str(tmp_path)]) == 3
    assert list(tmp_path.iterdir()) == []
