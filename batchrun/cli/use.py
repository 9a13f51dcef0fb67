"""`use`: names an app by its storage account, and lets commands that name none use it."""

from __future__ import annotations

import argparse
import os

from batchrun.cli._config import LOCAL, Config
from batchrun.client.addresses import Address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `use`."""
    parser.epilog = f"`batchrun use {LOCAL}` goes back to the stack on this machine."
    parser.add_argument("name", metavar="NAME", help="the name of the app, for this command and for --app")
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="its storage account, https://<account>.blob.core.windows.net, or a connection string",
    )


def run(arguments: argparse.Namespace, _whole: object) -> int:
    """Write the configuration. Raises UsageError for what is no name and no storage account."""
    if arguments.storage:
        Address.of(arguments.storage, "--storage")
    config = Config.load(os.environ)
    config.use(arguments.name, arguments.storage)
    print(f"Commands use {arguments.name} from now on, unless they name another app: {config.file}")
    return 0
