"""`python -m local`: Azure on one machine, and the app on top of it."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType, ModuleType
from typing import NoReturn

from local.errors import LocalError, UsageError
from local.loopback import bypass_proxies

BATCH = "batch"
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code: 0 success, 1 failure, 2 wrong usage, 130 interrupted."""
    try:
        return _run(arguments)
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


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] == [BATCH]:
        from local.batch.__main__ import main as run_batch  # noqa: PLC0415 - loads the whole service

        return run_batch(list(arguments[1:]))
    from local.commands import cancel, check, env, logs, ls, run, up  # noqa: PLC0415 - slow, and can be interrupted by now

    commands = {"up": up, "run": run, "check": check, "ls": ls, "logs": logs, "cancel": cancel, "env": env}
    parsed = _parser(commands).parse_args(arguments)
    return int(commands[parsed.command].run(parsed))


def _parser(commands: Mapping[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Azure Batch Task Runner on this machine.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.items():
        purpose = command.PURPOSE
        description = f"{purpose[0].upper()}{purpose[1:]}."
        command.add_arguments(subparsers.add_parser(name, help=purpose, description=description))
    subparsers.add_parser(BATCH, help="run the Batch service alone, for any Batch client")
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop in an orderly way; that takes a bounded time, and is not to be interrupted again."""
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names and messages may hold anything
    bypass_proxies(os.environ)
    sys.exit(main(sys.argv[1:]))
