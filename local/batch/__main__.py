"""`python -m local batch`: the Batch service in the foreground. It is described in docs/local-batch.md."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from local.batch.api.faults import Fault, FaultList
from local.batch.machine.limits import DEFAULT_ACTIVE_JOB_QUOTA, NEVER, Limits, NodeLimit
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.faults import NodeFaultList
from local.batch.node.resource_files import EmptyPrefix
from local.batch.server import DEFAULT_PORT, PoolOption, ServeOptions, serve
from local.errors import LocalError
from local.web_address import web_address

M = TypeVar("M", bound=BaseModel)


def main(arguments: list[str] | None = None) -> int:
    """Run the service until it is told to stop; 1 if it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        serve(
            ServeOptions(
                data_dir=options.data_dir,
                port=options.port,
                pools=(*options.pool, *options.container_pool) or (PoolOption(),),
                limits=Limits(options.active_job_quota, tuple(options.node_limit), options.statistics_delay),
                blob_naming=options.blob_naming,
                empty_prefix=options.empty_prefix,
                faults=FaultList(faults=tuple(options.fault)),
                node_faults=options.node_faults,
                containers=options.containers,
                node_identities=tuple(options.node_identity),
                completion_delay=options.completion_delay,
                events=options.events,
            )
        )
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local batch", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".local/batch"), help="where its state survives")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--pool",
        type=_pool,
        action="append",
        default=[],
        metavar="ID[:NODES[:SLOTS]]",
        help="a pool to have from the start; may be repeated (default: local, one node, two slots a core)",
    )
    parser.add_argument(
        "--container-pool",
        type=_container_pool,
        action="append",
        default=[],
        metavar="ID[:NODES[:SLOTS]]",
        help="the same for container tasks, which a pool takes only if it was made for them, and then no others",
    )
    parser.add_argument(
        "--containers",
        action="store_true",
        help="run container tasks in Docker or Podman (default: as plain processes)",
    )
    parser.add_argument(
        "--node-identity",
        action="append",
        default=[],
        metavar="RESOURCE_ID",
        help="a user-assigned identity of these pools, with access to the storage emulator; may be repeated",
    )
    parser.add_argument(
        "--events",
        type=web_address,
        metavar="URL",
        help="post there what storage would tell Event Grid of each blob that a task creates (default: nobody is told)",
    )
    _add_misbehaviour(parser)
    return parser


def _add_misbehaviour(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("misbehaviour", "JSON as the endpoints below /_local take it")
    group.add_argument("--active-job-quota", type=int, default=DEFAULT_ACTIVE_JOB_QUOTA, metavar="N")
    group.add_argument(
        "--blob-naming",
        type=BlobNaming,
        choices=list(BlobNaming),
        default=BlobNaming.WORKING_DIRECTORY,
        help="what blobs of output files with wildcards are named relative to (default: %(default)s)",
    )
    group.add_argument(
        "--completion-delay",
        type=_seconds,
        default=0,
        metavar="SECONDS",
        help="how long after a task's uploads it becomes completed (default: %(default)s)",
    )
    group.add_argument(
        "--empty-prefix",
        type=EmptyPrefix,
        choices=list(EmptyPrefix),
        default=EmptyPrefix.BRINGS_NOTHING,
        help="what a resource file does whose prefix matches no blob (default: %(default)s)",
    )
    group.add_argument(
        "--fault",
        type=_json(Fault),
        action="append",
        default=[],
        metavar="JSON",
        help="""answers that fail or come late; may be repeated: '{"operation": "*", "share": 0.1, "status": 503}'""",
    )
    group.add_argument(
        "--node-faults",
        type=_json(NodeFaultList),
        default=NodeFaultList(),
        metavar="JSON",
        help="""image pulls and uploads that fail: '{"imagePulls": [{"image": "busybox*", "next": 2}]}'""",
    )
    group.add_argument(
        "--node-limit",
        type=_json(NodeLimit),
        action="append",
        default=[],
        metavar="JSON",
        help="""a pool that does not get its nodes; may be repeated: '{"poolId": "local", "nodes": 0}'""",
    )
    group.add_argument(
        "--statistics-delay",
        type=_seconds_or_never,
        default=0,
        metavar="SECONDS",
        help="how long after a task's end its statistics are there, or `never` (default: %(default)s)",
    )


def _seconds_or_never(text: str) -> float:
    return NEVER if text == "never" else _seconds(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return seconds


def _pool(text: str) -> PoolOption:
    try:
        return PoolOption.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _container_pool(text: str) -> PoolOption:
    return replace(_pool(text), containers=True)


def _json(model: type[M]) -> Callable[[str], M]:
    def parse(text: str) -> M:
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise argparse.ArgumentTypeError(f"{first['msg']} {place}".rstrip()) from error

    return parse


if __name__ == "__main__":
    sys.exit(main())
