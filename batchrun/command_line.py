"""What the command lines `batchrun` and `python -m local` have in common: verbs, exit codes, interruption."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn

from batchrun.errors import ClientError, printable
from batchrun.loopback import bypass_proxies
from shared.version import VERSION

FAILED, INTERRUPTED = 1, 130


def start(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run `main` on this process's arguments, and exit with its result."""
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names and messages may contain any character
    bypass_proxies(os.environ)
    sys.exit(main(sys.argv[1:]))


def exit_code(command: Callable[[], int], *failures: type[Exception]) -> int:
    """Run a command; returns its exit code: 0 success, 1 failure, 2 wrong usage, 3 no app is reached, 130 interrupted.

    ClientError and the classes in `failures` are failures: only their message is printed. So is a file that the system
    refuses, such as one whose name is too long to look for it.
    """
    try:
        return command()
    except ClientError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except failures as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards what is still buffered
        return FAILED
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{printable(str(error.filename))}: {error.strerror}", file=sys.stderr)
        return FAILED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with a message, which quotes what was typed."""
        super().error(printable(message))


def chosen_verb(arguments: Sequence[str], program: str, description: str, verbs: Mapping[str, str]) -> str:
    """The verb that a command line begins with; `verbs` has the purpose of each.

    Exits with a usage message if the command line does not begin with a verb, with the list of verbs for `--help`, and
    with the version for `--version`.
    """
    if arguments[:1] and arguments[0] in verbs:
        return arguments[0]
    parser = _Parser(prog=program, description=description)
    parser.add_argument("--version", action="version", version=f"{program} {VERSION}", help="show the version and exit")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in verbs.items():
        subparsers.add_parser(name, help=purpose)
    parser.parse_args(arguments)
    return parser.error("the command must come before its options")


def verb_parser(program: str, verb: str, purpose: str) -> argparse.ArgumentParser:
    """A parser for the arguments of one verb."""
    return _Parser(prog=f"{program} {verb}", description=f"{purpose[0].upper()}{purpose[1:]}.")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop in an orderly way, which takes a bounded time and must not be interrupted again."""
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.SIG_IGN)
    raise KeyboardInterrupt
