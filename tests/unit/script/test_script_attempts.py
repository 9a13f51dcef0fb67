"""Attempts at a task's commands: what each finds, what is left of it, and when there is another one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import zlib
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.documents.names import ATTEMPTS_FILE, HOME, Paths
from shared.script import attempts as script_attempts
from shared.script.attempts import Attempts
from shared.script.build import Commands, Gathering, Link, Marker, build, read_marker
from tests.support.waiting import WAIT_SECONDS

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
TAKING_PROGRAMS_FROM_THE_PATH = [shell for shell in SHELLS if shell[0] != "busybox"]
FUNCTIONS = Path(script_attempts.__file__).with_name("attempts.sh").read_text("utf-8")
AT_ONCE = Attempts(3)


def _namespace() -> list[str]:
    """The command that runs another one as the first process of a namespace; none if this user may not."""
    command = ["unshare", "--pid", "--fork", "--mount-proc"]
    can = (
        shutil.which(command[0])
        and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    )
    return command if can else []


NAMESPACE = _namespace()


@dataclass
class Node:
    """A task's directory as it is on a node, in which a shell runs the script; its logs are files beside `wd`."""

    shell: list[str]
    task: Path
    paths: Paths
    path: str = os.environ["PATH"]

    def start(self, text: str, attempts: Attempts = AT_ONCE, seconds: float = 3600, **more) -> subprocess.Popen[bytes]:
        """Start the script of some commands."""
        limit = timedelta(seconds=seconds)
        commands = Commands(("/bin/sh", "-c"), text, more.pop("env", {}), limit, attempts=attempts, **more)
        script = self.task / "wd" / self.paths.script()
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(build(self.paths, commands))
        with (self.task / "stdout.txt").open("wb") as stdout, (self.task / "stderr.txt").open("wb") as stderr:
            return subprocess.Popen(
                [*self.shell, self.paths.script()],
                cwd=self.task / "wd",
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "PATH": self.path},
                start_new_session=True,
            )

    def run(self, text: str, attempts: Attempts = AT_ONCE, **more) -> int:
        """Run the script of some commands; its exit code. What is left of its group is ended then, as nodes do."""
        task = self.start(text, attempts, **more)
        try:
            return task.wait(WAIT_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(task.pid, signal.SIGKILL)

    def log(self, name: str = "stdout") -> str:
        """What the task printed."""
        return (self.task / f"{name}.txt").read_text()

    @property
    def working(self) -> Path:
        """The working directory of the commands."""
        return self.task / "wd" / self.paths.inputs

    @property
    def notes(self) -> list[list[str]]:
        """What the script noted of attempts."""
        notes = (self.task / "wd" / self.paths.system / ATTEMPTS_FILE).read_text()
        return [line.split(" ") for line in notes.splitlines()]

    def await_line(self, line: str) -> None:
        """Wait until the commands have printed a line."""
        deadline = time.monotonic() + WAIT_SECONDS
        while line not in self.log().splitlines():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def only_with(self, *programs: str, **scripts: str) -> Node:
        """The same, where there are only these programs, and these scripts in the place of others."""
        folder = self.task / "bin"
        folder.mkdir(parents=True)
        for program in programs:
            (folder / program).symlink_to(shutil.which(program))
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        return replace(self, path=str(folder))


@pytest.fixture
def paths(request) -> Paths:
    return Paths(f"run-{os.getpid()}-{zlib.crc32(request.node.name.encode())}", "t")


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def node(request, tmp_path: Path, paths: Paths) -> Node:
    """In every shell."""
    return Node([shutil.which(request.param[0]), *request.param[1:]], tmp_path / "task", paths)


@pytest.fixture(params=TAKING_PROGRAMS_FROM_THE_PATH, ids=lambda shell: shell[0])
def bare_node(request, tmp_path: Path, paths: Paths) -> Node:
    """In every shell that has no programs built in."""
    return Node([shutil.which(request.param[0])], tmp_path / "task", paths)


# --- what an attempt finds: the files that the manifest gives, and nothing of earlier attempts


def test_an_attempt_finds_the_inputs_as_they_were_and_no_other_file(node: Node) -> None:
    """Whatever became of inputs: edited, removed, replaced. Whatever was left: hidden, deep, strangely named."""
    files = {"edited": "1\n", "removed": "2\n", "sub/replaced": "3\n"}
    leave = (
        "echo more >> edited; rm removed; rm -r sub; echo > sub; mkdir -p .a/b ..c '-d'; echo > '.a/b/x y'; echo >'*'"
    )
    node.run(
        f"find . ! -name . ! -name ._home | sort; cat edited removed sub/replaced; {leave}; exit 1",
        Attempts(2),
        files=files,
    )
    first, second = node.log().split(f"\n{MARKER_LINE} 2\n")
    assert first == second == "./edited\n./removed\n./sub\n./sub/replaced\n1\n2\n3\n"


def test_an_attempt_finds_files_with_the_rights_that_they_had(node: Node) -> None:
    node.working.mkdir(parents=True)
    (node.working / "tool").write_text("#!/bin/sh\n")
    (node.working / "tool").chmod(0o777)
    node.run("ls -l | grep tool | cut -c1-10; chmod 600 tool; exit 1", Attempts(2))
    assert node.log().count("-rwxrwxrwx\n") == 2


def test_an_attempt_finds_files_of_earlier_tasks_as_they_were(node: Node) -> None:
    """They are links at first: what is written into one is not found by the next attempt."""
    run = node.paths.run_id
    for name in ("out/a/0/data.csv", "out/b/0/0/part.csv"):
        file = node.task / "wd" / run / name
        file.parent.mkdir(parents=True)
        file.write_text("given\n")
    link = Link("data.csv", (f"{run}/out/a/0/data.csv",))
    gathering = Gathering(".upstream/b", f"{run}/out/b/", 0, f"{run}/in/b/", "", (0,))
    text = "for f in data.csv .upstream/b/0/part.csv; do cat $f; echo mine >>$f; done; exit 1"
    node.run(text, links=(link,), gatherings=(gathering,))
    assert node.log().count("given\n") == 6
    assert "mine" not in node.log()


def test_no_output_of_a_failed_attempt_is_left(node: Node) -> None:
    assert node.run(f"{count_of(node)}; echo > made$n; [ $n -eq 3 ]") == 0
    assert [path.name for path in node.working.iterdir() if path.name != HOME] == ["made3"]


def count_of(node: Node) -> str:
    """Commands that count their attempts as `n`, outside of the working directory."""
    return f"echo >> {node.task}/count; n=$(($(wc -l < {node.task}/count)))"


def test_a_folder_that_its_owner_may_not_write_is_emptied_too(node: Node) -> None:
    assert node.run("ls; mkdir d; echo > d/x; chmod 500 d; exit 3", Attempts(2)) == 3
    assert node.log() == f"\n{MARKER_LINE} 2\n"


def test_more_files_than_fit_into_a_command_line_are_removed(node: Node) -> None:
    many = "i=0; while [ $i -lt 1200 ]; do : >$i; i=$((i + 1)); done; exit 1"
    node.run(f"ls | wc -l; {many}", Attempts(2))
    assert node.log().split() == ["0", *f"{MARKER_LINE} 2".split(), "0"]


def test_the_working_directory_itself_stays(node: Node) -> None:
    """Even where an attempt has removed it, or its link; the output directory is made anew."""
    text = 'echo "$PWD"; ls -A; rm -rf "$OUTPUT_DIR" "$PWD" "$(pwd -P)"; exit 1'
    node.run(text, has_output_directory=True)
    assert node.log().count(f"{node.paths.link}\n{HOME}\noutput\n") == 3
    assert not os.path.lexists(node.paths.link)


def test_a_node_that_begins_the_task_again_begins_with_the_first_attempt_and_the_inputs_as_they_were(
    node: Node,
) -> None:
    """As after a reboot: Batch keeps the directory."""
    text = "cat given; echo changed >given; echo > left; echo ready; ls; sleep 3600"
    task = node.start(text, files={"given": "as it was\n"})
    node.await_line("ready")
    os.killpg(task.pid, signal.SIGKILL)
    task.wait()
    assert node.run("cat given; ls; exit 4", Attempts(2), files={"given": "as it was\n"}) == 4
    assert node.log().split(f"\n{MARKER_LINE} 2\n") == ["as it was\ngiven\n"] * 2
    assert [note[0] for note in node.notes] == ["1", "1", "2", "2"]


def test_without_a_retry_nothing_is_copied_or_noted(node: Node) -> None:
    assert node.run("exit 5", Attempts(1), files={"given": "x"}) == 5
    assert {path.name for path in (node.task / "wd" / node.paths.system).iterdir()} == {"run.sh", "ended"}


MARKER_LINE = "azure-batch-task-runner: attempt"


# --- what is left of an attempt: its part of the logs, a note of its exit code and times, and no process


def test_the_commands_know_the_number_of_the_attempt(node: Node) -> None:
    assert node.run('echo "n=$ATTEMPT"; [ "$ATTEMPT" -eq 2 ]') == 0
    assert node.log() == f"n=1\n\n{MARKER_LINE} 2\nn=2\n"


def test_both_logs_hold_all_attempts_with_a_line_between(node: Node) -> None:
    assert node.run("echo out; printf err >&2; exit 7") == 7
    assert node.log() == f"out\n\n{MARKER_LINE} 2\nout\n\n{MARKER_LINE} 3\nout\n"
    assert node.log("stderr") == f"err\n{MARKER_LINE} 2\nerr\n{MARKER_LINE} 3\nerr"


def test_notes_tell_exit_codes_times_and_where_in_the_logs_an_attempt_begins(node: Node) -> None:
    began = int(time.time())
    node.run("echo out; echo err >&2; exit 7", Attempts(2))
    notes = node.notes
    assert [note[:2] for note in notes] == [["1", "begins"], ["1", "ends"], ["2", "begins"], ["2", "ends"]]
    assert [note[3:] for note in notes] == [["0", "0"], ["7"], ["4", "4"], ["7"]]
    assert all(began <= int(note[2]) <= time.time() for note in notes)


def test_processes_of_an_attempt_are_ended_before_the_next_one(node: Node) -> None:
    """Also in a group of their own, and those that ignore signals; none writes into the directory later."""
    loop = "trap '' TERM HUP; while :; do echo x >>late; sleep 0.01; done"
    leave = f"({loop}) & set -m; ({loop}) & while [ ! -e late ]; do sleep 0.01; done"
    node.run(f"ls; {count_of(node)}; if [ $n -eq 1 ]; then {leave}; fi; exit 1", Attempts(2))
    assert node.log() == f"\n{MARKER_LINE} 2\n"
    assert "Killed" not in node.log("stderr")


@pytest.mark.skipif(not NAMESPACE, reason="this user may not make a namespace of processes, as containers have")
def test_as_the_first_process_of_a_container_the_script_ends_every_other_one(node: Node) -> None:
    """Also a daemon, which is in a session of its own."""
    node = replace(node, shell=[*NAMESPACE, *node.shell])
    pid = node.task / "pid"
    daemon = f"trap '' TERM; echo \\$\\$ > {pid}; while :; do sleep 0.01; done"
    again = f"if [ -e {pid} ]; then [ ! -e /proc/$(cat {pid})/cwd/. ]; exit; fi"
    assert (
        node.run(f'{again}; setsid sh -c "{daemon}" & while [ ! -s {pid} ]; do sleep 0.01; done; exit 1', Attempts(2))
        == 0
    )


def test_an_attempt_that_reaches_the_time_limit_has_failed(node: Node) -> None:
    assert node.run("echo before; sleep 3600; echo after", Attempts(2), seconds=1) == 124
    assert node.log() == f"before\n\n{MARKER_LINE} 2\nbefore\n"
    assert [note[3] for note in node.notes if note[1] == "ends"] == ["124", "124"]
    report = read_marker(node.log("stderr").splitlines())
    assert report is not None
    assert report.marker is Marker.TIME_LIMIT


def test_an_image_without_other_programs_has_attempts_without_times(bare_node: Node) -> None:
    node = bare_node.only_with("sh", "ln", "cp", "rm", "mkdir", "sleep")
    assert node.run("exit 7", Attempts(2)) == 7
    assert [note[2:] for note in node.notes] == [["-", "-", "-"], ["-", "7"]] * 2


# --- when there is another attempt: after a failure, while attempts and time are left and nobody ends the task


def test_nothing_is_tried_again_after_a_success(node: Node) -> None:
    assert node.run("echo once") == 0
    assert node.log() == "once\n"


def test_nothing_is_tried_again_later_than_the_longest_duration_after_the_first(node: Node) -> None:
    pause = timedelta(seconds=2)
    assert node.run("echo once; exit 6", Attempts(None, timedelta(seconds=1), pause, pause)) == 6
    assert node.log() == "once\n"


def test_there_may_be_any_number_of_attempts_within_the_longest_duration(node: Node) -> None:
    assert node.run(f"{count_of(node)}; [ $n -eq 4 ]", Attempts(None, timedelta(hours=1))) == 0
    assert [note[0] for note in node.notes] == ["1", "1", "2", "2", "3", "3", "4", "4"]


def test_the_longest_duration_needs_a_clock(bare_node: Node) -> None:
    node = bare_node.only_with("sh", "ln", "cp", "rm", "mkdir", "sleep")
    assert node.run("echo never", Attempts(3, timedelta(hours=1))) == 125
    assert node.log() == ""
    assert read_marker(node.log("stderr").splitlines()).marker is Marker.NO_PROGRAM


def test_nothing_is_tried_if_the_inputs_cannot_be_copied(node: Node) -> None:
    """A later attempt could not find what the first one found."""
    node.working.mkdir(parents=True)
    (node.working / "broken").symlink_to("nowhere")
    assert node.run("echo never") == 125
    assert node.log() == ""
    assert read_marker(node.log("stderr").splitlines()).marker is Marker.NO_ROOM


def test_nothing_is_tried_again_after_a_signal_from_outside(node: Node) -> None:
    task = node.start("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done")
    node.await_line("ready")
    task.terminate()
    assert task.wait(WAIT_SECONDS) == 9
    assert MARKER_LINE not in node.log()


def test_a_signal_ends_a_pause(node: Node) -> None:
    """What the failed attempt made is still there, to be uploaded."""
    pause = timedelta(hours=1)
    task = node.start("echo > made; echo ready; exit 8", Attempts(2, None, pause, pause))
    node.await_line("ready")
    while len(node.notes) < 2:
        time.sleep(0.01)
    task.terminate()
    assert task.wait(WAIT_SECONDS) == 8
    assert [path.name for path in node.working.iterdir() if path.name != HOME] == ["made"]


def test_a_signal_before_the_commands_begin_keeps_them_from_beginning(bare_node: Node) -> None:
    node = bare_node.only_with("sh", "cp", "rm", "mkdir", "sleep", ln=f'kill $PPID; exec {shutil.which("ln")} "$@"')
    assert node.run("echo never") == 143
    assert node.log() == ""


def in_shell(shell: list[str], text: str) -> list[str]:
    """What a shell prints if it knows the functions of attempts.sh."""
    done = subprocess.run([*shell, "-c", f"{FUNCTIONS}\n{text}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


# --- the functions that count pauses, in milliseconds


@pytest.mark.parametrize(
    ("attempts", "pauses"),
    [
        (Attempts(), [0, 0, 0]),
        (Attempts(5, None, timedelta(seconds=1.5), timedelta(seconds=1.5)), [1500, 1500, 1500]),
        (
            Attempts(5, None, timedelta(seconds=1), timedelta(minutes=1), 2.5),
            [1000, 2500, 6250, 15_625, 39_062, 60_000],
        ),
        (Attempts(5, None, timedelta(days=9), timedelta(days=10), 1000), [604_800_000, 604_800_000]),
    ],
)
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_constant_and_exponential_pauses(shell: list[str], attempts: Attempts, pauses: list[int]) -> None:
    values = "; ".join(f"{name}={value}" for name, value in attempts.shell_values().items())
    steps = "next_pause; echo $pause; " * len(pauses)
    assert in_shell(shell, f"{values}; pause=; {steps}") == [str(pause) for pause in pauses]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_random_pauses_are_in_their_range_and_differ_between_items(shell: list[str]) -> None:
    attempts = Attempts(5, None, timedelta(seconds=10), timedelta(seconds=20), is_random=True)
    values = "; ".join(f"{name}={value}" for name, value in attempts.shell_values().items())
    found = [
        int(line)
        for item in range(20)
        for line in in_shell(
            shell, f"{values}; seed=$((77 + {item})); next_pause; echo $pause; next_pause; echo $pause"
        )
    ]
    assert len(set(found)) > 30
    assert all(10_000 <= pause < 20_000 for pause in found)
    assert min(found) < 12_500
    assert max(found) > 17_500


@pytest.mark.parametrize(("pause", "slept"), [(0, "0"), (3000, "3"), (1250, "1.250"), (1005, "1.005")])
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_pause_may_have_fractions_of_a_second(shell: list[str], pause: int, slept: str) -> None:
    text = f'sleep() {{ echo "$1" >&3; }}; stopped=/nowhere; pause={pause}; {{ rest; }} 3>&1'
    assert in_shell(shell, text)[-1:] == [slept]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_sleep_that_knows_no_fractions_gets_the_next_whole_second(shell: list[str]) -> None:
    text = 'sleep() { case $1 in *.*) return 1 ;; esac; echo "$1" >&3; }; stopped=/nowhere; pause=1250; { rest; } 3>&1'
    assert in_shell(shell, text) == ["2"]


def test_what_attempts_and_pauses_take_at_most() -> None:
    """A minute for what is between two attempts; the shorter one of both limits counts."""
    second, hour = timedelta(seconds=1), timedelta(hours=1)
    assert Attempts().seconds(hour) == 3600
    assert Attempts(3, None, second, second).seconds(hour) == 3 * 3600 + 2 * (1 + 60)
    assert Attempts(4, None, second, 3 * second, 2.0).pause_seconds == 1 + 2 + 3
    assert Attempts(4, None, second, 3 * second, is_random=True).pause_seconds == 9
    assert Attempts(None, hour, second, second).seconds(hour) == 2 * 3600 + 60
    assert Attempts(2, hour, second, second).seconds(second) == 2 + 1 + 60
    assert Attempts(100, hour, second, second).seconds(hour) == 2 * 3600 + 60
