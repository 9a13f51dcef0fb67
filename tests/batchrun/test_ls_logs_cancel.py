"""`python -m local ls`, `logs` and `cancel`, on a stack that is up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from batchrun.client.apps import App
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs as AppRuns
from local.__main__ import main
from local.stack.stack import Stack
from shared.documents.states import State
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

COMMANDS = ["ls", "show", "logs", "cancel"]


@dataclass(frozen=True)
class Gate:
    """Where a task waits, until the test opens it."""

    file: Path

    @property
    def command(self) -> str:
        """What the task runs to wait."""
        return f"until [ -e {self.file} ]; do sleep 0.05; done"

    def open(self) -> None:
        """Let the task go on."""
        self.file.touch()


@pytest.fixture
def gate(tmp_path):
    """A gate that is open at the end of the test at the latest."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def run(stack, capsys):
    """Run a command on the stack; returns its exit code and what it wrote on stdout and stderr."""

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, *arguments, "--data-dir", str(stack.data_dir.path)])
        return code, *capsys.readouterr()

    return run


@dataclass(frozen=True)
class Runs:
    """Runs of the stack."""

    stack: Stack
    folder: Path

    def drop(self, name: str, text: str) -> RunRef:
        """Drop a manifest."""
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        with AppRuns.of(App.of_stack(self.stack.data_dir.path)) as runs:
            return runs.inbox.drop(file).ref

    def wait_until_complete(self, run: RunRef) -> None:
        """Wait for its record, and until nothing else is left of it."""
        with AppRuns.of(App.of_stack(self.stack.data_dir.path)) as runs:
            wait_for(lambda: runs.results.record(run) and not runs.open_run(run.id))

    def wait_until_printed(self, run: RunRef, count: int) -> None:
        """Wait until Batch has so many bytes on stdout of its first task, and the app says that the run is RUNNING."""
        with AppRuns.of(App.of_stack(self.stack.data_dir.path)) as runs:
            wait_for(lambda: (found := runs.open_run(run.id)) and found.progress.state is State.RUNNING)
            wait_for(
                lambda: any(
                    runs.tasks.stream_sizes(task).get("stdout.txt", 0) >= count
                    for task in runs.tasks.of_job(f"{run.id}-1")
                    if task.started
                )
            )


@pytest.fixture
def runs(stack, tmp_path):
    """Runs of the stack that all tests share."""
    return Runs(stack, tmp_path)


def test_ls_shows_open_runs_and_complete_ones(run, runs, gate):
    """Their states, how many tasks have ended, and what went wrong."""
    failed = runs.drop("ls-failed", "tasks: [{id: a, commands: [exit 3]}, {id: b, commands: [echo]}]")
    runs.wait_until_complete(failed)
    is_open = runs.drop(
        "ls-open", f"tasks: [{{id: a, commands: [echo 1, '{gate.command}']}}, {{id: b, commands: [x]}}]"
    )
    runs.wait_until_printed(is_open, 2)

    code, printed, errors = run("ls")

    rows = {line.split()[1]: line for line in printed.splitlines() if line.startswith(("RUNNING", "FAILED"))}
    assert (code, errors) == (0, "")
    assert printed.startswith("STATE")
    assert rows[is_open.id].startswith("RUNNING")
    assert rows[is_open.id].endswith("  0/2")
    assert rows[failed.id].endswith("  1/2    a: the commands ended with exit code 3")
    assert list(rows).index(is_open.id) < list(rows).index(failed.id)


def test_logs_of_a_complete_run_say_who_printed_what(run, runs):
    """Items of a fan-out by their index; a last line needs no end; what a terminal would obey is escaped."""
    each = "{id: each, foreach: [a, b], commands: ['echo {{ item }}']}"
    bad = "{id: bad, commands: ['echo fine', 'printf \"\\033[2Jbroken\" >&2', exit 1]}"
    ref = runs.drop("logs-complete", f"tasks: [{each}, {bad}]")
    runs.wait_until_complete(ref)

    code, printed, errors = run("logs", ref.id)

    assert code == 0
    assert printed.splitlines() == ["each[0] out | a", "each[1] out | b", "bad out | fine", "bad err | \\x1b[2Jbroken"]
    assert errors == f"{ref.id} has ended: FAILED\n"


def test_logs_of_a_running_task_are_what_it_has_printed_so_far(run, runs, gate):
    """Read from Batch, while somebody looks."""
    ref = runs.drop("logs-open", f"id: t\ncommands: [echo first, '{gate.command}', echo last]")
    runs.wait_until_printed(ref, 6)

    assert run("logs", ref.id) == (0, "t out | first\n", "")


def test_logs_that_are_followed_are_whole_and_each_line_is_printed_once(run, runs, gate):
    """What comes after the last look at the task is read from the results."""
    lines = "for n in $(seq 1000); do echo $n; done"
    ref = runs.drop("logs-follow", f"id: t\ncommands: [echo first, '{gate.command}', '{lines}']")
    runs.wait_until_printed(ref, 6)
    opener = threading.Timer(1, gate.open)
    opener.start()

    code, printed, errors = run("logs", ref.id, "--follow")

    assert code == 0
    assert printed.splitlines() == ["t out | first", *(f"t out | {n}" for n in range(1, 1001))]
    assert errors == f"{ref.id} has ended: SUCCESS\n"


