"""`batchrun` as somebody installs it: a wheel from a fresh clone, in an empty environment, used from another folder.

Part of `make test-clients`: what it downloads takes a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from local.stack.options import REPOSITORY, StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.version import VERSION

MANIFEST = "id: wheel\ncommands: [echo made > made.txt]\noutputFiles: [made.txt]\n"


def main() -> None:
    """Build, install, run; raises if a step fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the user of tasks must be able to enter it
        command = _installed(folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "wheel.yaml").write_text(MANIFEST)
        with Stack(StackOptions(data_dir=folder / "stack", ports=AUTO)) as stack:
            environ = {"PATH": os.environ["PATH"], "BATCHRUN_STACK": str(stack.data_dir.description)}
            _run([command, "run", "wheel.yaml", "--out", "out"], cwd=elsewhere, env=environ)
            _run([command, "ls"], cwd=elsewhere, env=environ)
        assert (elsewhere / "out" / "outputs" / "wheel" / "made.txt").read_text() == "made\n"
    print("wheel: ok")


def _installed(folder: Path) -> str:
    """The command, installed from a wheel of the last commit."""
    _run(["git", "clone", "--quiet", str(REPOSITORY), str(folder / "clone")])
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "clone")])
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    _run([str(python), *pip[1:], "install", str(folder / f"batchrun-{VERSION}-py3-none-any.whl")])
    return str(folder / "venv" / "bin" / "batchrun")


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=cwd, env=env, check=True)


if __name__ == "__main__":
    main()
