"""What Azure installs beside the app, for every Python it may run: pip's resolver decides, nothing is installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unavailable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AZURE_LINUX = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
NAME = re.compile(r"^([A-Za-z0-9-]+)", re.MULTILINE)


def resolve(python: str, *requirements: str) -> subprocess.CompletedProcess[str]:
    """Resolve for a Python on Linux, from wheels alone: Azure's build has no compiler for what has none."""
    platforms = [argument for platform in AZURE_LINUX for argument in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"]
    command += ["--ignore-installed", "--target", "nowhere", "--only-binary=:all:", "--python-version", python]
    command += ["--implementation", "cp", *platforms, "--report", "-", *requirements]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("python", ["3.11", pytest.param("3.12", marks=pytest.mark.chaos), "3.13"])
def test_requirements_resolve(python: str) -> None:
    resolved = resolve(python, "-r", "requirements.txt")
    if resolved.returncode and resolve(python, "typing-extensions").returncode:
        unavailable("the package index cannot be reached")
    assert resolved.returncode == 0, resolved.stderr
    found = {each["metadata"]["name"].lower() for each in json.loads(resolved.stdout)["install"]}
    wanted = {name.lower() for name in NAME.findall((ROOT / "requirements.txt").read_text())}
    assert wanted <= found
