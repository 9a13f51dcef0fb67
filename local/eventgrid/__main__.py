"""`python -m local.eventgrid`: runs the topic until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from local.errors import LocalError
from local.event_subscriptions import RECORD_RUN
from local.eventgrid import TOPIC_KEY
from local.eventgrid.delivery import Delivery
from local.eventgrid.event_store import EventStore
from local.eventgrid.topic import topic_app
from local.http_server import listen, serve_until, stop_requested

GRACE_SECONDS = 2


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m local.eventgrid", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="where undelivered and dead-lettered events are kept"
    )
    parser.add_argument("--endpoint", required=True, metavar="URL", help="the webhook to deliver to")
    parser.add_argument(
        "--retry-scale",
        type=float,
        default=1.0,
        help="factor for the waits between attempts and the life of events, for tests (default 1)",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(arguments))
    except LocalError as error:
        sys.exit(str(error))


async def _run(arguments: argparse.Namespace) -> None:
    stop = stop_requested()
    listener = listen(arguments.port)
    delivery = Delivery(RECORD_RUN, EventStore(arguments.data_dir), arguments.endpoint, arguments.retry_scale)
    app = topic_app(TOPIC_KEY, delivery.accept)
    async with asyncio.TaskGroup() as tasks:
        delivering = tasks.create_task(delivery.run())
        await serve_until(stop, app, listener, grace_seconds=GRACE_SECONDS)
        delivering.cancel()


if __name__ == "__main__":
    main()
