"""The topics, and the HTTP endpoints that publishers post events to."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.azurite_account import ACCOUNT_NAME
from local.eventgrid import OWN_PATH, STORAGE_PATH
from local.eventgrid.delivery import Delivery
from local.eventgrid.event_store import EventStore
from local.eventgrid.events import (
    MAX_REQUEST_BYTES,
    EventSchema,
    InvalidEventsError,
    PublishedEvent,
    TopicResource,
    parse_published,
)

if TYPE_CHECKING:
    from starlette.requests import Request

_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers"
OWN_TOPIC = TopicResource(f"{_GROUP}/Microsoft.EventGrid/topics/azure-batch-task-runner", EventSchema.CLOUD_EVENTS)
"""The topic that the app publishes to, with the schema of `infra/events.bicep`."""
STORAGE_TOPIC = TopicResource(f"{_GROUP}/Microsoft.Storage/storageAccounts/{ACCOUNT_NAME}", EventSchema.EVENT_GRID)
"""The system topic of the storage account, which storage publishes to: here the nodes of the Batch service."""


class Topic:
    """A topic and its subscriptions."""

    def __init__(self, resource: TopicResource, store: EventStore, deliveries: Sequence[Delivery]) -> None:
        self.resource = resource
        self._store = store
        self._deliveries = deliveries

    def accept(self, events: Sequence[PublishedEvent]) -> None:
        """Store each event for the subscriptions whose filter it passes, on disk when this returns; drop the others."""
        passing = [
            (delivery.subscription.name, event)
            for event in events
            for delivery in self._deliveries
            if delivery.subscription.filter.matches(json.loads(event.body))
        ]
        if not passing:
            return
        self._store.add(passing, datetime.now(UTC))
        for delivery in self._deliveries:
            delivery.look_again()


def topics_app(key: str, own: Topic, storage: Topic) -> Starlette:
    """Both topics as an ASGI app; a request is acknowledged when its events are stored. The key is that of `own`."""

    async def publish_own(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("aeg-sas-key", "").encode(), key.encode()):
            return _error(401, "Unauthorized", "The request authorization key is not authorized for this topic.")
        return await _publish(own, request)

    async def publish_storage(request: Request) -> Response:
        return await _publish(storage, request)

    async def health(_request: Request) -> Response:
        return Response(status_code=200)

    return Starlette(
        routes=[
            Route(OWN_PATH, publish_own, methods=["POST"]),
            Route(STORAGE_PATH, publish_storage, methods=["POST"]),
            Route("/_local/health", health),
        ]
    )


async def _publish(topic: Topic, request: Request) -> Response:
    body = await request.body()
    if len(body) > MAX_REQUEST_BYTES:
        return _error(413, "PayloadTooLarge", f"The request is larger than {MAX_REQUEST_BYTES} bytes.")
    try:
        events = parse_published(topic.resource, request.headers.get("content-type", ""), body)
    except InvalidEventsError as error:
        return _error(400, "BadRequest", str(error))
    topic.accept(events)
    return Response(status_code=200)


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
