"""`python -m local ls`: the open runs of the running stack, and the latest that are complete."""

from __future__ import annotations

import argparse

from local.commands.options import add_data_dir
from local.commands.running_stack import command_line, running_stack

PURPOSE = "list the open runs and the latest complete ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ls`."""
    parser.epilog = (
        "For each run: its state, its id, how long ago it was dropped, how many of its tasks have ended, and\
 why it waits or what went wrong."
    )
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """List them. Raises LocalError if no stack is up."""
    stack = running_stack(arguments.data_dir)
    from local.list_runs import list_runs  # noqa: PLC0415 - with the SDKs, once there is a stack
    from local.show.run_table import print_runs  # noqa: PLC0415

    print_runs(list_runs(stack.settings), command_line(arguments.data_dir, "run", "MANIFEST"))
    return 0
