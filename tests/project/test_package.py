"""The zip that is published."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from infra.package import ROOT, build, main, published_files

APP = ("function_app.py", "host.json", "requirements.txt", "shared")
LARGEST = 1_000_000


def source_files(*paths: str) -> list[str]:
    """What git tracks, or would: no caches, no settings with keys."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *paths]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(filter(None, listing.stdout.split("\0")))


def test_it_holds_the_app_and_nothing_else(tmp_path: Path) -> None:
    """Of everything in the repository, only what the Functions host loads."""
    build(tmp_path / "app.zip")
    with zipfile.ZipFile(tmp_path / "app.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == source_files(*APP)


def test_it_is_small(tmp_path: Path) -> None:
    """Packages are installed by Azure, and every cold start reads the zip."""
    build(tmp_path / "app.zip")
    assert (tmp_path / "app.zip").stat().st_size < LARGEST


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path / "one.zip")
    build(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


LYING_ABOUT = (
    *(".git/config", ".venv/lib/x.py", ".local/stack.json", "local/node_modules/a.js", "local.settings.json"),
    *("shared/__pycache__/app.pyc", "docs/deploy.md", "SECURITY.md", "app.zip", ".env", ".azure/prod/.env"),
    *("batchrun.egg-info/PKG-INFO", "build/lib/shared/app.py"),
)


@pytest.mark.parametrize("name", LYING_ABOUT)
def test_what_lies_about_is_left_out(tmp_path: Path, name: str) -> None:
    """Settings with keys, caches and environments are there when a person publishes, though git does not track them."""
    (tmp_path / ".funcignore").write_text((ROOT / ".funcignore").read_text())
    for file in (name, "shared/app.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert published_files(tmp_path) == ["shared/app.py"]


def test_wrong_usage_is_said() -> None:
    assert main([]) == "usage: python infra/package.py PACKAGE.zip"
