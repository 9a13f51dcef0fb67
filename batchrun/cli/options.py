"""Options that several verbs have, and what they mean. Which app is meant is decided here."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from batchrun.cli import _which
from batchrun.client.apps import DEFAULT_DATA_DIR, App, storage_is_started

READING_VERBS = ("ls", "show", "logs", "get")
"""Verbs for which it is enough that there is storage."""


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """`--data-dir`: the app is that of the local stack in this directory."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        metavar="D",
        help="where the stack keeps its state and its logs (default: %(default)s)",
    )


def add_app(parser: argparse.ArgumentParser) -> None:
    """`--app` and `--data-dir`: the app, which is looked for if neither is given."""
    group = parser.add_argument_group(
        "which app",
        "Without these: the storage account in BATCHRUN_STORAGE, the stack that the file in BATCHRUN_STACK describes,"
        " the app chosen with `batchrun use`, that of the azd environment of this folder, the nearest running stack.",
    ).add_mutually_exclusive_group()
    group.add_argument("--app", metavar="NAME", help="an app named with `batchrun use`, or `local`: the nearest stack")
    group.add_argument("--data-dir", type=Path, metavar="D", help="the local stack in this data directory")


@contextlib.contextmanager
def app_of(arguments: argparse.Namespace, program: str, *, only_reads: bool) -> Iterator[App]:
    """The app that the options name, looked for when the context is entered. Raises ClientError if there is none.

    For a verb that only reads, the storage of a stack that is not running is started, if that can be done.
    """
    choice = _choice(arguments)
    if choice.guess:
        print(f"Using {choice.guess}.", file=sys.stderr, flush=True)
    if only_reads and (data_dir := choice.startable):
        with _stopped(data_dir, choice.command(program)) as app:
            yield app
    else:
        yield choice.open(program)


@contextlib.contextmanager
def _stopped(data_dir: Path, command: Callable[..., str]) -> Iterator[App]:
    from batchrun.client.stopped import storage_of  # noqa: PLC0415 - rarely needed

    with storage_of(data_dir) as settings:
        print(storage_is_started(data_dir), file=sys.stderr, flush=True)
        yield App(settings, command, results=data_dir / "results")


def _choice(arguments: argparse.Namespace) -> _which.Choice:
    if arguments.data_dir:
        return _which.of_data_dir(arguments.data_dir)
    if arguments.app:
        return _which.named(arguments.app, os.environ, Path.cwd())
    return _which.found(os.environ, Path.cwd())


def add_flows(parser: argparse.ArgumentParser) -> None:
    """The flows to run: manifests, or stored flows."""
    parser.add_argument(
        "manifests",
        nargs="+",
        type=Path,
        metavar="MANIFEST",
        help="a .yaml, .yml or .json file, or the name of a stored flow, as in company.team/etl",
    )


def add_values(parser: argparse.ArgumentParser) -> None:
    """What is given to the flow."""
    parser.add_argument(
        "-i",
        "--input",
        action="append",
        default=[],
        dest="inputs",
        metavar="NAME=VALUE",
        help="the value of an input of the flow; of one of type FILE, @ and the path of a file that is uploaded",
    )
    parser.add_argument(
        "--label", action="append", default=[], dest="labels", metavar="NAME=VALUE", help="a label of the run"
    )


def add_waiting(parser: argparse.ArgumentParser, folders: str) -> None:
    """Whether runs are waited for, and where their results go."""
    parser.add_argument("--out", type=Path, metavar="DIR", help=folders)
    parser.add_argument("--no-wait", action="store_true", help="print the ids of the runs, and leave them alone")
    parser.add_argument("--strict", action="store_true", help="exit with 1 also if a run ended in WARNING")


def add_run(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """The run, or the runs if `nargs` says so."""
    parser.add_argument(
        "run" if nargs is None else "runs",
        nargs=nargs,
        metavar="RUN",
        help="the id of a run, a beginning of it that no other run has, or - for the latest run",
    )
