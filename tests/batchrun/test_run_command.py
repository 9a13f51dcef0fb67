"""`python -m local run`: exit codes, results, and what becomes of runs that nobody watches any longer."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from tests.conftest import require_azurite
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

BROKEN_PROXY = "http://127.0.0.1:1"


def start_run(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start `python -m local run`, in an environment that names a proxy which does not answer."""
    return subprocess.Popen(
        [sys.executable, "-m", "local", "run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HTTP_PROXY": BROKEN_PROXY, "http_proxy": BROKEN_PROXY},
    )


def interrupt_once_the_task_runs(run: subprocess.Popen[str]) -> str:
    """Interrupt it, and return what it has printed."""
    assert run.stdout is not None
    printed = []
    for line in run.stdout:
        printed.append(line)
        if line.endswith("sleeper runs\n"):
            run.terminate()
    run.communicate()
    return "".join(printed)


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest of one task, named as its file is."""

    def write(name: str, command: str) -> Path:
        file = tmp_path / f"{name}.yaml"
        file.write_text(f"id: {name}\ncommands:\n  - {command}\noutputFiles: ['*.txt']\n")
        return file

    return write


def test_a_successful_run_with_a_stack_of_its_own_ends_with_0(manifest, tmp_path):
    """Its files are below the data directory; a proxy in the environment is not asked for the loopback interface."""
    require_azurite()

    run = start_run(manifest("hello", "echo hello > hello.txt"), "--data-dir", tmp_path / "data")
    printed, errors = run.communicate()

    assert (run.returncode, errors) == (0, "")
    [file] = (tmp_path / "data" / "results" / "hello").glob("*/outputs/hello/hello.txt")
    assert file.read_text() == "hello\n"
    assert f"{file.parents[2]}/" in printed


def test_a_failed_run_ends_with_1_and_shows_what_the_task_wrote_last(stack, manifest, tmp_path):
    """It runs on the stack that is up, beside one that succeeds; each has a folder in `--out`."""
    good, bad = manifest("good", "echo fine"), manifest("bad", "sh -c 'echo broken >&2; exit 3'")

    run = start_run(good, bad, "--data-dir", stack.data_dir.path, "--out", tmp_path / "out")
    printed, errors = run.communicate()

    assert (run.returncode, errors) == (1, "")
    assert "    | broken\n" in printed
    assert (tmp_path / "out" / "bad" / "logs" / "bad" / "stderr.txt").read_text() == "broken\n"
    assert (tmp_path / "out" / "good" / "record.json").is_file()


def run_in_a_terminal(*arguments: str | Path, **environ: str) -> tuple[int, str]:
    """Run `python -m local run` in a terminal of 80 columns; returns its exit code and all that was on the screen."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    run = subprocess.Popen(
        [sys.executable, "-m", "local", "run", *map(str, arguments)],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm-256color", **environ},
    )
    os.close(its)
    screen = b""
    with contextlib.suppress(OSError):  # how Linux tells the end of a terminal
        while piece := os.read(ours, 65536):
            screen += piece
    os.close(ours)
    return run.wait(), screen.decode()


def test_a_terminal_shows_bars_while_it_runs_and_the_summary_at_the_end(stack, manifest, tmp_path):
    """In colour; what was drawn is cleared, so that only the summary stays."""
    good = manifest("barred", "sleep 1")

    code, screen = run_in_a_terminal(good, "--data-dir", stack.data_dir.path, "--out", tmp_path / "out")

    assert code == 0
    assert "━" in screen.partition("SUCCESS")[0]
    assert "\x1b[1;32mSUCCESS" in screen
    assert "results\r\n" in screen.rpartition("\x1b[2K")[2]


def test_no_color_is_respected(stack, manifest, tmp_path):
    """https://no-color.org: what is drawn may move the cursor, but colours nothing."""
    good = manifest("plain", "echo")

    code, screen = run_in_a_terminal(good, "--data-dir", stack.data_dir.path, "--out", tmp_path / "out", NO_COLOR="1")

    assert code == 0
    assert re.findall(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", screen) == []


@pytest.mark.parametrize("option", [("--tick", "2"), ("--pool", "mine")])
def test_a_stack_that_is_up_is_not_changed(stack, manifest, option):
    """What can only be said to a stack that starts is wrong usage."""
    run = start_run(manifest("unused", "echo"), "--data-dir", stack.data_dir.path, *option)

    assert "--tick, --pool and --containers are for a stack of the run's own" in run.communicate()[1]
    assert run.returncode == 2


def test_an_interrupted_run_on_the_stack_that_is_up_goes_on_and_can_be_cancelled(stack, manifest):
    """By the command that the message ends with."""
    run = start_run(manifest("sleeper", "sleep 600"), "--data-dir", stack.data_dir.path)
    [message] = [line for line in interrupt_once_the_task_runs(run).splitlines() if "goes on" in line]
    run_id, command = message.split()[0], shlex.split(message.partition("To cancel it: ")[2])
    assert run.returncode == 130
    assert command[:4] == ["python", "-m", "local", "cancel"]

    cancelled = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=False)

    assert (cancelled.returncode, cancelled.stdout) == (0, f"{run_id} is cancelled: KILLED.\n")


def test_an_interrupted_run_is_cancelled_with_its_stack(manifest, tmp_path):
    """Which is recorded by the next stack in the directory."""
    require_azurite()
    run = start_run(manifest("sleeper", "sleep 600"), "--data-dir", tmp_path / "data")
    message = interrupt_once_the_task_runs(run).splitlines()[-1]
    run_id = message.split()[0]

    assert run.returncode == 130
    assert message == f"{run_id} is cancelled; that is recorded when the stack runs next."
    with (
        Stack(StackOptions(data_dir=tmp_path / "data", ports=AUTO)) as stack,
        BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs,
    ):
        record = blobs.get_blob_client("results", f"sleeper/{run_id}/record.json")
        wait_for(record.exists)
        told = record.download_blob().readall()
        assert b"KILLED" in told, told.decode()
