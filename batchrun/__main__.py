"""`batchrun`, or `python -m batchrun`: what a person does with the runs of an app."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from batchrun.cli.options import add_app, app_of
from batchrun.command_line import chosen_verb, exit_code, start, verb_parser

PROGRAM = "batchrun"
VERBS = {
    "run": "drop manifests, watch them, and download their results",
    "check": "report the errors in manifests, and print the Batch jobs that they would make",
    "ls": "list the open runs and the latest complete ones",
    "logs": "print what the tasks of a run have printed",
    "cancel": "cancel runs",
}
"""The purpose of each verb. It is a module of `batchrun.cli` with `add_arguments(parser)` and `run(arguments, app)`."""
OWN_VERBS = {"use": "name an app, and use it for commands that name none"}
"""Verbs that are about no app: their `run(arguments)` gets none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of this process; returns its exit code."""
    if arguments is None:
        start(main)
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    program = _program()
    verbs = VERBS | OWN_VERBS
    name = chosen_verb(arguments, program, "The runs of an Azure Batch Task Runner.", verbs)
    verb = import_module(f"batchrun.cli.{name}")  # loads the SDKs that the verb needs
    parser = verb_parser(program, name, verbs[name])
    verb.add_arguments(parser)
    if name in OWN_VERBS:
        return int(verb.run(parser.parse_args(arguments[1:])))
    add_app(parser)
    parsed = parser.parse_args(arguments[1:])
    return int(verb.run(parsed, app_of(parsed, program)))


def _program() -> str:
    """How this program was called, as other commands of it have to be."""
    return f"python -m {PROGRAM}" if Path(sys.argv[0]).name == "__main__.py" else PROGRAM


if __name__ == "__main__":
    start(main)
