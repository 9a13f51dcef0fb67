"""Published events: which ones a topic accepts, and in which form a webhook gets them.

Schemas: https://learn.microsoft.com/azure/event-grid/cloud-event-schema and
https://learn.microsoft.com/azure/event-grid/event-schema
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

MAX_REQUEST_BYTES = 1024 * 1024
"""The topic refuses larger requests with 413: https://learn.microsoft.com/azure/event-grid/quotas-limits"""

TOPIC_RESOURCE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.EventGrid/topics/azure-batch-task-runner"
)


class EventSchema(StrEnum):
    """The schema of an event, in which it is published and delivered."""

    CLOUD_EVENTS = "CloudEventSchemaV1_0"
    EVENT_GRID = "EventGridSchema"


REQUIRED = {
    EventSchema.CLOUD_EVENTS: ("id", "source", "type", "specversion"),
    EventSchema.EVENT_GRID: ("id", "subject", "eventType", "eventTime", "dataVersion"),
}


class InvalidEventsError(Exception):
    """The topic refuses a publish request with 400, and stores none of its events."""


@dataclass(frozen=True)
class PublishedEvent:
    """One event as it was published; `body` is its JSON object."""

    id: str
    schema: EventSchema
    body: str


def parse_published(content_type: str, body: bytes) -> list[PublishedEvent]:
    """The events of a publish request.

    Raises InvalidEventsError if one is not a valid event: a request is accepted as a whole or not at all.
    """
    media_type = content_type.split(";", maxsplit=1)[0].strip().lower()
    schema = EventSchema.CLOUD_EVENTS if media_type.startswith("application/cloudevents") else EventSchema.EVENT_GRID
    try:
        document = json.loads(body)
    except ValueError as error:
        raise InvalidEventsError(f"The request is not valid JSON: {error}") from None
    events = [document] if media_type == "application/cloudevents+json" else document
    if not isinstance(events, list):
        raise InvalidEventsError(f"A {media_type} request must be a JSON array of events.")
    return [_published(event, schema) for event in events]


def _published(event: object, schema: EventSchema) -> PublishedEvent:
    if not isinstance(event, dict):
        raise InvalidEventsError("Each event must be a JSON object.")
    missing = [name for name in REQUIRED[schema] if not isinstance(event.get(name), str)]
    if missing:
        raise InvalidEventsError(
            f"This resource is configured for {schema}: {', '.join(missing)} must be given as text."
        )
    if schema is EventSchema.EVENT_GRID:
        event = event | {"topic": TOPIC_RESOURCE, "metadataVersion": "1"}
    return PublishedEvent(event["id"], schema, json.dumps(event))


@dataclass(frozen=True)
class WebhookRequest:
    """The request to a webhook that delivers one event."""

    headers: dict[str, str]
    body: str


def webhook_request(event: PublishedEvent, subscription: str, attempts_before: int) -> WebhookRequest:
    """The request that delivers an event: in Event Grid's own schema the event is in an array of one."""
    headers = {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.upper(),
        "aeg-delivery-count": str(attempts_before),
    }
    if event.schema is EventSchema.CLOUD_EVENTS:
        return WebhookRequest(headers | {"content-type": "application/cloudevents+json; charset=utf-8"}, event.body)
    versions = {"aeg-metadata-version": "1", "aeg-data-version": json.loads(event.body)["dataVersion"]}
    return WebhookRequest(headers | versions | {"content-type": "application/json; charset=utf-8"}, f"[{event.body}]")
