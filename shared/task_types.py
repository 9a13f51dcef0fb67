"""Kestra's script task types: the image, the interpreter and the environment of each, and how a Script of it is run.

As in Kestra's own plugins (https://kestra.io/plugins): a `Commands` task hands its commands to the interpreter; the
text of a `Script` task becomes a file that a command runs, except in the shell, which gets the text itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "io.kestra.plugin.scripts"
FORMS = ("Commands", "Script")
_TYPE = re.compile(rf"{re.escape(PREFIX)}\.(?P<language>\w+)\.(?:{'|'.join(FORMS)})")
SHELL = ("/bin/sh", "-c")
_POWERSHELL = ("pwsh", "-NoProfile", "-NonInteractive")


@dataclass(frozen=True)
class Language:
    """What the task types of one language bring along where the manifest does not say.

    `script_runner` is the command that runs the file of a Script, whose name follows it; `fail_fast` is the command
    that makes the interpreter stop at the first command that fails.
    """

    image: str
    script_runner: str | None = None
    script_suffix: str = ""
    env: tuple[tuple[str, str], ...] = ()
    interpreter: tuple[str, ...] = SHELL
    fail_fast: str = "set -e"


_DOTNET_IMAGE = "mcr.microsoft.com/dotnet/sdk:10.0"
_CSHARP = Language(
    _DOTNET_IMAGE,
    "dotnet tool install -g dotnet-script --ignore-failed-sources || true\n"
    'PATH="$PATH:$HOME/.dotnet/tools" dotnet-script',
    ".csx",
)

LANGUAGES = {
    "bun": Language("oven/bun", "bun run", ".ts"),
    "csharp": _CSHARP,
    "deno": Language("denoland/deno", "deno run", ".ts"),
    "dotnet": _CSHARP,
    "fsharp": Language(_DOTNET_IMAGE, "dotnet fsi", ".fsx"),
    "go": Language("golang", "go run", ".go"),
    "groovy": Language("groovy", "groovy", ".groovy"),
    "jbang": Language("jbangdev/jbang-action", "jbang --quiet", ".java"),
    "julia": Language("julia", "julia", ".jl"),
    "lua": Language("nickblah/lua", "lua", ".lua"),
    "node": Language("node", "node", ".js"),
    "perl": Language("perl", "perl", ".pl"),
    "php": Language("php", "php", ".php"),
    "powershell": Language(
        "ghcr.io/kestra-io/powershell:latest",
        " ".join((*_POWERSHELL, "-File")),
        ".ps1",
        interpreter=(*_POWERSHELL, "-Command"),
        fail_fast="$ErrorActionPreference = 'Stop'",
    ),
    # Kestra's newest default is python:3.13-slim, into which Kestra puts its own package; this image brings it along.
    "python": Language(
        "ghcr.io/kestra-io/kestrapy:latest",
        "python",
        ".py",
        env=(("PYTHONUNBUFFERED", "true"), ("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")),
    ),
    "r": Language("r-base", "Rscript", ".R"),
    "ruby": Language("ruby", "ruby", ".rb"),
    "shell": Language("ubuntu"),
}
DEFAULT_TYPE = f"{PREFIX}.shell.Commands"


def all_types() -> list[str]:
    """All task types."""
    return [f"{PREFIX}.{language}.{form}" for language in LANGUAGES for form in FORMS]


def known_types() -> str:
    """All task types, in a line."""
    return f"{PREFIX}.<{'|'.join(LANGUAGES)}>.<{'|'.join(FORMS)}>"


def language_of(task_type: str) -> Language | None:
    """What a task type brings along; None if it is none of ours."""
    match = _TYPE.fullmatch(task_type)
    return LANGUAGES.get(match["language"]) if match else None
