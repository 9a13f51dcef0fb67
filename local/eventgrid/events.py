"""Published events: which ones a topic accepts, and in which form a webhook gets them: as CloudEvents.

Schemas: https://learn.microsoft.com/azure/event-grid/cloud-event-schema and
https://learn.microsoft.com/azure/event-grid/event-schema
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

MAX_REQUEST_BYTES = 1024 * 1024
"""A topic refuses larger requests with 413: https://learn.microsoft.com/azure/event-grid/quotas-limits"""


class EventSchema(StrEnum):
    """The schema in which an event is published."""

    CLOUD_EVENTS = "CloudEventSchemaV1_0"
    EVENT_GRID = "EventGridSchema"


REQUIRED = {
    EventSchema.CLOUD_EVENTS: ("id", "source", "type", "specversion"),
    EventSchema.EVENT_GRID: ("id", "subject", "eventType", "eventTime", "dataVersion"),
}
MEDIA_TYPES = {
    EventSchema.CLOUD_EVENTS: ("application/cloudevents+json", "application/cloudevents-batch+json"),
    EventSchema.EVENT_GRID: ("application/json",),
}
NAMES_IN_CLOUD_EVENTS = {
    "id": "id",
    "topic": "source",
    "subject": "subject",
    "eventType": "type",
    "eventTime": "time",
    "data": "data",
}
"""As the two tabs of https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage have the same events."""


class InvalidEventsError(Exception):
    """The topic refuses a publish request with 400, and stores none of its events."""


@dataclass(frozen=True)
class PublishedEvent:
    """One event as it was published; `body` is its JSON object."""

    id: str
    schema: EventSchema
    body: str

    def as_cloud_event(self) -> dict[str, object]:
        """The event as it is delivered: Event Grid makes CloudEvents of those in its own schema."""
        event: dict[str, object] = json.loads(self.body)
        if self.schema is EventSchema.CLOUD_EVENTS:
            return event
        renamed = {name: event[own] for own, name in NAMES_IN_CLOUD_EVENTS.items() if own in event}
        return {**renamed, "specversion": "1.0"}


@dataclass(frozen=True)
class TopicResource:
    """A topic: its id in Azure, which events of Event Grid's own schema name, and the one schema that it takes."""

    id: str
    schema: EventSchema


def parse_published(topic: TopicResource, content_type: str, body: bytes) -> list[PublishedEvent]:
    """The events of a publish request.

    Raises InvalidEventsError if one is not a valid event: a request is accepted as a whole or not at all.
    """
    media_type = content_type.split(";", maxsplit=1)[0].strip().lower()
    if media_type not in MEDIA_TYPES[topic.schema]:
        raise InvalidEventsError(f"This resource is configured for {topic.schema}, not for '{media_type}'.")
    try:
        document = json.loads(body)
    except ValueError as error:
        raise InvalidEventsError(f"The request is not valid JSON: {error}") from None
    events = [document] if media_type == "application/cloudevents+json" else document
    if not isinstance(events, list):
        raise InvalidEventsError(f"A {media_type} request must be a JSON array of events.")
    return [_published(event, topic) for event in events]


def _published(event: object, topic: TopicResource) -> PublishedEvent:
    if not isinstance(event, dict):
        raise InvalidEventsError("Each event must be a JSON object.")
    missing = [name for name in REQUIRED[topic.schema] if not isinstance(event.get(name), str)]
    if missing:
        raise InvalidEventsError(
            f"This resource is configured for {topic.schema}: {', '.join(missing)} must be given as text."
        )
    if topic.schema is EventSchema.EVENT_GRID:
        event = event | {"topic": topic.id, "metadataVersion": "1"}
    return PublishedEvent(event["id"], topic.schema, json.dumps(event))


@dataclass(frozen=True)
class WebhookRequest:
    """The request to a webhook that delivers one event."""

    headers: dict[str, str]
    body: str


def webhook_request(event: PublishedEvent, subscription: str, attempts_before: int) -> WebhookRequest:
    """The request that delivers an event."""
    headers = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.upper(),
        "aeg-delivery-count": str(attempts_before),
    }
    return WebhookRequest(headers, json.dumps(event.as_cloud_event()))