def test_logs_of_a_large_fan_out_are_all_there(run, runs):
    """Its items stand in a file beside the record."""
    ref = runs.drop("logs-large", "id: t\nforeach: 101\ncommands: ['echo {{ item }}']")
    runs.wait_until_complete(ref)

    _, printed, _ = run("logs", ref.id)

    assert printed.splitlines() == [f"t[{n}] out | {n}" for n in range(101)]


def test_logs_can_be_those_of_a_task_or_of_an_item(run, runs):
    """Another name is an error that says which there are."""
    ref = runs.drop(
        "logs-task", "tasks: [{id: each, foreach: [a, b], commands: ['echo {{ item }}']}, {id: z, commands: [echo z]}]"
    )
    runs.wait_until_complete(ref)

    assert run("logs", ref.id, "z")[1] == "z out | z\n"
    assert run("logs", ref.id, "each")[1].splitlines() == ["each[0] out | a", "each[1] out | b"]
    assert run("logs", ref.id, "each[1]")[1] == "each[1] out | b\n"
    assert run("logs", ref.id, "eahc") == (
        1,
        "",
        f"{ref.id} has no task 'eahc'; did you mean \"each\"? Its tasks are: each, z.\n",
    )
    assert run("logs", ref.id, "each[2]") == (1, "", f"{ref.id} has no item 'each[2]'.\n")


def test_logs_of_one_task_of_a_running_run(run, runs, gate):
    """The others have printed, too."""
    ref = runs.drop(
        "logs-live", f"tasks: [{{id: a, commands: [echo 1, '{gate.command}']}}, {{id: b, commands: [echo 2]}}]"
    )
    runs.wait_until_printed(ref, 2)

    assert run("logs", ref.id, "a")[1] == "a out | 1\n"
    code, _, errors = run("logs", ref.id, "b")
    assert (code, errors) == (0, f"{ref.id} is RUNNING. There is no output yet.\n")
    assert "has no task 'c'. Its tasks are: a, b." in run("logs", ref.id, "c")[2]


def test_logs_mask_the_secrets_of_the_app(run, runs, stack, gate):
    """As the report does: live, from the results, and in `show`; the log itself is what the task has written."""
    secret = stack.settings["BATCH_ACCOUNT_KEY"]
    ref = runs.drop("logs-masked", f"commands: ['echo key={secret}', '{gate.command}', exit 1]")
    runs.wait_until_printed(ref, len(secret))

    live = run("logs", "logs-masked")[1]
    gate.open()
    runs.wait_until_complete(ref)

    for printed in (live, run("logs", "logs-masked")[1], run("show", "logs-masked")[1]):
        assert "| key=******\n" in printed
        assert secret not in printed


@pytest.fixture
def no_quota(stack):
    """An account whose quota of active jobs is used up."""
    settings = f"{stack.settings['BATCH_ACCOUNT_ENDPOINT']}/_local/settings"
    before = httpx.get(settings).json()["activeJobQuota"]
    httpx.patch(settings, json={"activeJobQuota": 0}).raise_for_status()
    yield
    httpx.patch(settings, json={"activeJobQuota": before}).raise_for_status()


@pytest.mark.usefixtures("no_quota")
def test_a_run_that_waits_says_why_and_can_be_cancelled(run, runs):
    """In the list, and where its logs are asked for."""
    ref = runs.drop("waits", "commands: [echo]")
    reason = "waits for the account's quota of active jobs"
    row = wait_for(lambda: [line for line in run("ls")[1].splitlines() if ref.id in line and reason in line])

    assert row[0].startswith("QUEUED")
    said = (0, "", f"{ref.id} is QUEUED; it {reason}. There is no output yet.\n")
    wait_for(lambda: run("logs", ref.id) == said)  # while the app tries again, the run has no reason for a moment
    assert run("cancel", ref.id) == (0, f"{ref.id} is cancelled: KILLED.\n", "")


def test_cancel_waits_until_the_end_of_the_run_is_recorded(run, runs, gate):
    """The beginning of the id is enough, if no other open run has it."""
    ended = runs.drop("cancel", "commands: [echo]")
    runs.wait_until_complete(ended)
    ref = runs.drop("cancel", f"commands: [echo 1, '{gate.command}']")
    runs.wait_until_printed(ref, 2)

    assert run("cancel", "cancel-") == (0, f"{ref.id} is cancelled: KILLED.\n", "")
    assert run("cancel", ref.id) == (1, "", f"{ref.id} has ended already: KILLED.\n")


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_an_unknown_run_is_an_error_with_a_suggestion(run, runs, command):
    runs.wait_until_complete(runs.drop("suggested", "commands: [echo]"))

    code, printed, errors = run(command, "sugested")

    assert (code, printed) == (1, "")
    assert errors.startswith("There is no run 'sugested'; did you mean \"suggested")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_stack_it_is_said_how_to_start_one(command, tmp_path, capsys):
    arguments = [] if command == "ls" else ["x"]

    assert main([command, *arguments, "--data-dir", str(tmp_path)]) == 3
    hint = f"Start one with: python -m local up --data-dir {tmp_path}\n"
    assert capsys.readouterr().err == f"No stack is running in {tmp_path}. {hint}"
