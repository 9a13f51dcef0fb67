"""Kestra's script task types with their image, interpreter and environment; and advice for Kestra's other types.

As in Kestra's own plugins (https://kestra.io/plugins): a `Commands` task hands its commands to the interpreter; the
text of a `Script` task becomes a file that a command runs, except in the shell, which gets the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import did_you_mean
from shared.script.packages import Installer

if TYPE_CHECKING:
    from pydantic import ValidationInfo

SCRIPTS = "io.kestra.plugin.scripts"
_FORMS = ("Commands", "Script")
_TYPE = re.compile(rf"{re.escape(SCRIPTS)}\.(?P<language>\w+)\.(?:{'|'.join(_FORMS)})")
SHELL = ("/bin/sh", "-c")
_POWERSHELL = ("pwsh", "-NoProfile", "-NonInteractive")


@dataclass(frozen=True)
class Language:
    """The defaults of the task types of one language.

    `script_runner` is the command that runs the file of a Script, followed by the file's name; `fail_fast` is the
    command that makes the interpreter stop at the first command that fails; `installer` installs `dependencies`.
    """

    image: str
    script_runner: str | None = None
    script_suffix: str = ""
    env: tuple[tuple[str, str], ...] = ()
    interpreter: tuple[str, ...] = SHELL
    fail_fast: str = "set -e"
    installer: Installer | None = None


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
    "node": Language("node", "node", ".js", installer=Installer.NPM),
    "perl": Language("perl", "perl", ".pl"),
    "php": Language("php", "php", ".php"),
    "powershell": Language(
        "ghcr.io/kestra-io/powershell:latest",
        " ".join((*_POWERSHELL, "-File")),
        ".ps1",
        interpreter=(*_POWERSHELL, "-Command"),
        fail_fast="$ErrorActionPreference = 'Stop'",
    ),
    "python": Language(
        "python:3.13-slim",
        "python",
        ".py",
        env=(("PYTHONUNBUFFERED", "true"), ("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")),
        installer=Installer.UV,
    ),
    "r": Language("r-base", "Rscript", ".R"),
    "ruby": Language("ruby", "ruby", ".rb"),
    "shell": Language("ubuntu"),
}

DEFAULT_TYPE = f"{SCRIPTS}.shell.Commands"


def all_types() -> list[str]:
    """All task types that can be run."""
    return [f"{SCRIPTS}.{language}.{form}" for language in LANGUAGES for form in _FORMS]


def types_pattern() -> str:
    """All task types that can be run, as one short text for messages."""
    return f"{SCRIPTS}.<{'|'.join(LANGUAGES)}>.<{'|'.join(_FORMS)}>"


def language_of(task_type: str) -> Language | None:
    """The language of a task type; None if the type cannot be run."""
    match = _TYPE.fullmatch(task_type)
    return LANGUAGES.get(match["language"]) if match else None


_CORE = "io.kestra.plugin.core."
_PRINT = """print it, with `echo '::{"outputs":{"name":"value"}}::'` as a command"""
_FETCH = "fetch it in the commands, or name its https:// address in `inputFiles`"
_OUTSIDE = "let the commands of a script task do it"


_INSTEAD: Mapping[str, str] = {
    "flow.ForEachItem": "split the file into parts in a task, and give the next one a `foreach` with its `files`",
    "flow.LoopUntil": "loop in the commands",
    "flow.WaitFor": "loop in the commands",
    "flow.Pause": "a run does not pause; use `sleep` in the commands, or drop the later tasks as their own manifest",
    "flow.Sleep": "use `sleep` in the commands",
    "flow.Subflow": "drop the other flow as its own manifest, or put its tasks into a group of this one",
    "flow.Template": "put its tasks into a group of this flow",
    "debug.Echo": _PRINT,
    "execution.Exit": f"use `{_CORE}execution.Fail`, or `exit 1` in the commands",
    "execution.Labels": "the labels are those of the flow",
    **dict.fromkeys(("kv.Get", "kv.Set", "kv.Delete"), "there is no key-value store; use `variables`, or a file"),
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
    f"io.kestra.core.tasks.scripts.{old}": f"this is the old name of `{SCRIPTS}.{new}.Commands`"
    for old, new in {"Bash": "shell", "Python": "python", "Node": "node"}.items()
}


def instead_of(task_type: str) -> str | None:
    """What to do instead of using one of Kestra's other types; None if there is no advice for this type."""
    if task_type in _OLD_SCRIPTS:
        return _OLD_SCRIPTS[task_type]
    for old, new in _OLD.items():
        if task_type.startswith(old):
            new_type = new + task_type.removeprefix(old)
            return _INSTEAD.get(new_type.removeprefix(_CORE), f"this is the old name of `{new_type}`")
    if task_type.startswith(f"{SCRIPTS}."):
        return None
    return _INSTEAD.get(task_type.removeprefix(_CORE), _OUTSIDE) if task_type.startswith("io.kestra.") else None


_GROUPS = (
    "Sequential", "Parallel", "Dag", "If", "Switch", "AllowFailure", "ForEach", "EachSequential", "EachParallel",
    "Loop", "WorkingDirectory",
)  # fmt: skip
GROUP_TYPES = f"{_CORE}flow.<{'|'.join(_GROUPS)}>"
ALL_GROUP_TYPES = tuple(f"{_CORE}flow.{name}" for name in _GROUPS)
APP_TASK_TYPES = tuple(
    f"{_CORE}{name}"
    for name in ("log.Log", "debug.Return", "output.OutputValues", "execution.Fail", "execution.Assert")
)
"""The types of tasks that need no node."""


class _WrittenType(str):
    """The type of a task that the manifest names, and that is not the default."""

    __slots__ = ()


def checked_type(value: str) -> str:
    """The type of a task. Raises ValueError for one that cannot be run, with what to do instead."""
    if language_of(value) is None:
        near = did_you_mean(value, (*all_types(), *ALL_GROUP_TYPES, *APP_TASK_TYPES))
        if (instead := instead_of(value)) and (not near or instead != _OUTSIDE):
            raise ValueError(f"the task type {value!r} is not supported here: {instead}")
        raise ValueError(
            f"{value!r} is not a known task type; expected {types_pattern()}, or for a group {GROUP_TYPES}{near}"
        )
    return _WrittenType(value)


def of_form(name: str, form: str, other: str) -> Callable[[object, ValidationInfo], object]:
    """The check of a property that only types of one form have, as in Kestra; a task without a type may have both."""

    def check(value: object, info: ValidationInfo) -> object:
        written = info.data.get("type")
        if value is not None and isinstance(written, _WrittenType) and written.endswith(f".{other}"):
            right = f"{written.removesuffix(other)}{form}"
            raise ValueError(f"a task of a type that ends in `.{other}` has no `{name}`; write `type: {right}`")
        return value

    return check
