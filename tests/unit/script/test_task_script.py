"""The task's script, run by every shell that is here, as a node runs it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.documents.names import HOME, UPSTREAM, Paths
from shared.script.attempts import Attempts
from shared.script.build import (
    SET_UP_EXIT_CODE,
    SKIPPED_EXIT_CODE,
    Commands,
    Gate,
    Gathering,
    Handover,
    Link,
    Marker,
    build,
    read_marker,
)
from tests.support.waiting import WAIT_SECONDS, wait_for

FIXTURES = Path(__file__).parents[2] / "fixtures/scripts"
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def start(request, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the script of some commands in a task directory of its own, as a process group of its own."""

    def start(text: str, *, seconds: float = 60, env: dict[str, str] | None = None, **more) -> subprocess.Popen[str]:
        paths = Paths(f"run-{os.getpid()}", "t")
        commands = Commands(("/bin/sh", "-c"), text, env or {}, timedelta(seconds=seconds), **more)
        return start_script(paths, build(paths, commands))

    def start_script(paths: Paths, text: str, arguments: str | None = None) -> subprocess.Popen[str]:
        script = tmp_path / paths.script()
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        given = arguments or ("" if paths.item is None else str(paths.item))
        return subprocess.Popen(
            [*request.param, paths.script(), *given.split()],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    start.script = start_script
    return start


def test_exit_code_and_output_are_those_of_the_commands(start) -> None:
    task = start("echo out; echo err >&2; exit 7")
    out, err = task.communicate()
    assert (task.returncode, out, err) == (7, "out\n", "err\n")


def test_working_directory_is_the_link_and_holds_what_is_written(start, tmp_path: Path) -> None:
    """What programs leave in their home, such as caches, is not among the files of the task."""
    link = Paths(f"run-{os.getpid()}", "t").link
    out, _ = start('pwd; echo "$WORKING_DIR $HOME"; echo hi >made.txt').communicate()
    assert out.split() == [link, link, f"{link}/{HOME}"]
    assert (tmp_path / f"run-{os.getpid()}/in/t/made.txt").read_text() == "hi\n"
    assert not os.path.lexists(link), "the link is removed at exit"


def test_environment_is_taken_literally(start) -> None:
    value = 'it\'s "q" $HOME `id` \\ ünï\nsecond line'
    out, _ = start('printf %s "$V"', env={"V": value}).communicate()
    assert out == value


def test_commands_are_stopped_at_the_time_limit_and_the_script_says_so(start) -> None:
    """Exit code 124 and a line that the record is made from; the task still ends by itself, so outputs are uploaded."""
    task = start("echo before; sleep 3600; echo after", seconds=1)
    out, err = task.communicate(timeout=WAIT_SECONDS)
    report = read_marker(err.splitlines())
    assert (task.returncode, out) == (124, "before\n")
    assert report is not None
    assert report.marker is Marker.TIME_LIMIT


def test_commands_may_clean_up_at_the_time_limit(start) -> None:
    out, _ = start('trap "echo cleaned; exit 3" TERM; while :; do sleep 0.05; done', seconds=1).communicate(
        timeout=WAIT_SECONDS
    )
    assert out == "cleaned\n"


def test_a_signal_is_passed_on_to_the_commands(start) -> None:
    task = start('trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.05; done')
    assert task.stdout.readline() == "ready\n"
    os.kill(task.pid, signal.SIGTERM)
    out, _ = task.communicate(timeout=WAIT_SECONDS)
    assert (task.returncode, out) == (9, "got it\n")


def test_no_watchdog_is_left_behind(start) -> None:
    """Nothing holds the output open once the commands have ended: communicate() would wait for it."""
    task = start("exit 0", seconds=3600)
    task.communicate(timeout=WAIT_SECONDS)
    assert task.returncode == 0
    wait_for(lambda: not running_in_group(task.pid))


def running_in_group(group: int) -> list[str]:
    """What still runs of a process group; ended processes that nobody has waited for are not counted."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if line.split()[0] == str(group) and line.split()[1][0] != "Z"]


@pytest.mark.parametrize(
    ("text", "seconds", "code"),
    [("exit 0", 60, 0), ("exit 7", 60, 7), ("kill -KILL $$", 60, 137), ("sleep 3600", 1, 124)],
)
def test_a_marker_of_the_end_is_left_however_the_commands_end(start, tmp_path: Path, text, seconds, code) -> None:
    """Outside the working directory, where no command comes across it."""
    task = start(f"{text}", seconds=seconds)
    task.communicate(timeout=WAIT_SECONDS)
    assert task.returncode == code
    assert (tmp_path / f"run-{os.getpid()}/sys/t/ended").exists()


def test_a_marker_of_the_end_is_left_where_the_script_itself_ends_the_task(start, tmp_path: Path) -> None:
    task = start("true", links=(Link("a.txt", ("never/made",)),))
    task.communicate(timeout=WAIT_SECONDS)
    assert task.returncode == SET_UP_EXIT_CODE
    marker = tmp_path / f"run-{os.getpid()}/sys/t/ended"
    assert marker.exists()
    marker.unlink()
    paths = Paths(f"run-{os.getpid()}", "t")
    commands = Commands(("/bin/sh", "-c"), "true", {}, timedelta(60))
    gated = start.script(paths, build(paths, commands, Gate(needed=("never/made",))))
    gated.communicate(timeout=WAIT_SECONDS)
    assert gated.returncode == SKIPPED_EXIT_CODE
    assert marker.exists()


def test_there_is_no_marker_as_long_as_the_commands_run(start, tmp_path: Path) -> None:
    task = start("echo begun; sleep 3600")
    assert task.stdout.readline() == "begun\n"
    assert not (tmp_path / f"run-{os.getpid()}/sys/t/ended").exists()
    os.killpg(task.pid, signal.SIGKILL)
    task.communicate(timeout=WAIT_SECONDS)


def test_files_of_items_are_gathered_whichever_way_batch_named_them(start, tmp_path: Path) -> None:
    """After their place in the working directory, or in the literal folder of the pattern; several patterns are one."""
    run = f"run-{os.getpid()}"
    for name in (f"0/0/{run}/in/a/parts/x y.txt", "1/0/deep/z.txt", f"1/1/{run}/in/a/other.txt", "2/1/other.txt"):
        file = tmp_path / run / "out/a" / name
        file.parent.mkdir(parents=True)
        file.write_text(name[0])
    gathering = Gathering(f"{UPSTREAM}/a", f"{run}/out/a/", 0, f"{run}/in/a/", "parts/", (0, 1, 2))
    others = replace(gathering, pattern=1, below="")
    out, _ = start(f"cd {UPSTREAM}/a; find . -type f | sort", gatherings=(gathering, others)).communicate()
    assert out.splitlines() == ["./0/parts/x y.txt", "./1/other.txt", "./1/parts/deep/z.txt", "./2/other.txt"]


def test_a_fan_outs_script_does_what_is_said_of_the_item(start) -> None:
    commands = {
        index: Commands(("/bin/sh", "-c"), f"cat own; echo {index} $ITEM_INDEX; pwd", {}, timedelta(60), files=files)
        for index, files in enumerate([{"own": "a 'b'\n"}, {"own": "$c\\n\n"}])
    }
    for index, text in enumerate(["a 'b'\n", "$c\\n\n"]):
        paths = Paths(f"run-{os.getpid()}", "t", index)
        out, err = start.script(paths, build(paths, commands)).communicate()
        assert (out, err) == (f"{text}{index} {index}\n/tmp/run-{os.getpid()}-t-{index}\n", "")


@pytest.mark.parametrize(
    ("there", "runs"),
    [
        ([], False),
        (["a/done"], False),
        (["a/done", "b/done"], True),
        (["a/done", "b/done", "stop/none", "stop/2"], True),
        (["a/done", "b/done", "stop/none", "stop/10"], False),
    ],
)
def test_a_task_runs_only_if_its_gate_is_open(start, tmp_path: Path, there: list[str], runs: bool) -> None:
    """Before anything else; its own branch of a group does not stop it. It says why it did not run."""
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("0\n")
    paths = Paths(f"run-{os.getpid()}", "t")
    gate = Gate(("a/done", "b/done"), (("stop/", 2),), leaves_marker=True)
    task = start.script(paths, build(paths, Commands(("/bin/sh", "-c"), "echo hi", {}, timedelta(60)), gate))
    out, err = task.communicate()
    report = read_marker(err.splitlines())
    assert (task.returncode, out) == ((0, "hi\n") if runs else (SKIPPED_EXIT_CODE, ""))
    assert (report is None) == runs
    assert (tmp_path / f"run-{os.getpid()}/sys/t/begun").exists() == runs
    assert (tmp_path / f"run-{os.getpid()}/in").exists() == runs


@pytest.mark.parametrize("content", ["", "3\n", "begun\n", "00\n"])
def test_a_marker_opens_the_gate_only_if_its_task_ended_well(start, tmp_path: Path, content: str) -> None:
    (tmp_path / "done").write_text(content)
    paths = Paths(f"run-{os.getpid()}", "t")
    gate = Gate(("done",))
    task = start.script(paths, build(paths, Commands(("/bin/sh", "-c"), "echo hi", {}, timedelta(60)), gate))
    out, _ = task.communicate()
    assert (task.returncode, out) == (SKIPPED_EXIT_CODE, "")


@pytest.mark.parametrize("code", [0, 3])
def test_the_marker_for_other_tasks_holds_the_exit_code(start, tmp_path: Path, code: int) -> None:
    paths = Paths(f"run-{os.getpid()}", "t")
    commands = Commands(("/bin/sh", "-c"), f"exit {code}", {}, timedelta(60))
    task = start.script(paths, build(paths, commands, Gate(leaves_marker=True)))
    task.communicate()
    assert (task.returncode, (tmp_path / paths.system / "begun").read_text()) == (code, f"{code}\n")


@pytest.mark.parametrize(
    ("arguments", "there", "runs"),
    [
        ("7", [], True),
        ("7 t/5", [], False),
        ("7 t/5", ["ok/t/6/done"], False),
        ("7 t/5", ["ok/t/5/done"], True),
        ("7 t/5 a", ["ok/t/5/done"], False),
        ("7 t/5 a", ["ok/t/5/done", "ok/a/done"], True),
        ("7 stop:e/7", ["stop/e/2/none"], True),
        ("7 stop:e/7", ["stop/e/2/7"], True),
        ("7 stop:e/7", ["stop/e/1/6", "stop/f/2/6"], True),
        ("7 t/5 stop:e/7", ["ok/t/5/done", "stop/e/2/6"], False),
        ("7 t/5 stop:e/7", ["ok/t/5/done", "stop/e/2/6", "stop/e/2/begun-7"], True),
        ("7 stop:e.3/7 stop:e/3", ["stop/e/2/4"], False),
    ],
)
def test_an_item_asks_for_what_its_script_is_told(
    start, tmp_path: Path, arguments: str, there: list[str], runs: bool
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0\n")
    paths = Paths(f"run-{os.getpid()}", "t", 7)
    commands = Commands(("/bin/sh", "-c"), "true", {}, timedelta(60))
    task = start.script(paths, build(paths, commands, Gate(markers="ok/", failures="stop/", round=2)), arguments)
    task.communicate()
    assert task.returncode == (0 if runs else SKIPPED_EXIT_CODE)


def test_only_known_reports_count() -> None:
    assert read_marker(["azure-batch-task-runner: Unknown: x", "TimeLimitExceeded"]) is None


PLAIN = Commands(("/bin/sh", "-c"), "set -e\necho hi", {}, timedelta(seconds=90))
WITH_FILES = replace(
    PLAIN,
    interpreter=("bash", "-c"),
    text="cat data.csv; echo 'its @seconds {task} %s'",
    env={"NAME": "it's $HOME", "EMPTY": "", "link": "@link"},
    links=(Link("data.csv", ("my-run/out/a/0/data.csv", "my-run/out/a/0/my-run/in/a/data.csv")),),
    gatherings=(Gathering(f"{UPSTREAM}/b", "my-run/out/b/", 1, "my-run/in/b/", "parts/", (0, 2)),),
    files={"sub/a b.txt": "line 1\nline '2' @variants\n"},
    has_output_directory=True,
    attempts=Attempts(3, timedelta(hours=1), timedelta(seconds=1.5), timedelta(minutes=1), factor=2.5),
)
OF_A_DIRECTORY = Paths("my-run", "t", directory="wd")
ARCHIVES = ("my-run/dir/wd/b/directory.tar", "my-run/dir/wd/a/directory.tar")
HANDOVER = Handover(ARCHIVES, may_be_first=False, passes_on=True)
GATE = Gate(("my-run/ok/1/a/done",), (("my-run/stop/g/1/", 2),), "my-run/ok/1/", "my-run/stop/", leaves_marker=True)
SCRIPTS = {
    "one_task": build(Paths("my-run", "t"), PLAIN),
    "with_files": build(Paths("my-run", "my_task"), WITH_FILES),
    "fan_out": build(Paths("my-run", "each", 0), PLAIN),
    "in_a_directory": build(OF_A_DIRECTORY, PLAIN, handover=HANDOVER),
    "gated": build(Paths("my-run", "t", 0), PLAIN, GATE),
    "items_that_differ": build(
        Paths("my-run", "each", 0), {0: WITH_FILES, 3: replace(PLAIN, time_limit=timedelta(seconds=5.5))}
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_whole_text_of_a_script(name: str) -> None:
    """Every byte that nodes run is seen in review. The texts of tasks are never read as placeholders."""
    assert SCRIPTS[name] == (FIXTURES / f"{name}.sh").read_text()


NOT_FOR_THESE = (
    "SC2016",  # commands and values of tasks are in single quotes on purpose
    "SC2034",  # only the scripts of fan-outs use the index of the item
    "SC2329",  # every script has all functions, whether its task needs them or not
)


@pytest.mark.skipif(not SHELLCHECK.exists(), reason="ShellCheck is not installed")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    command = [SHELLCHECK, "--shell=sh", f"--exclude={','.join(NOT_FOR_THESE)}", "-"]
    check = subprocess.run(command, input=SCRIPTS[name], capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (0, "")
