"""`python -m local`: Azure on one machine, and the app on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from batchrun.__main__ import VERBS as VERBS_OF_RUNS
from batchrun.command_line import chosen_verb, exit_code, start, verb_parser
from local.errors import LocalError
from local.runs import PROGRAM, VerbOfRuns

BATCH = "batch"
VERBS = {
    "up": "run the stack until Ctrl-C",
    **VERBS_OF_RUNS,
    "env": "print the settings of the running stack as NAME=VALUE, quoted for a shell",
    "storage": "run the storage of a stopped stack alone, until standard input ends",
    BATCH: "run the Batch service alone, for any Batch client",
}


def main(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    return exit_code(lambda: _run(arguments), LocalError)


def _run(arguments: Sequence[str]) -> int:
    name = chosen_verb(arguments, PROGRAM, "Azure Batch Task Runner on this machine.", VERBS)
    if name == BATCH:
        return int(import_module("local.batch.__main__").main(list(arguments[1:])))
    verb = VerbOfRuns(name) if name in VERBS_OF_RUNS else import_module(f"local.{name}")
    parser = verb_parser(PROGRAM, name, VERBS[name])
    verb.add_arguments(parser)
    return int(verb.run(parser.parse_args(arguments[1:])))


if __name__ == "__main__":
    start(main)
