"""`python -m local logs`: what the tasks of a run print."""

from __future__ import annotations

import argparse

from local.commands.options import add_data_dir, add_run
from local.commands.running_stack import running_stack

PURPOSE = "print what the tasks of a run have printed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `logs`."""
    parser.epilog = "Each line begins with the task that printed it, and with `out` for stdout or `err` for stderr."
    add_run(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is complete")
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them. Raises LocalError if no stack is up, or there is no such run."""
    stack = running_stack(arguments.data_dir)
    from local.print_logs import print_logs  # noqa: PLC0415 - with the SDKs, once there is a stack

    print_logs(stack.settings, arguments.run, follow=arguments.follow)
    return 0
