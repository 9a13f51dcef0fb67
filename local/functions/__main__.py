"""`python -m local.functions`: runs the Functions host until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from local.errors import LocalError
from local.functions.app_index import load_functions
from local.functions.host import Host
from local.functions.invocation import current_invocation
from local.http_server import listen


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m local.functions", description=__doc__)
    parser.add_argument("--app-root", type=Path, required=True, help="the folder with function_app.py")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    _configure_logging()
    try:
        drained = _run(arguments.app_root.resolve(), arguments.port)
    except LocalError as error:
        sys.exit(str(error))
    if not drained:
        logging.shutdown()
        os._exit(1)  # the interpreter would wait for the threads of abandoned invocations


def _run(app_root: Path, port: int) -> bool:
    storage = os.environ.get("AzureWebJobsStorage")  # noqa: SIM112 - the name of the host's setting
    if not storage:
        raise LocalError("AzureWebJobsStorage is not set: the host needs the connection string of a storage account.")
    listener = listen(port)
    os.chdir(app_root)
    functions = load_functions(app_root, os.environ)
    threads = int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "0"))
    return asyncio.run(Host(functions, storage, threads or None).run(listener))


def _configure_logging() -> None:
    """Log lines of the app and of the host, each with its invocation."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_invocation)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s [%(invocation)s] %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("azure").setLevel(logging.WARNING)  # the host's scans would log a line for each call


def _add_invocation(record: logging.LogRecord) -> bool:
    record.invocation = current_invocation.get()
    return True


if __name__ == "__main__":
    main()
