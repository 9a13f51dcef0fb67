"""Kestra's script task types: the image, the interpreter and the environment of each, and how a Script of it is run.

As in Kestra's own plugins (https://kestra.io/plugins): a `Commands` task hands its commands to the interpreter; the
text of a `Script` task becomes a file that a command runs, except in the shell, which gets the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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


_CORE = "io.kestra.plugin.core."
_FOR_EACH = f"use `{_CORE}flow.ForEach`, or give the task a `foreach`"
_IN_COMMANDS = "test for it in the commands, or choose by `{{ condition ? a : b }}`"
_PRINT = """print it, with `echo '::{"outputs": {"name": "value"}}::'` as a command"""
_FETCH = "fetch it in the commands, or name its https:// address in `inputFiles`"
_OUTSIDE = "let the commands of a script task do it"


_INSTEAD: Mapping[str, str] = {
    "flow.WorkingDirectory": "put the commands of its tasks into one task, or pass files by `outputFiles`",
    "flow.If": _IN_COMMANDS,
    "flow.Switch": _IN_COMMANDS,
    "flow.AllowFailure": "give its tasks `allowFailure: true`",
    "flow.Dag": "write its tasks into `tasks` themselves, each with its `dependsOn`",
    "flow.EachParallel": _FOR_EACH,
    "flow.EachSequential": _FOR_EACH,
    "flow.ForEachItem": _FOR_EACH,
    "flow.LoopUntil": "loop in the commands",
    "flow.WaitFor": "loop in the commands",
    "flow.Pause": "a run does not pause; `sleep` in the commands, or drop the rest as a manifest of its own",
    "flow.Sleep": "`sleep` in the commands",
    "flow.Subflow": "drop the other flow as a manifest of its own",
    "log.Log": "use a shell task, with `echo` as a command",
    "debug.Return": _PRINT,
    "debug.Echo": _PRINT,
    "output.OutputValues": _PRINT,
    "execution.Fail": "`exit 1` in the commands",
    "execution.Assert": "test for it in the commands, with `exit 1` where it does not hold",
    "execution.Labels": "the labels are those of the flow",
    "storage.LocalFiles": "name the files in `inputFiles` and `outputFiles`",
    "storage.PurgeCurrentExecutionFiles": "leave it out; staging is emptied when the run is recorded",
    "http.Download": _FETCH,
    "http.Request": _FETCH,
}

_OLD = {
    "io.kestra.core.tasks.flows.": f"{_CORE}flow.",
    "io.kestra.core.tasks.log.": f"{_CORE}log.",
    "io.kestra.core.tasks.debugs.": f"{_CORE}debug.",
    "io.kestra.core.tasks.storages.": f"{_CORE}storage.",
    "io.kestra.plugin.fs.http.": f"{_CORE}http.",
}

_OLD_SCRIPTS = {
    f"io.kestra.core.tasks.scripts.{old}": f"this is the old name of `io.kestra.plugin.scripts.{new}.Commands`"
    for old, new in {"Bash": "shell", "Python": "python", "Node": "node"}.items()
}


def instead_of(task_type: str) -> str | None:
    """What to do instead of a task of one of Kestra's types; None if it looks like no type of Kestra's."""
    if task_type in _OLD_SCRIPTS:
        return _OLD_SCRIPTS[task_type]
    for old, new in _OLD.items():
        if task_type.startswith(old):
            new_type = new + task_type.removeprefix(old)
            return _INSTEAD.get(new_type.removeprefix(_CORE), f"this is the old name of `{new_type}`")
    if task_type.startswith("io.kestra.plugin.scripts."):
        return None
    return _INSTEAD.get(task_type.removeprefix(_CORE), _OUTSIDE) if task_type.startswith("io.kestra.") else None
