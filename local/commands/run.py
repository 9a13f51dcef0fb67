"""`python -m local run`: drop manifests, watch them, and download their results."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from local.commands.options import add_data_dir, add_tick_and_pools, stack_options
from local.data_dir import DataDir
from local.errors import UsageError
from local.ports import AUTO
from local.stack import Stack

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from local.dropped_run import DroppedRun

PURPOSE = "drop manifests, watch them, and download their results"
SUFFIXES = (".yaml", ".yml", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = "Exit code: 0 if every run ended in SUCCESS, 1 if one did not, 2 for wrong usage."
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST", help="a .yaml, .yml or .json file")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the results go, with several manifests into a folder for each (default: D/results/NAME/RUN)",
    )
    add_data_dir(parser)
    add_tick_and_pools(parser.add_argument_group("if no stack is up in D, one of its own is started, with"))


def run(arguments: argparse.Namespace) -> int:
    """Run the manifests to their ends. Raises UsageError or LocalError."""
    manifests = _checked(arguments.manifests)
    with _stack(arguments) as (settings, check):
        from local.run_manifests import RunManifests  # noqa: PLC0415 - with the SDKs, loaded while the services start

        def folder(run: DroppedRun) -> Path:
            if arguments.out is None:
                return Path(arguments.data_dir, "results", run.folder)
            return Path(arguments.out) if len(manifests) == 1 else Path(arguments.out, run.name)

        succeeded = RunManifests(manifests, settings, check, folder).to_their_ends()
    return 0 if succeeded else 1


def _checked(manifests: Sequence[Path]) -> Sequence[Path]:
    """The manifests, if they can be dropped. Raises UsageError."""
    for manifest in manifests:
        if not manifest.is_file():
            raise UsageError(f"There is no file {manifest}.")
        if manifest.suffix not in SUFFIXES:
            raise UsageError(f"{manifest} is not a manifest: its name must end in one of {', '.join(SUFFIXES)}.")
    if len({manifest.stem for manifest in manifests}) < len(manifests):
        raise UsageError("Two of the manifests have the same name. Run them one after the other.")
    return manifests


@contextlib.contextmanager
def _stack(arguments: argparse.Namespace) -> Iterator[tuple[Mapping[str, str], Callable[[], None]]]:
    """The settings of a stack, and what raises an error when it fails: the one that is up, or one of our own."""
    running = DataDir(arguments.data_dir).running_stack()
    if running:
        print(f"Using the stack that is up in {arguments.data_dir}", flush=True)
        yield running.settings, lambda: None
        return
    print("Starting the stack (container tasks run as plain processes) …", flush=True)
    with Stack(stack_options(arguments, ports=AUTO)) as stack:
        yield stack.settings, stack.check
        print("Stopping the stack …", flush=True)
