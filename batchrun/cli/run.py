"""`run`: checks flows, drops them, shows what happens until all runs are complete, and downloads their results."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import PurePosixPath

from rich.console import Console

from batchrun.cli._targets import NOTHING_DROPPED, Targets
from batchrun.cli._watching import NewRuns, exit_code_of
from batchrun.cli.check import refuse_errors
from batchrun.cli.options import add_flows, add_values, add_waiting
from batchrun.client.apps import App
from batchrun.client.result_folders import ResultFolders
from batchrun.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = (
        "Exit code: 0 if every run ended in SUCCESS or WARNING, 1 if one did not or a manifest has errors, 2 for wrong"
        " usage, 3 if the app cannot be reached."
    )
    add_flows(parser)
    add_values(parser)
    add_waiting(
        parser,
        "an empty or new folder for the results; several manifests get one folder each in it (default:"
        " results/NAME/RUN, of a stack in its data directory)",
    )


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Run the flows until all are complete. Raises UsageError, or ClientError if the app does not answer."""
    targets = Targets.of(arguments)
    if len({PurePosixPath(name).stem for name in targets.names}) < len(targets.names):
        raise UsageError("Two of the manifests have the same name. Run them one after the other.")
    folders = ResultFolders(arguments.out, is_only_one=len(targets.names) == 1)
    folders.check(targets.names)
    with opening as app:
        drops = targets.drops(app)
        refuse_errors(drops, app, NOTHING_DROPPED)
        targets.upload(app, Console(highlight=False))
        states = NewRuns(drops, app, folders, waits=not arguments.no_wait).until_complete()
    return exit_code_of(states, is_strict=arguments.strict)
