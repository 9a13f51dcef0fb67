"""`batchrun`, or `python -m batchrun`: what a person does with the runs of an app."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from batchrun.cli.options import READING_VERBS, add_app, app_of
from batchrun.command_line import chosen_verb, exit_code, start, verb_parser

PROGRAM = "batchrun"
VERBS = {
    "run": "drop manifests or run stored flows, watch them, and download their results",
    "check": "report the errors in manifests, and print the Batch jobs that they would make",
    "ls": "list the open runs and the latest complete ones",
    "show": "print everything about a run: its state, its tasks, why it waits, what failed",
    "logs": "print what the tasks of a run have printed",
    "get": "download the results of a run, or some of them",
    "open": "open the report of a run in the browser, or a list of all runs",
    "retry": "run again what did not end well in a run, and take over the rest",
    "flows": "put, list, fetch or remove stored flows, which are run by their names",
    "ns": "put, list, fetch or remove the files of a namespace",
    "cancel": "cancel runs",
    "doctor": "look at everything that a run needs, and say what to do",
}
"""The purpose of each verb. It is a module of `batchrun.cli` with `add_arguments(parser)` and `run(arguments, app)`."""
OWN_VERBS = {
    "use": "name an app, and use it for commands that name none",
    "completion": "print what a shell needs to complete verbs and options",
}
"""Verbs that are about no app: `run(arguments, whole)` gets what makes the parser of the whole command line."""
DESCRIPTION = "The runs of an Azure Batch Task Runner."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of this process; returns its exit code."""
    if arguments is None:
        start(main)
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    program = _program()
    verbs = VERBS | OWN_VERBS
    name = chosen_verb(arguments, program, DESCRIPTION, verbs)
    parser = verb_parser(program, name, verbs[name])
    verb = _add_verb(parser, name)
    parsed = parser.parse_args(arguments[1:])
    return int(
        verb.run(
            parsed, _whole_parser if name in OWN_VERBS else app_of(parsed, program, only_reads=name in READING_VERBS)
        )
    )


def _add_verb(parser: argparse.ArgumentParser, name: str) -> ModuleType:
    """Add the options of a verb; its module."""
    verb = import_module(f"batchrun.cli.{name}")  # loads the SDKs that the verb needs
    verb.add_arguments(parser)
    if name in VERBS:
        add_app(parser)
    return verb


def _whole_parser() -> argparse.ArgumentParser:
    """The parser of all verbs with all their options, for those who list them."""
    parser = argparse.ArgumentParser(PROGRAM, description=DESCRIPTION)
    verbs = parser.add_subparsers()
    for name, purpose in (VERBS | OWN_VERBS).items():
        _add_verb(verbs.add_parser(name, help=purpose), name)
    return parser


def _program() -> str:
    """How this program was called, as other commands of it have to be."""
    return f"python -m {PROGRAM}" if Path(sys.argv[0]).name == "__main__.py" else PROGRAM


if __name__ == "__main__":
    start(main)
