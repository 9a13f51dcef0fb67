"""Packages that the script installs before the commands: with what, where to, how often, and what if it cannot."""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.documents.names import Paths
from shared.script.attempts import Attempts
from shared.script.build import SET_UP_EXIT_CODE, Commands, Marker, build, read_marker
from shared.script.packages import Installer, Packages
from tests.support.waiting import WAIT_SECONDS
from tests.support.wheels import wheel_name, wheel_of
from tests.unit.script.test_script_attempts import SHELLS, TAKING_PROGRAMS_FROM_THE_PATH, Node

pytestmark = pytest.mark.sampled

PIP = Packages(Installer.PIP, (f"./{wheel_name('greeting')}",))
NPM = Packages(Installer.NPM, ("left-pad@1.3.0", "@a/b"))
PROGRAMS = ("sh", "rm", "ln", "mkdir", "cat", "cp", "chmod", "sleep", "env", "wc", "date", "ls")
INSTALLS = 'echo "${0##*/} $*" >>"$CALLS"'
"""What a program does that only notes how it was called."""


def _node(shell: list[str], tmp_path: Path, name: str) -> Node:
    paths = Paths(f"run-{os.getpid()}-{zlib.crc32(name.encode())}", "t")
    return Node([shutil.which(shell[0]), *shell[1:]], tmp_path / "task", paths)


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def node(request, tmp_path: Path, monkeypatch) -> Node:
    """In every shell, with the Python of these tests first on the PATH, which has pip."""
    return _node_with_pip(request.param, tmp_path, request.node.name, monkeypatch)


@pytest.fixture
def one_node(request, tmp_path: Path, monkeypatch) -> Node:
    """The same in one shell, where it is pip that is looked at."""
    return _node_with_pip(SHELLS[0], tmp_path, request.node.name, monkeypatch)


def _node_with_pip(shell: list[str], tmp_path: Path, name: str, monkeypatch) -> Node:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    found = replace(_node(shell, tmp_path, name), path=f"{sys.prefix}/bin:{os.environ['PATH']}")
    wheel = found.working / wheel_name("greeting")
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(wheel_of("greeting", "TEXT = 'hello'\n"))
    return found


@pytest.fixture(params=TAKING_PROGRAMS_FROM_THE_PATH, ids=lambda shell: shell[0])
def image(request, tmp_path: Path, monkeypatch):
    """A node whose image has only the given programs; `calls` are those of its installers."""
    calls = tmp_path / "calls"
    monkeypatch.setenv("CALLS", str(calls))

    def image(**scripts: str) -> Node:
        return _node(request.param, tmp_path, request.node.name).only_with(*PROGRAMS, **scripts)

    image.calls = lambda: calls.read_text().splitlines() if calls.exists() else []
    return image


def report_of(node: Node):
    """What the script says of itself."""
    return read_marker(node.log("stderr").splitlines())


IMPORTS = "python -c 'import greeting; print(greeting.TEXT)'"


def test_the_commands_import_what_was_installed(node: Node) -> None:
    assert node.run(IMPORTS, packages=PIP) == 0, node.log("stderr")
    assert node.log() == "hello\n", "what the installer says is in stderr.txt"
    assert "Successfully installed greeting-1.0" in node.log("stderr")


def test_packages_are_no_files_of_the_task_and_not_in_the_python_of_the_machine(one_node: Node) -> None:
    assert one_node.run("find . -name '*greeting*' | sort", packages=PIP) == 0
    assert one_node.log() == f"./{wheel_name('greeting')}\n"
    assert one_node.run(IMPORTS) != 0


def test_packages_are_installed_once_and_are_there_in_every_attempt(node: Node) -> None:
    fails = f'{IMPORTS}; [ "$ATTEMPT" -eq 3 ]'
    assert node.run(f"set -e\n{fails}", Attempts(3), packages=PIP) == 0
    assert node.log().count("hello\n") == 3
    assert node.log("stderr").count("Successfully installed") == 1


def test_what_was_begun_is_begun_anew_by_the_next_attempt(one_node: Node) -> None:
    """The installation belongs to the attempt, as in Kestra; what a failed one has left is removed."""
    lines = ('-r "late.txt"', *PIP.named)
    packages = Packages(Installer.PIP, lines)
    left = one_node.task / "wd" / one_node.paths.system / "packages"
    left.mkdir(parents=True)
    (left / "greeting.py").write_text("TEXT = 'old'\n")
    assert one_node.run(IMPORTS, Attempts(2), packages=packages) == SET_UP_EXIT_CODE
    assert one_node.log("stderr").count("late.txt") >= 2, "it was tried twice"
    assert not left.exists()
    assert "hello" not in one_node.log()


@pytest.mark.parametrize("line", ["nosuch==1.0", "greeting @ file:///nowhere.whl", "not a requirement"])
def test_a_package_that_cannot_be_had_is_a_failure_of_its_own(one_node: Node, line: str) -> None:
    code = one_node.run("echo never", Attempts(1), packages=Packages(Installer.PIP, (line,)))
    report = report_of(one_node)
    assert (code, one_node.log()) == (SET_UP_EXIT_CODE, "")
    assert report.marker is Marker.NOT_INSTALLED
    assert report.message == "pip cannot install the packages; stderr.txt says why"
    assert len(one_node.log("stderr").splitlines()) > 1


def test_the_exit_code_of_the_installers_is_for_the_commands(one_node: Node) -> None:
    """A task whose commands end with the same code has not failed for its packages."""
    assert one_node.run(f"exit {SET_UP_EXIT_CODE}", Attempts(1), packages=PIP) == SET_UP_EXIT_CODE
    assert report_of(one_node) is None


