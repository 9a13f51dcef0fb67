"""`python -m local env`: the settings of the running stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.commands.options import add_data_dir
from local.data_dir import DataDir
from local.errors import LocalError

if TYPE_CHECKING:
    import argparse

PURPOSE = "print the settings of the running stack as NAME=VALUE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `env`."""
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them. Raises LocalError if no stack is up."""
    stack = DataDir(arguments.data_dir).running_stack()
    if stack is None:
        raise LocalError(f"No stack is running in {arguments.data_dir}. Start one with: python -m local up")
    for name, value in sorted(stack.settings.items()):
        print(f"{name}={value}")
    return 0
