"""`python -m local storage`: the storage of a stack that is not running, for another command that wants to read it.

When it is ready, it prints the app settings that name it, as one line of JSON. It ends when standard input does, which
it also does if the other command is killed.
"""

from __future__ import annotations

import argparse
import json
import sys

from batchrun.cli.options import add_data_dir
from local.stack.storage_alone import storage_alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `storage`."""
    add_data_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run until standard input ends. Raises ClientError if no stack has been up there, LocalError if one is up."""
    with storage_alone(arguments.data_dir) as settings:
        print(json.dumps(settings), flush=True)
        sys.stdin.read()
    return 0
