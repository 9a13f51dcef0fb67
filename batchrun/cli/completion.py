"""`completion`: prints what a shell needs to complete verbs and options."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import shtab


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `completion`."""
    parser.epilog = 'For example in ~/.bashrc: eval "$(batchrun completion bash)"'
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell")


def run(arguments: argparse.Namespace, whole: Callable[[], argparse.ArgumentParser]) -> int:
    """Print the script of a shell."""
    print(shtab.complete(whole(), arguments.shell))
    return 0
