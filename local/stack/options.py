"""How a stack is to be, and the command-line options that say so."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchrun.client.apps import DEFAULT_DATA_DIR
from local.stack.ports import AUTO, DEFAULT_BASE, DEFAULT_FUNCTIONS_PORT, base_port
from local.web_address import web_address

DEFAULT_POOL = "local"
DEFAULT_TICK = 1
LONGEST_TICK = 59  # the largest number of seconds in a timer's schedule
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class StackOptions:
    """How a stack is to be.

    `ports` as in `--ports` (None: the defaults); `tick` is the number of seconds between two polls; `pools` as in
    `--pool`; with `containers` container tasks run in Docker or Podman, otherwise as processes. Other commands do not
    find a `private` stack: it ends with the command that started it. The app gets the settings in `environ` that are
    meant for it. `subscribers` are webhooks, which hear of runs that have ended. For tests, `retry_scale` shortens the
    waits between Event Grid's attempts, and `app_root` is the folder of another app.
    """

    data_dir: Path = DEFAULT_DATA_DIR
    ports: str | None = None
    tick: int = DEFAULT_TICK
    pools: tuple[str, ...] = (DEFAULT_POOL,)
    functions: bool = True
    containers: bool = False
    private: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    subscribers: tuple[str, ...] = ()
    retry_scale: float = 1.0
    app_root: Path = REPOSITORY

    @property
    def default_pool(self) -> str:
        """The id of the first pool."""
        return self.pools[0].partition(":")[0]


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
        "--tick",
        type=_tick,
        metavar="SECONDS",
        help=f"how often the app looks for ended jobs (default: {DEFAULT_TICK})",
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


def add_subscribers(parser: argparse._ActionsContainer) -> None:
    """`--subscribe`."""
    parser.add_argument(
        "--subscribe",
        action="append",
        type=web_address,
        default=[],
        dest="subscribers",
        metavar="URL",
        help="a webhook that gets the event RunEnded of every run, repeatable: docs/events.md",
    )


def stack_options(
    arguments: argparse.Namespace,
    *,
    ports: str | None,
    functions: bool = True,
    private: bool = False,
    subscribers: Sequence[str] = (),
) -> StackOptions:
    """The stack that the parsed options of a command describe."""
    return StackOptions(
        data_dir=arguments.data_dir,
        ports=ports,
        tick=arguments.tick or DEFAULT_TICK,
        pools=tuple(arguments.pools or [DEFAULT_POOL]),
        functions=functions,
        containers=arguments.containers,
        private=private,
        environ=os.environ,
        subscribers=tuple(subscribers),
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
