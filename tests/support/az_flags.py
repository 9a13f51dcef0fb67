"""Checks every `az` command of the documents and hooks against the help of an installed Azure CLI.

`make az-flags` installs the Azure CLI and runs this; `make test` does not, for its size.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCES = (
    "docs/deploy.md",
    "docs/events.md",
    "docs/operate.md",
    "infra/hooks/postdeploy.sh",
    "infra/hooks/preprovision.py",
    "infra/access.py",
)
COMMAND = re.compile(r"\baz (?P<words>[a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)(?P<rest>[^\n|)]*)")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
IN_PYTHON = re.compile(r"_(?:az|run)\(f?\"([^\"]+)\"")


class Call(NamedTuple):
    """A command and the flags that it is given."""

    command: str
    flags: frozenset[str]


def calls(source: Path) -> Iterator[Call]:
    """The `az` commands of a shell script, of the shell blocks of a document, or of a program."""
    text = source.read_text()
    blocks = {".md": BLOCK, ".py": IN_PYTHON}.get(source.suffix)
    shell = "\n".join(blocks.findall(text)) if blocks else text.replace("$command", "keys")
    shell = re.sub(r"^ *#.*|'az login'", "", shell, flags=re.MULTILINE).replace("\\\n", " ")
    for found in COMMAND.finditer(shell):
        yield Call(found["words"], frozenset(re.findall(r"(?<= )--[a-z][a-z-]*", found["rest"])))


def problems(az: str, call: Call) -> list[str]:
    """What the CLI does not know of a call."""
    done = subprocess.run([az, *call.command.split(), "--help"], capture_output=True, text=True, check=False)
    if done.returncode or "\nCommand\n" not in f"\n{done.stdout}":
        return [f"az {call.command}: there is no such command"]
    known = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    return [f"az {call.command}: there is no {flag}" for flag in sorted(call.flags - known)]


def main(arguments: list[str]) -> int:
    """Check all; 1 if something does not exist."""
    (az,) = arguments
    found = sorted({call for source in SOURCES if (ROOT / source).exists() for call in calls(ROOT / source)})
    with ThreadPoolExecutor(2) as threads:
        wrong = [line for lines in threads.map(lambda call: problems(az, call), found) for line in lines]
    sys.stdout.write("\n".join([*wrong, f"{len(found)} calls, {len(wrong)} problems\n"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
