"""`get`: downloads the results of a run, or those that patterns name."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path

from batchrun.cli._fetching import check_patterns, fetched, is_wanted
from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from shared.patterns import matches_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `get`."""
    parser.epilog = (
        "A pattern is one of `outputFiles` of a manifest, such as '*.csv', 'outputs/**' or 'logs/each/*/stderr.txt'."
        " What is there with the same size and time is not fetched again. Exit code: 1 if a file could not be fetched."
    )
    add_run(parser)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="only files that match one of these")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder for the files (default: ./RUN)")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Download the results of a run. Raises UsageError, or ClientError if there is no such run or no such file."""
    check_patterns(arguments.patterns)
    with opening as app, Runs.of(app) as runs:
        ref = runs.find(arguments.run)
        files = runs.results.files(ref)
        wanted = [file for file in files if is_wanted(file.name, arguments.patterns, matches_output)]
        if not wanted:
            raise ClientError(f"{ref.id} has no results{' that match' if files else ' yet'}.")
        folder = arguments.out or Path(ref.id)
        where = ["--out", str(arguments.out)] if arguments.out else []
        again = app.command("get", ref.id, *arguments.patterns, *where)
        return fetched(runs.results.to(folder), wanted, folder, again)
