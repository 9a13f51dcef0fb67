"""`containerRunOptions`: which options of `docker create` a task may set, and why not the others.

The app sets the user and the entry point of every container, and gives it only the task's directory. An option that
changes this would break the task, or give it access to the node and to other tasks.
"""

from __future__ import annotations

import re
import shlex

ALLOWED = (
    "blkio-weight", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems", "gpus", "hostname",
    "memory", "memory-reservation", "memory-swap", "memory-swappiness", "oom-score-adj", "pids-limit", "shm-size",
    "ulimit",
)  # fmt: skip

_SHORT = {"-m": "--memory", "-c": "--cpu-shares", "-h": "--hostname"}
_OWN = {
    "entrypoint": "the app starts the commands with /bin/sh; use `interpreter`",
    "user": "use `runAs`",
    "u": "use `runAs`",
    "env": "use `env`",
    "e": "use `env`",
    "env-file": "use `env`",
    "workdir": "commands run in {{ workingDir }}",
    "w": "commands run in {{ workingDir }}",
}

_VALUE = re.compile(r"[A-Za-z0-9._:,=/%-]+")


def check_container_run_options(text: str) -> str:
    """The options, as they go to Azure Batch.

    Raises ValueError for an option that is not allowed. Expressions are not rendered: what is checked here is used.
    """
    return shlex.join([part for option in _options(text) for part in option])


def _options(text: str) -> list[tuple[str, ...]]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"the options cannot be read: {error}") from error
    options: list[tuple[str, ...]] = []
    while words:
        name, has_value, value = words.pop(0).partition("=")
        name = _SHORT.get(name, name)
        _check_name(name)
        if not has_value:
            if not words:
                raise ValueError(f"{name} needs a value, such as {name}=1")
            value = words.pop(0)
        _check_value(name, value)
        options.append((f"{name}={value}",))
    return options


def _check_name(name: str) -> None:
    if name.startswith("--") and name[2:] in ALLOWED:
        return
    if not name.startswith("-"):
        raise ValueError(f"expected an option such as --memory=4g, found {name!r}")
    reason = _OWN.get(name.lstrip("-"), "a task can use only its own directory on the node")
    raise ValueError(f"{name} is not allowed: {reason}; allowed are {', '.join(f'--{option}' for option in ALLOWED)}")


def _check_value(name: str, value: str) -> None:
    if value.startswith("-") and value != "-1":
        raise ValueError(f"{name} needs a value, found {value!r}")
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f"{name}: {value!r} is not a valid value; expected letters, digits and . _ : , = / %, without expressions"
        )
