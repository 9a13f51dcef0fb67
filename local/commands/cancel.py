"""`python -m local cancel`: ask for the end of a run."""

from __future__ import annotations

import argparse

from local.commands.options import add_data_dir, add_run
from local.commands.running_stack import running_stack

PURPOSE = "cancel a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cancel`."""
    parser.epilog = "Exit code: 0 if the run is cancelled, 1 if it had ended before or nothing came of it."
    add_run(parser)
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Cancel it, and wait until that is recorded. Raises LocalError if it is not."""
    stack = running_stack(arguments.data_dir)
    from local.cancel_run import cancel_run  # noqa: PLC0415 - with the SDKs, once there is a stack

    print(cancel_run(stack.settings, arguments.run))
    return 0
