"""The README's commands and manifests, as they stand there; only the stack's ports are chosen, to be free."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require_azurite
from tests.support.waiting import WAIT_SECONDS, wait_for

pytestmark = pytest.mark.sampled

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TYPED = [re.sub(r"^batchrun ", "python -m batchrun ", line) for line in README.splitlines()]
COMMANDS = {
    " ".join(line.split()[2:4]): line.partition("#")[0].split()
    for line in TYPED
    if re.match("python -m (local|batchrun) ", line)
}
"""The words of a line by program and verb."""
MANIFESTS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are typed."""
    return tmp_path_factory.mktemp("readme")


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SECRET_API_TOKEN": "a-token", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *command[1:]],
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    process = start(folder, *command)
    printed, _ = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, printed


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[None]:
    """`python -m local up`, until the tests have ended."""
    require_azurite()
    stack = start(folder, *COMMANDS["local up"], "--ports", "auto")
    wait_for((folder / ".local" / "stack.json").exists)
    yield
    stack.terminate()
    stack.communicate(timeout=WAIT_SECONDS)


def test_every_command_is_tried_here() -> None:
    of_batchrun = {f"batchrun {verb}" for verb in ("run", "check", "ls", "logs", "get", "retry", "cancel", "doctor")}
    assert set(COMMANDS) == of_batchrun | {f"local {verb}" for verb in ("up", "run", "env", "batch")}


@pytest.mark.parametrize("number", range(len(MANIFESTS)), ids=["flow", "task form"])
@pytest.mark.usefixtures("up")
def test_its_manifests_succeed(folder: Path, number: int) -> None:
    (folder / "my.yaml").write_text(MANIFESTS[number])
    assert run(folder, *COMMANDS["batchrun check"])[0] == 0
    code, printed = run(folder, *COMMANDS["batchrun run"])
    assert (code, "SUCCESS" in printed) == (0, True), printed


@pytest.mark.usefixtures("up")
def test_a_run_is_watched_and_cancelled(folder: Path) -> None:
    (folder / "long.yaml").write_text("id: t\ncommands: [echo hello, sleep 600]")
    watching = start(folder, *[word.replace("my.yaml", "long.yaml") for word in COMMANDS["batchrun run"]])
    named = re.compile(r"long-\d{8}t\d{6}-[0-9a-f]{8}")
    assert watching.stdout is not None
    run_id = next(match[0] for line in watching.stdout if (match := named.search(line)))
    wait_for(lambda: "RUNNING" in run(folder, *COMMANDS["batchrun ls"])[1])
    reading = start(folder, *[run_id if word == "RUN" else word for word in COMMANDS["batchrun logs"]])
    assert reading.stdout is not None
    assert any("hello" in line for line in reading.stdout)
    code, printed = run(folder, *[run_id if word == "RUN" else word for word in COMMANDS["batchrun cancel"]])
    assert (code, "KILLED" in printed) == (0, True), printed
    watching.communicate(timeout=WAIT_SECONDS)
    reading.communicate(timeout=WAIT_SECONDS)
    assert (watching.returncode, reading.returncode) == (1, 0)
    assert run(folder, *[run_id if word == "RUN" else word for word in COMMANDS["batchrun get"]])[0] == 0
    assert (folder / run_id / "record.json").is_file()
    assert run(folder, *COMMANDS["batchrun doctor"])[0] == 0


@pytest.mark.usefixtures("up")
def test_what_failed_is_run_again(folder: Path) -> None:
    """By the other program, which uses the stack that is up."""
    (folder / "my.yaml").write_text("id: t\ncommands: [exit 3]")
    code, printed = run(folder, *COMMANDS["local run"])
    assert (code, "FAILED" in printed) == (1, True), printed
    code, printed = run(folder, *["-" if word == "RUN" else word for word in COMMANDS["batchrun retry"]])
    assert (code, "exit code 3" in printed) == (1, True), printed


@pytest.mark.usefixtures("up")
def test_env_prints_the_settings(folder: Path) -> None:
    code, printed = run(folder, *COMMANDS["local env"])
    settings = dict(word.split("=", 1) for word in shlex.split(printed))
    described = json.loads((folder / ".local" / "stack.json").read_text())
    assert (code, settings["RunStorage"]) == (0, described["settings"]["RunStorage"])


def test_the_batch_service_alone_says_where_it_is(tmp_path: Path) -> None:
    batch = start(tmp_path, *COMMANDS["local batch"], "--port", "0")
    assert batch.stdout is not None
    assert any("http://127.0.0.1:" in line for line in batch.stdout)
    batch.terminate()
    batch.communicate(timeout=WAIT_SECONDS)


def test_make_demo_runs_the_sample() -> None:
    """Which is among the tests itself."""
    printed = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "python -m local run samples/environment-info.yaml" in printed
