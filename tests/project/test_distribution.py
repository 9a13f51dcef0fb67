"""The package `batchrun`: what its wheel holds and needs. `make test-clients` builds, installs and uses it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from setuptools import find_packages

from shared.version import VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def requirements(name: str) -> dict[str, str]:
    """The packages of a file of requirements, and the versions it takes."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in lines if line and not line.startswith("-"))


def test_it_holds_every_module_and_file_of_the_client_and_of_the_documents():
    """Also the scripts of tasks and the templates of the report, which no import would miss."""
    packages = find_packages(str(ROOT), include=SETUPTOOLS["packages"]["find"]["include"])
    data = [(package, glob) for package, globs in SETUPTOOLS["package-data"].items() for glob in globs]
    held = {file for package in packages for file in (ROOT / package.replace(".", "/")).glob("*.py")}
    held |= {file for package, glob in data for file in (ROOT / package.replace(".", "/")).glob(glob)}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "batchrun", "shared"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {str(file.relative_to(ROOT)) for file in held} == set(listed)


def test_its_version_is_that_of_the_app():
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "shared.version.VERSION"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_the_changelog_begins_with_that_version_and_says_nothing_twice():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == VERSION
    entries = [" ".join(each.split()) for each in re.split(r"\n- ", text)[1:]]
    assert len(set(entries)) == len(entries)
    assert (len(set(versions)), [each for each in versions if not re.fullmatch(r"\d+\.\d+\.\d+", each)]) == (
        len(versions),
        [],
    )


def test_its_dependencies_are_those_of_the_app_within_the_same_bounds():
    """What both use has been tested in one version."""
    ours = dict(re.fullmatch(r"([\w-]+)(.*)", each).groups() for each in PROJECT["project"]["dependencies"])
    theirs = requirements("requirements.txt") | requirements("requirements-dev.txt")
    assert {name: theirs.get(name) for name in ours} == ours


def test_its_command_is_a_function():
    module, _, function = PROJECT["project"]["scripts"]["batchrun"].partition(":")
    assert find_spec(module) is not None
    assert function == "main"


def test_help_loads_no_sdk():
    """What is typed most must be there at once."""
    program = (
        "import sys; from batchrun.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules} & {'azure', 'pydantic', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]")
