"""The stack that is up in a data directory, for commands that need one."""

from __future__ import annotations

import shlex
from pathlib import Path

from local.data_dir import DataDir, RunningStack
from local.errors import LocalError
from local.stack_options import DEFAULT_DATA_DIR

COMMAND = ("python", "-m", "local")


def command_line(data_dir: Path, command: str, *arguments: str) -> str:
    """A command for this data directory, as a person would type it."""
    where = [] if data_dir == DEFAULT_DATA_DIR else ["--data-dir", str(data_dir)]
    return shlex.join([*COMMAND, command, *where, *arguments])


def running_stack(data_dir: Path) -> RunningStack:
    """The stack that is up; raises LocalError, which says how to start one, if there is none."""
    stack = DataDir(data_dir).running_stack()
    if stack is None:
        raise LocalError(f"No stack is running in {data_dir}. Start one with: {command_line(data_dir, 'up')}")
    return stack
