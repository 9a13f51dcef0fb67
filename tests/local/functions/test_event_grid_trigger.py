"""Event Grid triggers: the webhook answers as that of the real host."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.sampled

CLOUD_EVENT = {"specversion": "1.0", "id": "e-1", "source": "/test", "type": "T", "subject": "s", "data": {"a": 1}}
EVENT_GRID_EVENT = {
    "id": "e-2",
    "subject": "s",
    "eventType": "T",
    "eventTime": "2026-11-23T12:00:00Z",
    "dataVersion": "1",
    "metadataVersion": "1",
    "topic": "/t",
    "data": {"a": 2},
}
NOTIFICATION = {"aeg-event-type": "Notification"}


@pytest.fixture
def webhook(running_host):
    """The address that a subscription points to."""
    return f"{running_host.url}/runtime/webhooks/eventgrid?functionName=on_event"


def test_the_handshakes_of_both_schemas_are_answered(webhook):
    """CloudEvents asks with OPTIONS, Event Grid's own schema with an event."""
    options = httpx.options(webhook, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    validation = httpx.post(
        webhook,
        json=[{"data": {"validationCode": "c-1"}}],
        headers={"aeg-event-type": "SubscriptionValidation"},
    )

    assert (options.status_code, options.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    assert validation.json() == {"validationResponse": "c-1"}


def test_events_of_both_schemas_arrive_as_the_worker_converts_them(running_host, webhook):
    """A CloudEvent arrives as `CloudEvent`, whatever the annotation says."""
    cloud = httpx.post(webhook, json=CLOUD_EVENT, headers=NOTIFICATION)
    own = httpx.post(webhook, json=[EVENT_GRID_EVENT], headers=NOTIFICATION)

    assert (cloud.status_code, own.status_code) == (202, 202)
    first, second = running_host.notes("event", "start")
    assert (first["type"], first["id"], first["data"]) == ("CloudEvent", "e-1", {"a": 1})
    assert (second["type"], second["id"], second["data"]) == ("EventGridEvent", "e-2", {"a": 2})


def test_a_failing_function_answers_500_so_that_the_event_comes_again(running_host, webhook):
    """The host keeps nothing: trying again is Event Grid's."""
    running_host.tell("fail")

    answer = httpx.post(webhook, json=CLOUD_EVENT, headers=NOTIFICATION)

    assert (answer.status_code, answer.text) == (500, "the probe was told to fail")


def test_what_is_not_a_notification_or_has_no_function_is_refused(running_host, webhook):
    """As the real host does it."""
    unknown = httpx.post(webhook.replace("on_event", "nobody"), json=CLOUD_EVENT, headers=NOTIFICATION)

    assert httpx.post(webhook, json=CLOUD_EVENT).status_code == 400
    assert unknown.status_code == 404
    assert running_host.notes("event", "start") == []
