"""Options that several verbs have, and what they mean. Which app is meant is decided here."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from batchrun.client.apps import DEFAULT_DATA_DIR, App
from batchrun.errors import UsageError
from shared.documents.names import MANIFEST_SUFFIXES


def add_app(parser: argparse.ArgumentParser) -> None:
    """`--data-dir`: the app is that of the local stack in this directory."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        metavar="D",
        help="where the stack keeps its state and its logs (default: %(default)s)",
    )


@contextlib.contextmanager
def app_of(arguments: argparse.Namespace, program: str) -> Iterator[App]:
    """The app that the options name, looked for when the context is entered. Raises ClientError if there is none."""
    yield App.of_stack(arguments.data_dir, program)


def add_manifests(parser: argparse.ArgumentParser) -> None:
    """The manifests."""
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST", help="a .yaml, .yml or .json file")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument(
        "run", metavar="RUN", help="the id of a run, or a beginning of the id that no other run has; `-` is the latest"
    )


def check_manifests(manifests: Sequence[Path]) -> None:
    """Raise UsageError for a path that is not a readable file, or whose name is not that of a manifest."""
    for manifest in manifests:
        if not manifest.is_file():
            raise UsageError(f"There is no file {manifest}.")
        if manifest.suffix.lower() not in MANIFEST_SUFFIXES:
            raise UsageError(
                f"{manifest} is not a manifest: its name must end in one of {', '.join(MANIFEST_SUFFIXES)}."
            )
        try:
            with manifest.open("rb") as content:
                content.read(1)
        except OSError as error:
            raise UsageError(f"{manifest} cannot be read: {error.strerror}.") from error
