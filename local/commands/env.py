"""`python -m local env`: the settings of the running stack."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from local.commands.options import COMMAND, add_data_dir, data_dir_option
from local.data_dir import DataDir
from local.errors import LocalError

if TYPE_CHECKING:
    import argparse

PURPOSE = "print the settings of the running stack as NAME=VALUE, quoted for a shell"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `env`."""
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them. Raises LocalError if no stack is up."""
    stack = DataDir(arguments.data_dir).running_stack()
    if stack is None:
        start = shlex.join([*COMMAND, "up", *data_dir_option(arguments.data_dir)])
        raise LocalError(f"No stack is running in {arguments.data_dir}. Start one with: {start}")
    for name, value in sorted(stack.settings.items()):
        print(f"{name}={shlex.quote(value)}")
    return 0
