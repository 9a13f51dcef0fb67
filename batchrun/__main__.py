"""`python -m batchrun`: what a person does with the runs of an app."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from batchrun.cli.options import add_app, app_of
from batchrun.command_line import chosen_verb, exit_code, start, verb_parser

PROGRAM = "python -m batchrun"
VERBS = {
    "run": "drop manifests, watch them, and download their results",
    "check": "report the errors in manifests, and print the Batch jobs that they would make",
    "ls": "list the open runs and the latest complete ones",
    "show": "print everything about a run: its state, its tasks, why it waits, what failed",
    "logs": "print what the tasks of a run have printed",
    "get": "download the results of a run, or some of them",
    "open": "open the report of a run in the browser, or a list of all runs",
    "ns": "put, list, fetch or remove the files of a namespace",
    "cancel": "cancel a run",
}
"""The purpose of each verb. It is a module of `batchrun.cli` with `add_arguments(parser)` and `run(arguments, app)`."""


def main(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    name = chosen_verb(arguments, PROGRAM, "The runs of an Azure Batch Task Runner.", VERBS)
    verb = import_module(f"batchrun.cli.{name}")  # loads the SDKs that the verb needs
    parser = verb_parser(PROGRAM, name, VERBS[name])
    verb.add_arguments(parser)
    add_app(parser)
    parsed = parser.parse_args(arguments[1:])
    return int(verb.run(parsed, app_of(parsed, PROGRAM)))


if __name__ == "__main__":
    start(main)
