"""`python -m local.eventgrid`: runs the topics until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import sys
from pathlib import Path

from local.errors import LocalError
from local.event_subscriptions import RECORD_RUN, TASK_ENDED, EventSubscription, subscription_to_ended_runs
from local.eventgrid import TOPIC_KEY
from local.eventgrid.delivery import Delivery
from local.eventgrid.event_store import EventStore
from local.eventgrid.topic import OWN_TOPIC, STORAGE_TOPIC, Topic, topics_app
from local.http_server import listen, serve_until, stop_requested
from local.web_address import web_address

GRACE_SECONDS = 2

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m local.eventgrid", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="where undelivered and dead-lettered events are kept"
    )
    parser.add_argument("--endpoint", required=True, metavar="URL", help="the webhook of the function record_run")
    parser.add_argument(
        "--subscribe",
        type=web_address,
        action="append",
        default=[],
        metavar="URL",
        help="a webhook of somebody who follows runs: it gets the events RunEnded; may be repeated",
    )
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
    store = EventStore(arguments.data_dir)

    def delivery(subscription: EventSubscription, endpoint: str) -> Delivery:
        return Delivery(subscription, store, endpoint, arguments.retry_scale)

    followers = [delivery(_follower(url), url) for url in dict.fromkeys(arguments.subscribe)]
    own = [delivery(RECORD_RUN, arguments.endpoint), *followers]
    of_storage = [delivery(TASK_ENDED, arguments.endpoint)]
    deliveries = [*own, *of_storage]
    if removed := store.keep_only([each.subscription.name for each in deliveries]):
        _log.warning("Removed %d events of subscriptions that are no more.", removed)
    app = topics_app(TOPIC_KEY, Topic(OWN_TOPIC, store, own), Topic(STORAGE_TOPIC, store, of_storage))
    async with asyncio.TaskGroup() as tasks:
        delivering = [tasks.create_task(each.run()) for each in deliveries]
        await serve_until(stop, app, listener, grace_seconds=GRACE_SECONDS)
        for each in delivering:
            each.cancel()


def _follower(url: str) -> EventSubscription:
    """The subscription of a webhook; its name is the same after a restart, so that it gets what waits for it."""
    return subscription_to_ended_runs(f"run-ended-{hashlib.sha256(url.encode()).hexdigest()[:12]}")


if __name__ == "__main__":
    main()
