"""`python -m local.batch`: the Batch service in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.batch.machine.account import DEFAULT_ACTIVE_JOB_QUOTA
from local.batch.node.blob_naming import BlobNaming
from local.batch.server import DEFAULT_PORT, PoolOption, ServeOptions, serve
from local.errors import LocalError


def main(arguments: list[str] | None = None) -> int:
    """Run the service until it is told to stop; 1 if it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        serve(
            ServeOptions(
                data_dir=options.data_dir,
                port=options.port,
                pools=tuple(options.pool) or (PoolOption(),),
                active_job_quota=options.active_job_quota,
                blob_naming=options.blob_naming,
            )
        )
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.batch", description=__doc__)
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
    parser.add_argument("--active-job-quota", type=int, default=DEFAULT_ACTIVE_JOB_QUOTA, metavar="N")
    parser.add_argument(
        "--blob-naming",
        type=BlobNaming,
        choices=list(BlobNaming),
        default=BlobNaming.WORKING_DIRECTORY,
        help="what blobs of output files with wildcards are named relative to (default: %(default)s)",
    )
    return parser


def _pool(text: str) -> PoolOption:
    try:
        return PoolOption.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