def test_the_time_limit_counts_for_the_installation_too(image) -> None:
    node = image(python="case $2 in pip) case $3 in --version) ;; *) sleep 3600 ;; esac ;; esac")
    task = node.start("echo never", Attempts(1), seconds=1, packages=Packages(Installer.PIP, ("a",)))
    assert task.wait(WAIT_SECONDS) == 124
    assert report_of(node).marker is Marker.TIME_LIMIT


def test_the_environment_of_the_task_says_where_packages_come_from_and_confuses_nothing(node: Node) -> None:
    """Its names may be those of the script's own variables; its own PYTHONPATH stays behind the packages."""
    own = node.task / "own"
    own.mkdir(parents=True)
    (own / "greeting.py").write_text("TEXT = 'mine'\n")
    (own / "other.py").write_text("TEXT = 'other'\n")
    names = ("packages", "python", "notes", "missing", "kestra", "lines", "manager", "task_dir", "link", "marker")
    env = {**dict.fromkeys(names, "x y"), "PYTHONPATH": str(own), "PIP_NO_INDEX": "1"}
    text = f'{IMPORTS}; python -c "import other; print(other.TEXT)"; echo "$packages $python $lines"'
    assert node.run(text, env=env, packages=PIP) == 0, node.log("stderr")
    assert node.log() == "hello\nother\nx y x y x y\n"


PYTHON = f"case $2 in import*) exit 1 ;; esac; {INSTALLS}"
"""A Python without the package kestra."""


@pytest.mark.parametrize(
    ("installer", "scripts", "used"),
    [
        (Installer.UV, {"python": PYTHON, "uv": INSTALLS}, "uv pip install"),
        (Installer.UV, {"python": PYTHON}, "python -m pip install"),
        (Installer.PIP, {"python": PYTHON, "uv": INSTALLS}, "python -m pip install"),
        (Installer.PIP, {"python3": PYTHON}, "python3 -m pip install"),
    ],
)
def test_the_installer_is_the_one_that_is_asked_for_if_the_image_has_it(image, installer, scripts, used) -> None:
    node = image(**scripts)
    assert node.run("true", packages=Packages(installer, ("a==1",))) == 0, node.log("stderr")
    assert image.calls()[-1].startswith(used)
    assert not image.calls()[-1].endswith(" kestra"), "which nobody has asked for"


@pytest.mark.parametrize(("scripts", "installs"), [({"python": PYTHON}, True), ({"python": INSTALLS}, False)])
@pytest.mark.parametrize("named", [(), ("a",)])
def test_kestra_is_installed_unless_the_image_has_it(image, scripts, installs, named) -> None:
    node = image(**scripts)
    assert node.run("true", packages=Packages(Installer.PIP, named, import_kestra=True)) == 0
    installed = [call for call in image.calls() if "pip install" in call]
    assert len(installed) == (1 if installs or named else 0)
    assert [call.endswith(" kestra") for call in installed] == [installs] * len(installed)


@pytest.mark.parametrize("has_python", [True, False])
def test_nothing_is_in_the_way_of_commands_in_an_image_that_has_what_they_import(
    image, has_python, monkeypatch
) -> None:
    """Nor where the image has no Python yet: the commands may bring it."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    node = image(**({"python": INSTALLS} if has_python else {}))
    packages = Packages(Installer.PIP, (), import_kestra=True)
    assert node.run('echo "${PYTHONPATH-none}"', packages=packages) == 0
    assert node.log() == "none\n"


@pytest.mark.parametrize(
    ("packages", "scripts", "message"),
    [
        (Packages(Installer.PIP, ("a",)), {}, "this image has no Python that could install packages"),
        (Packages(Installer.PIP, ("a",)), {"python": "exit 1"}, "this image has no pip that could install packages"),
        (Packages(Installer.UV, ("a",)), {"python": "exit 1"}, "this image has no pip that could install packages"),
        (Packages(Installer.UV, ("a",)), {"python": "", "uv": "exit 2"}, "uv cannot install the packages; stderr"),
        (NPM, {}, "this image has no npm that could install packages"),
        (NPM, {"npm": "exit 7"}, "npm cannot install the packages; stderr.txt says why"),
    ],
)
def test_what_an_image_lacks_is_named(image, packages, scripts, message) -> None:
    node = image(**scripts)
    assert node.run("echo never", Attempts(1), packages=packages) == SET_UP_EXIT_CODE
    assert report_of(node).marker is Marker.NOT_INSTALLED
    assert report_of(node).message.startswith(message)
    assert node.log() == ""


def test_packages_of_node_are_found_beside_the_folders_of_the_task(image) -> None:
    """`import` looks in the folders above the program, `require` also where NODE_PATH says."""
    npm = f'{INSTALLS}; mkdir -p "$3/node_modules/a"; : >"$3/node_modules/a/index.js"'
    node = image(npm=npm)
    text = 'ls "$NODE_PATH"; ls ../../../node_modules; ls -A; [ "$ATTEMPT" -eq 2 ]'
    assert node.run(text, Attempts(2), packages=NPM) == 0, node.log("stderr")
    assert node.log().split("\n\n")[0].splitlines()[:3] == ["a", "a", "._home"]
    [call] = image.calls()
    assert call.endswith("--no-audit --no-fund --no-progress -- left-pad@1.3.0 @a/b")


def test_items_that_differ_may_have_different_packages() -> None:
    one = Commands(("/bin/sh", "-c"), "x", {}, timedelta(60), packages=PIP)
    text = build(Paths("run", "t", 0), {0: one, 1: replace(one, packages=NPM), 2: replace(one, packages=None)})
    assert text.count('set -- "$packages" "$task_dir"') == 2
