"""Exit codes of `run` and `cancel`, and what they print for scripts: on a stack that is up, named by its file."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchrun.__main__ import main
from batchrun.client.apps import App
from batchrun.client.runs import Runs
from shared.documents.names import dropped_at
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

ROOT = Path(__file__).parents[2]
MISSING = "id: t\ncommands: [echo]\noutputFiles: [missing.txt]\n"


@pytest.fixture(autouse=True)
def here(stack, tmp_path, monkeypatch):
    """A folder of manifests, far from the repository; commands find the stack by its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHRUN_STACK", str(stack.data_dir.description))


@pytest.fixture
def sleeper(stack, capsys):
    """Drop a manifest that sleeps, and wait until it runs; gives its id."""

    def drop(name: str) -> str:
        Path(f"{name}.yaml").write_text("commands: [sleep 600]")
        assert main(["run", f"{name}.yaml", "--no-wait"]) == 0
        run_id = capsys.readouterr().out.strip()
        with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
            wait_for(lambda: runs.open_run(run_id))
        return run_id

    return drop


def test_a_warning_is_no_failure_unless_it_is_asked_for(capsys):
    Path("warns.yaml").write_text(MISSING)
    Path("strict.yaml").write_text(MISSING)

    assert main(["run", "warns.yaml", "--out", "out"]) == 0
    assert capsys.readouterr().err.endswith("has ended in WARNING.\n")
    assert main(["run", "strict.yaml", "--out", "strict", "--strict"]) == 1


def test_a_manifest_with_errors_is_not_dropped(capsys):
    """Neither is the one beside it: what is right now is still right after the correction."""
    Path("good.yaml").write_text("commands: [echo]")
    Path("bad.yaml").write_text("commands: ['{{ secret(\"NOBODY_HAS_IT\") }}']")

    assert main(["run", "good.yaml", "bad.yaml"]) == 1
    printed, errors = capsys.readouterr()
    assert "bad.yaml:1:12: error: commands[0]: " in errors
    assert errors.endswith("Nothing has been dropped.\n")
    assert printed == ""


def test_runs_that_are_not_waited_for_are_printed_and_can_be_cancelled_together(sleeper, capsys):
    one, two = sleeper("one"), sleeper("two")

    assert main(["cancel", one, two]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{run} is cancelled: KILLED." for run in (one, two)]
    assert main(["cancel", two, "nobody"]) == 1
    errors = capsys.readouterr().err
    assert f"{two} has ended already: KILLED.\n" in errors
    assert "There is no run 'nobody'" in errors


def test_the_latest_run_is_a_dash(sleeper, capsys):
    """Also when it has ended: the one before it is not meant then."""
    before = sleeper("before")
    wait_for(lambda: int(time.time()) > dropped_at(before).timestamp() + 1)  # in the same second, neither is the latest
    latest = sleeper("latest")

    assert main(["cancel", "-"]) == 0
    assert capsys.readouterr().out == f"{latest} is cancelled: KILLED.\n"
    assert main(["cancel", "-"]) == 1
    assert capsys.readouterr().err == f"{latest} has ended already: KILLED.\n"
    assert main(["cancel", before]) == 0


def test_a_stack_that_is_gone_is_not_reached(tmp_path, capsys):
    """It was killed, and its description is still there."""
    storage = "AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/devstoreaccount1"
    settings = f'{{"RunStorage": "{storage}", "BATCH_ACCOUNT_ENDPOINT": "http://127.0.0.1:1"}}'
    (tmp_path / "stack.json").write_text(f'{{"settings": {settings}}}')

    assert main(["ls", "--data-dir", str(tmp_path)]) == 3
    assert "The stack does not answer." in capsys.readouterr().err


def test_nobody_waits_for_a_run_of_a_stack_that_ends_with_it(tmp_path):
    manifest = ROOT / "samples" / "environment-info.yaml"
    command = [sys.executable, "-m", "local", "run", manifest, "--no-wait", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(f"Start one with: python -m local up --data-dir {tmp_path}\n")
