"""A directory that several tasks share: what each finds in it, on a node of its own, run by every shell here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from shared.documents.names import ARCHIVE, HOME, UPSTREAM, Paths
from shared.script.attempts import ONE_ATTEMPT, Attempts
from shared.script.build import Commands, Handover, Link, Marker, build, read_marker
from tests.support.waiting import WAIT_SECONDS, wait_for

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
TARS = [name for name in ("tar", "busybox", "bsdtar") if shutil.which(name)]


@dataclass
class Nodes:
    """Tasks of one directory, each on a node of its own; what one leaves is brought to the next as Batch does."""

    shell: list[str]
    root: Path
    run_id: str
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    logs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def paths(self, name: str) -> Paths:
        """The paths of a task."""
        return Paths(self.run_id, name, directory="wd")

    def working(self, name: str) -> Path:
        """The working directory of a task."""
        return self.root / name / self.paths(name).inputs

    def archive(self, name: str) -> Path:
        """What a task leaves for the next one."""
        return self.root / name / self.paths(name).system / ARCHIVE

    def bring(self, source: str, to: str) -> None:
        """Bring the archive of a task to the node of another, as Batch does with a prefix."""
        target = self.root / to / self.paths(source).archive
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.archive(source), target)

    def start(self, name: str, text: str, *before: str, passes_on: bool = True, first: bool | None = None, **more):
        """Start a task after these, the latest first; it may be the first if there are none."""
        attempts: Attempts = more.pop("attempts", ONE_ATTEMPT)
        seconds = more.pop("seconds", 3600)
        commands = Commands(("/bin/sh", "-c"), text, {}, timedelta(seconds=seconds), attempts=attempts, **more)
        archives = tuple(self.paths(other).archive for other in before)
        handover = Handover(archives, may_be_first=not before if first is None else first, passes_on=passes_on)
        script = self.root / name / self.paths(name).script()
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(build(self.paths(name), commands, handover=handover))
        return subprocess.Popen(
            [*self.shell, self.paths(name).script()],
            cwd=self.root / name,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            start_new_session=True,
        )

    def run(self, name: str, text: str, *before: str, **more) -> int:
        """Run a task after these, the latest first; its exit code."""
        for other in before:
            if self.archive(other).exists():
                self.bring(other, name)
        task = self.start(name, text, *before, **more)
        try:
            self.logs[name], self.errors[name] = task.communicate(timeout=WAIT_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(task.pid, signal.SIGKILL)
        return task.returncode

    def use_script(self, name: str, text: str) -> None:
        """Let a program be this script from now on; not in a shell that has programs built in."""
        if self.shell[0].endswith("busybox"):
            pytest.skip("this shell has programs built in")
        folder = self.root / "scripts"
        folder.mkdir()
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
        self.env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def use_tar(self, program: str) -> None:
        """Let `tar` be this program from now on."""
        folder = self.root / f"bin-{program}"
        if not folder.exists():
            folder.mkdir()
            (folder / "tar").symlink_to(shutil.which(program))
        self.env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def failure(self, name: str) -> Marker | None:
        """Why the script itself ended a task."""
        report = read_marker(self.errors[name].splitlines())
        return report.marker if report else None


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def nodes(request, tmp_path: Path) -> Nodes:
    run_id = f"run-{os.getpid()}-{zlib.crc32(request.node.name.encode())}"
    return Nodes([shutil.which(request.param[0]), *request.param[1:]], tmp_path, run_id)


@pytest.fixture
def without(nodes: Nodes, tmp_path: Path) -> Callable[..., Nodes]:
    """The nodes with nothing but these programs in the PATH; others are replaced by scripts."""
    if nodes.shell[0].endswith("busybox"):
        pytest.skip("this shell has programs built in")

    def made(*programs: str, **scripts: str) -> Nodes:
        folder = tmp_path / "bin"
        folder.mkdir()
        for program in programs:
            (folder / program).symlink_to(shutil.which(program))
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        nodes.env = {**os.environ, "PATH": str(folder)}
        return nodes

    return made


NEEDED = ("sh", "mkdir", "rm", "rmdir", "ln", "cp", "cat", "id", "wc", "date", "sleep", "ls")


@pytest.mark.parametrize("packs", TARS)
@pytest.mark.parametrize("unpacks", TARS)
def test_a_task_finds_what_the_one_before_has_left(nodes: Nodes, packs: str, unpacks: str) -> None:
    """Deep, hidden, strangely named, links, modes; and an absolute path that was written into a file still holds.

    Whichever tar their images have.
    """
    long = "l" * 150
    make = (
        f"mkdir -p a/.b ./-d {long}; echo deep >'a/.b/x y'; echo dash >./-d/-f; echo >'*'; ln -s a/.b link; "
        f"ln -s nowhere dangling; echo tool >tool; chmod 750 tool; ln tool same; mkdir ro; echo >ro/x; chmod 555 ro; "
        f'echo long >{long}/{long}; echo "$WORKING_DIR/a/.b/x y" >where'
    )
    nodes.use_tar(packs)
    assert nodes.run("t1", make) == 0
    text = (
        "find . -name ._home -o -print; echo; cat 'link/x y' ./-d/-f l*/l*; cat \"$(cat where)\"; readlink dangling; "
        "ls -l tool | cut -c1-10; [ tool -ef same ] && echo same; echo more >>tool"
    )
    nodes.use_tar(unpacks)
    assert nodes.run("t2", text, "t1", passes_on=False) == 0, nodes.errors
    names, _, rest = nodes.logs["t2"].replace("x y", "x_y").replace(long, "long").partition("\n\n")
    assert set(names.split()) == {
        ".", "./*", "./-d", "./-d/-f", "./a", "./a/.b", "./a/.b/x_y", "./dangling", "./link", "./long", "./long/long",
        "./ro", "./ro/x", "./same", "./tool", "./where",
    }  # fmt: skip
    assert rest == "deep\ndash\nlong\ndeep\nnowhere\n-rwxr-x---\nsame\n"
    assert nodes.errors["t2"] == ""


def test_what_a_task_removes_stays_removed(nodes: Nodes) -> None:
    nodes.run("t1", "echo 1 >one; echo 2 >two")
    nodes.run("t2", "rm one; echo 3 >two", "t1")
    nodes.run("t3", "ls; cat two", "t2", passes_on=False)
    assert nodes.logs["t3"] == "two\n3\n"


@pytest.mark.parametrize(("text", "code"), [("echo x >made; exit 3", 3), ("echo x >made; sleep 600", 124)])
def test_a_task_that_fails_passes_on_what_it_has_made(nodes: Nodes, text: str, code: int) -> None:
    """Its exit code stays what it is."""
    assert nodes.run("t1", text, seconds=1 if code == 124 else 3600) == code
    nodes.run("t2", "cat made", "t1", passes_on=False)
    assert nodes.logs["t2"] == "x\n"


def test_what_is_only_for_one_task_is_not_passed_on(nodes: Nodes) -> None:
    """Its home with caches of programs, and files of earlier tasks."""
    source = nodes.root / "t1" / nodes.run_id / "out/a/0/data.csv"
    source.parent.mkdir(parents=True)
    source.write_text("data\n")
    link = Link(f"{UPSTREAM}/a/data.csv", (f"{nodes.run_id}/out/a/0/data.csv",))
    assert nodes.run("t1", f'cp {UPSTREAM}/a/data.csv "$HOME"/cached; ls -A', links=(link,)) == 0
    assert nodes.logs["t1"].split() == [HOME, UPSTREAM]
    nodes.run("t2", 'ls -A; ls -A "$HOME"', "t1", passes_on=False)
    assert nodes.logs["t2"] == f"{HOME}\n"


def test_the_output_directory_of_a_task_is_not_that_of_the_next(nodes: Nodes) -> None:
    """Kestra gives each a folder of its own (CommandsWrapper.java); a folder of that name is one like any other."""
    nodes.run("t1", 'echo >"$OUTPUT_DIR/x"', has_output_directory=True)
    nodes.run("t2", 'ls "$OUTPUT_DIR"', "t1", has_output_directory=True)
    assert (nodes.logs["t2"], nodes.errors["t2"]) == ("", "")
    nodes.run("t3", "mkdir output; echo >output/own", "t2")
    nodes.run("t4", "ls output", "t3", passes_on=False)
    assert nodes.logs["t4"] == "own\n"


def test_what_a_task_brings_lies_over_what_is_there(nodes: Nodes) -> None:
    """A file of an earlier task, too: the next task finds a file, not a link into a node that it never sees."""
    nodes.run("t1", "echo old >a; echo old >b; mkdir s; echo old >s/c; echo old >d")
    staged = nodes.working("t2") / "b"
    staged.parent.mkdir(parents=True)
    staged.write_text("staged\n")
    source = nodes.root / "t2" / nodes.run_id / "out/x/0/data.csv"
    source.parent.mkdir(parents=True)
    source.write_text("linked\n")
    link = Link("s/c", (f"{nodes.run_id}/out/x/0/data.csv",))
    show = "for f in a b s/c d; do cat $f; done"
    assert nodes.run("t2", show, "t1", files={"a": "text\n"}, links=(link,)) == 0
    assert nodes.logs["t2"] == "text\nstaged\nlinked\nold\n"
    source.unlink()
    nodes.run("t3", show, "t2", passes_on=False)
    assert nodes.logs["t3"] == "text\nstaged\nlinked\nold\n"


def test_every_attempt_begins_with_what_the_task_before_has_left(nodes: Nodes) -> None:
    """Links stay links: a copy of what they lead to is no environment of Python."""
    nodes.run("t1", "echo 1 >given; ln -s given link; ln -s /nowhere dangling")
    text = "ls -A; cat given; readlink link dangling own; echo 2 >given; rm link; echo >left; exit 1"
    assert nodes.run("t2", text, "t1", attempts=Attempts(3), files={"own": "x"}) == 1
    first, *others = nodes.logs["t2"].split("\nazure-batch-task-runner: attempt ")
    assert first == f"{HOME}\ndangling\ngiven\nlink\nown\n1\ngiven\n/nowhere\n"
    assert [each[2:] for each in others] == [first, first]
    nodes.run("t3", "ls; cat given", "t2", passes_on=False)
    assert nodes.logs["t3"] == "dangling\ngiven\nleft\nown\n2\n", "the last attempt is passed on"


def test_a_node_that_begins_a_task_again_begins_with_what_the_one_before_has_left(nodes: Nodes) -> None:
    """As after a reboot: Batch keeps the directory, and fetches nothing again. Never half of a directory."""
    nodes.run("t1", "echo 1 >given; echo >gone")
    nodes.bring("t1", "t2")
    task = nodes.start("t2", "echo 2 >given; rm gone; echo >half; echo ready; sleep 600", "t1", files={"own": "1\n"})
    assert task.stdout.readline() == "ready\n"
    os.killpg(task.pid, signal.SIGKILL)
    task.communicate()
    assert nodes.run("t2", "ls; cat given own", "t1", files={"own": "1\n"}) == 0
    assert nodes.logs["t2"] == "given\ngone\nown\n1\n1\n"


def test_the_archive_of_the_latest_task_that_has_left_one_counts(nodes: Nodes) -> None:
    nodes.run("t1", "echo 1 >x")
    nodes.run("t3", "cat x; echo 3 >x", "t2", "t1", first=False)
    nodes.run("t4", "cat x", "t3", "t2", "t1", first=False, passes_on=False)
    assert (nodes.logs["t3"], nodes.logs["t4"]) == ("1\n", "3\n")


def test_a_task_that_may_be_the_first_begins_with_what_it_brings(nodes: Nodes) -> None:
    assert nodes.run("t2", "cat own", "t1", first=True, files={"own": "x\n"}) == 0
    assert nodes.logs["t2"] == "x\n"


def test_a_directory_that_is_not_there_is_a_failure_of_its_own(nodes: Nodes) -> None:
    assert nodes.run("t2", "echo never", "t1", first=False) == 125
    assert (nodes.failure("t2"), nodes.logs["t2"]) == (Marker.NOT_PASSED_ON, "")
    assert not nodes.archive("t2").exists(), "the task after it may take what was there before"


@pytest.mark.parametrize("damage", ["empty", "cut", "empty, for a tar that takes it"])
def test_half_a_directory_is_none(nodes: Nodes, damage: str) -> None:
    """An older one is not taken in its place. The tar of BSD unpacks an empty file, and says nothing."""
    nodes.run("t0", "echo 0 >x")
    nodes.run("t1", "echo 1 >x; i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i + 1)); done >big", "t0")
    content = nodes.archive("t1").read_bytes()
    nodes.archive("t1").write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    if "takes" in damage:
        nodes.use_script("tar", "exit 0")
    assert nodes.run("t2", "echo never", "t1", "t0", first=False) == 125
    assert (nodes.failure("t2"), nodes.logs["t2"]) == (Marker.NOT_PASSED_ON, "")


def test_an_image_without_tar_is_told_before_the_commands_run(without: Callable[..., Nodes]) -> None:
    nodes = without(*NEEDED)
    assert nodes.run("t1", "echo never") == 125
    assert (nodes.failure("t1"), nodes.logs["t1"]) == (Marker.NO_TAR, "")


def test_a_task_with_nobody_before_and_after_it_needs_no_tar(without: Callable[..., Nodes]) -> None:
    nodes = without(*NEEDED)
    assert nodes.run("t1", "echo alone", passes_on=False) == 0
    assert not nodes.archive("t1").exists()


@pytest.mark.parametrize(("code", "ends"), [(0, 125), (3, 3)])
def test_a_directory_that_cannot_be_packed_keeps_the_next_task_from_an_older_one(
    without: Callable[..., Nodes], code: int, ends: int
) -> None:
    """As on a full disk. A failure of the commands comes first."""
    nodes = without(*NEEDED, tar=f'case $1 in -cf) echo no space >&2; exit 2;; esac; exec {shutil.which("tar")} "$@"')
    assert nodes.run("t1", f"exit {code}") == ends
    assert nodes.failure("t1") is Marker.NOT_PASSED_ON
    assert nodes.archive("t1").read_bytes() == b""
    assert nodes.run("t2", "echo never", "t1") == 125
    assert nodes.failure("t2") is Marker.NOT_PASSED_ON


def test_processes_that_the_commands_have_left_are_ended_first(nodes: Nodes) -> None:
    """They could write into files while they are packed."""
    tar = shutil.which("tar")
    nodes.use_script("tar", f'grep "^State:[[:space:]]*[ZX]" "/proc/$(cat pid)/status" >&2; exec {tar} "$@"')
    loop = "trap '' TERM HUP; while :; do sleep 0.01; done"
    assert nodes.run("t1", f"({loop}) >/dev/null 2>&1 & echo $! >pid") == 0
    assert any(sign in nodes.errors["t1"] for sign in ("State:", "No such file")), (
        "it is running, neither ended nor gone"
    )


def test_a_directory_that_the_commands_have_removed_is_passed_on_empty(nodes: Nodes) -> None:
    assert nodes.run("t1", 'echo >x; rm -rf "$PWD" "$(pwd -P)"') == 0
    assert nodes.run("t2", "ls -A", "t1", passes_on=False) == 0
    assert nodes.logs["t2"] == f"{HOME}\n"


def test_an_archive_of_nothing_is_small(nodes: Nodes) -> None:
    nodes.run("t1", "true")
    assert 0 < nodes.archive("t1").stat().st_size <= 10240


def test_the_last_task_packs_nothing(nodes: Nodes) -> None:
    nodes.run("t1", "echo >x")
    nodes.run("t2", "true", "t1", passes_on=False)
    assert not nodes.archive("t2").exists()
    wait_for(lambda: not os.path.lexists(nodes.paths("t2").link))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could give files to others")
def test_files_belong_to_the_user_who_unpacks_them(nodes: Nodes) -> None:
    nodes.run("t1", "echo >x; chown 1234:1234 x .")
    nodes.run("t2", "ls -nd x . | tr -s ' ' | cut -d' ' -f3,4", "t1", passes_on=False)
    assert nodes.logs["t2"] == "0 0\n0 0\n"
