"""Options that several commands have, and what they mean."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from local.ports import AUTO, DEFAULT_BASE, DEFAULT_FUNCTIONS_PORT
from local.stack_options import DEFAULT_DATA_DIR, DEFAULT_POOL, StackOptions

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


def add_ports(parser: argparse.ArgumentParser) -> None:
    """`--ports`."""
    parser.add_argument(
        "--ports",
        metavar="BASE",
        help=f"the first of six ports, or {AUTO} for free ones (default: {DEFAULT_BASE} and the four after it, and"
        f" {DEFAULT_FUNCTIONS_PORT} for the Functions host)",
    )


def add_tick_and_pools(parser: argparse._ActionsContainer) -> None:
    """`--tick` and `--pool`."""
    parser.add_argument(
        "--tick", type=_tick, default=1, metavar="SECONDS", help="how often ended jobs are looked for (default: 1)"
    )
    parser.add_argument(
        "--pool",
        action="append",
        type=_pool,
        dest="pools",
        metavar="ID[:NODES[:SLOTS]]",
        help=f"a pool of the Batch account, repeatable; the first is the default (default: {DEFAULT_POOL})",
    )


def stack_options(arguments: argparse.Namespace, *, ports: str | None, functions: bool = True) -> StackOptions:
    """The stack that the options of a command describe."""
    return StackOptions(
        data_dir=arguments.data_dir,
        ports=ports,
        tick=arguments.tick,
        pools=tuple(arguments.pools or [DEFAULT_POOL]),
        functions=functions,
        environ=os.environ,
    )


def _tick(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_TICK:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds from 1 to {LONGEST_TICK}")
    return int(text)


def _pool(text: str) -> str:
    from local.batch.server import PoolOption  # noqa: PLC0415 - loads the whole service

    try:
        PoolOption.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
