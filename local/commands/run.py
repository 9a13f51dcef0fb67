"""`python -m local run`: drop manifests, watch them, and download their results."""

from __future__ import annotations

import argparse
import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.commands.options import (
    add_containers,
    add_data_dir,
    add_manifests,
    add_tick_and_pools,
    check_manifests,
    stack_options,
)
from local.commands.running_stack import command_line
from local.data_dir import DataDir
from local.errors import UsageError
from local.ports import AUTO
from local.runs.result_folders import ResultFolders
from local.stack import Stack
from local.stack_in_use import StackInUse

PURPOSE = "drop manifests, watch them, and download their results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    parser.epilog = "Exit code: 0 if every run ended in SUCCESS, 1 if one did not, 2 for wrong usage."
    add_manifests(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="an empty or new folder for the results, with several manifests one in it for each (default:"
        " D/results/NAME/RUN)",
    )
    add_data_dir(parser)
    own = parser.add_argument_group("if no stack is up in D, one of its own is started, with")
    add_tick_and_pools(own)
    add_containers(own)


def run(arguments: argparse.Namespace) -> int:
    """Run the manifests to their ends. Raises UsageError or LocalError."""
    manifests = _checked(arguments.manifests)
    folders = ResultFolders(arguments.data_dir, arguments.out, is_only_one=len(manifests) == 1)
    folders.check(manifests)
    with _stack(arguments) as stack:
        from local.run_manifests import RunManifests  # noqa: PLC0415 - with the SDKs, loaded while the services start

        succeeded = RunManifests(manifests, stack, folders.of).to_their_ends()
    return 0 if succeeded else 1


def _checked(manifests: Sequence[Path]) -> Sequence[Path]:
    """The manifests, if they can be dropped. Raises UsageError."""
    check_manifests(manifests)
    if len({manifest.stem for manifest in manifests}) < len(manifests):
        raise UsageError("Two of the manifests have the same name. Run them one after the other.")
    return manifests


@contextlib.contextmanager
def _stack(arguments: argparse.Namespace) -> Iterator[StackInUse]:
    """The stack that is up, or one of our own. Raises UsageError for options that the former cannot follow."""
    running = DataDir(arguments.data_dir).running_stack()
    command = functools.partial(command_line, arguments.data_dir)
    if running:
        if arguments.tick or arguments.pools or arguments.containers:
            raise UsageError(
                f"A stack is up in {arguments.data_dir}: --tick, --pool and --containers are for a stack of the run's"
                " own. Leave them out, or choose another directory with --data-dir."
            )
        print(f"Using the stack that is up in {arguments.data_dir}", flush=True)
        yield StackInUse(running.settings, is_own=False, check=lambda: None, command=command)
        return
    how = "in containers" if arguments.containers else "as plain processes"
    print(f"Starting the stack (container tasks run {how}) …", flush=True)
    with Stack(stack_options(arguments, ports=AUTO, private=True)) as stack:
        yield StackInUse(stack.settings, is_own=True, check=stack.check, command=command)
        print("Stopping the stack …", flush=True)
