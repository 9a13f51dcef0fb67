"""Options that several commands have, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from local.errors import UsageError
from local.ports import AUTO, DEFAULT_BASE, DEFAULT_FUNCTIONS_PORT, base_port
from local.stack_options import DEFAULT_DATA_DIR, DEFAULT_POOL, DEFAULT_TICK, StackOptions

SUFFIXES = (".yaml", ".yml", ".json")
LONGEST_TICK = 59  # what the seconds of a timer's schedule can say


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """`--data-dir`."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        metavar="D",
        help="where the stack keeps its state and its logs (default: %(default)s)",
    )


def add_manifests(parser: argparse.ArgumentParser) -> None:
    """The manifests."""
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST", help="a .yaml, .yml or .json file")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("run", metavar="RUN", help="the id of a run, or the beginning of it that no other run has")


def check_manifests(manifests: Sequence[Path]) -> None:
    """Raise UsageError for what is no file, or cannot be read, or has not the name of a manifest."""
    for manifest in manifests:
        if not manifest.is_file():
            raise UsageError(f"There is no file {manifest}.")
        if manifest.suffix not in SUFFIXES:
            raise UsageError(f"{manifest} is not a manifest: its name must end in one of {', '.join(SUFFIXES)}.")
        try:
            with manifest.open("rb") as content:
                content.read(1)
        except OSError as error:
            raise UsageError(f"{manifest} cannot be read: {error.strerror}.") from error


def add_ports(parser: argparse.ArgumentParser) -> None:
    """`--ports`."""
    parser.add_argument(
        "--ports",
        type=_ports,
        metavar="BASE",
        help=f"the first of six ports, or {AUTO} for free ones (default: {DEFAULT_BASE} and the four after it, and"
        f" {DEFAULT_FUNCTIONS_PORT} for the Functions host)",
    )


def add_tick_and_pools(parser: argparse._ActionsContainer) -> None:
    """`--tick` and `--pool`."""
    parser.add_argument(
        "--tick", type=_tick, metavar="SECONDS", help=f"how often ended jobs are looked for (default: {DEFAULT_TICK})"
    )
    parser.add_argument(
        "--pool",
        action="append",
        type=_pool,
        dest="pools",
        metavar="ID[:NODES[:SLOTS]]",
        help=f"a pool of the Batch account, repeatable; the first is the default (default: {DEFAULT_POOL})",
    )


def add_containers(parser: argparse._ActionsContainer) -> None:
    """`--containers`."""
    parser.add_argument(
        "--containers",
        action="store_true",
        help="run container tasks in Docker or Podman (default: as plain processes)",
    )


def stack_options(
    arguments: argparse.Namespace, *, ports: str | None, functions: bool = True, private: bool = False
) -> StackOptions:
    """The stack that the options of a command describe."""
    return StackOptions(
        data_dir=arguments.data_dir,
        ports=ports,
        tick=arguments.tick or DEFAULT_TICK,
        pools=tuple(arguments.pools or [DEFAULT_POOL]),
        functions=functions,
        containers=arguments.containers,
        private=private,
        environ=os.environ,
    )


def _tick(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= LONGEST_TICK:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds from 1 to {LONGEST_TICK}")
    return int(text)


def _ports(text: str) -> str:
    try:
        return text if text == AUTO else str(base_port(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pool(text: str) -> str:
    from local.batch.server import PoolOption  # noqa: PLC0415 - loads the whole service

    try:
        PoolOption.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
