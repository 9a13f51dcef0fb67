"""`ls`, `show`, `logs` and `get` after the stack has stopped: what it has done can still be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.__main__ import main as batchrun
from local.__main__ import main
from local.stack.data_dir import DataDir
from tests.conftest import require_azurite

pytestmark = pytest.mark.slow


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


@pytest.fixture
def below(stopped, monkeypatch, tmp_path):
    """A person who has configured nothing, in a folder below the one that has the stack."""
    for name in ("BATCHRUN_STORAGE", "BATCHRUN_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = stopped.parent / "below"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("below")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["ls"], "SUCCESS  past-"),
        (["show", "-", "--app", "local"], "SUCCESS"),
        (["logs", "-", "-f", "--data-dir", "../.local"], "past out | said"),
        (["get", "-", "record.json", "--out", "out"], "1 file fetched"),
    ],
)
def test_batchrun_reads_it_too(stopped, arguments, text, capsys):
    """The nearest one upwards, or the one that is named; what it started has stopped at the end."""
    assert batchrun(arguments) == 0
    printed, errors = capsys.readouterr()
    assert text in printed
    assert errors.startswith("No stack is running in ")
    assert ".local: its storage is started for this command.\n" in errors
    assert DataDir(stopped).running_stack() is None


@pytest.mark.usefixtures("below")
def test_a_stack_that_was_killed_is_read_as_one_that_was_stopped(stopped, capsys):
    """It has left its description, with addresses where nobody answers, and nobody has its lock."""
    (stopped / "stack.json").write_text("{}")
    assert batchrun(["ls"]) == 0
    assert "SUCCESS  past-" in capsys.readouterr().out
    assert not (stopped / "stack.json").exists()


@pytest.mark.usefixtures("below")
def test_an_installed_program_starts_nothing(monkeypatch, capsys, tmp_path):
    """It has no local stack; what lies in the folder of the data directory is never executed."""
    monkeypatch.setattr("batchrun.client.stopped._CHECKOUT", tmp_path)
    Path("local").mkdir()
    Path("local", "__main__.py").write_text("raise SystemExit('executed')")
    assert batchrun(["ls"]) == 3
    assert "What was run there is listed by: python -m local ls --data-dir " in capsys.readouterr().err


@pytest.mark.usefixtures("below")
def test_ctrl_c_ends_what_was_started(stopped, capsys, monkeypatch):
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("batchrun.client.listing.RunList.open", interrupt)
    assert batchrun(["ls"]) == 130
    capsys.readouterr()
    assert DataDir(stopped).running_stack() is None
    data_dir = DataDir(stopped)
    data_dir.lock()  # nobody has it
    data_dir.unlock()


@pytest.mark.usefixtures("below")
def test_a_stack_that_belongs_to_a_command_is_not_disturbed(stopped, capsys):
    data_dir = DataDir(stopped)
    data_dir.lock(private=True)
    assert batchrun(["ls"]) == 1
    data_dir.unlock()
    assert "Another `python -m local run` is using" in capsys.readouterr().err


@pytest.mark.usefixtures("below")
def test_a_command_that_needs_more_says_what_to_do(stopped, capsys):
    """The runs of a stack that is stopped go on when it is up again, and not before."""
    hint = f"What was run there is listed by: python -m local ls --data-dir {stopped}\n"
    for cancel in (main, batchrun):
        assert cancel(["cancel", "past", "--data-dir", str(stopped)]) == 3
        assert capsys.readouterr().err.endswith(hint)


def test_a_directory_without_a_stack_is_left_as_it_is(tmp_path):
    assert main(["ls", "--data-dir", str(tmp_path)]) == 3
    assert list(tmp_path.iterdir()) == []
