"""`python -m local`: Azure on one machine, and the app on top of it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from local.commands import env, run, up
from local.errors import LocalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

COMMANDS = {"up": up, "run": run, "env": env}
BATCH = "batch"
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code: 0 success, 1 failure, 2 wrong usage."""
    if arguments[:1] == [BATCH]:
        from local.batch.__main__ import main as run_batch  # noqa: PLC0415 - loads the whole service

        return run_batch(list(arguments[1:]))
    parsed = _parser().parse_args(arguments)
    try:
        return int(COMMANDS[parsed.command].run(parsed))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads the output has had enough, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered has nowhere to go
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Azure Batch Task Runner on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        purpose = command.PURPOSE
        command.add_arguments(commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}."))
    commands.add_parser(BATCH, help="run the Batch service alone, for any Batch client")
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop in an orderly way; that takes a bounded time, and is not to be interrupted again."""
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, _interrupt)
    sys.exit(main(sys.argv[1:]))
