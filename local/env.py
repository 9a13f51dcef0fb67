"""`python -m local env`: the settings of the running stack."""

from __future__ import annotations

import argparse
import shlex

from batchrun.cli.options import add_data_dir
from local.stack.data_dir import running_stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `env`."""
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the settings. Raises ClientError if no stack is up."""
    for name, value in sorted(running_stack(arguments.data_dir).settings.items()):
        print(f"{name}={shlex.quote(value)}")
    return 0
