"""`python -m local env`: the settings of the running stack."""

from __future__ import annotations

import argparse
import shlex

from local.commands.options import add_data_dir
from local.commands.running_stack import running_stack

PURPOSE = "print the settings of the running stack as NAME=VALUE, quoted for a shell"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `env`."""
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them. Raises LocalError if no stack is up."""
    for name, value in sorted(running_stack(arguments.data_dir).settings.items()):
        print(f"{name}={shlex.quote(value)}")
    return 0
