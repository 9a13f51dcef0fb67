"""The app's own topic of the local Event Grid: what it accepts, and that it delivers at least once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent

from local.event_subscriptions import RECORD_RUN
from local.eventgrid import TOPIC_KEY
from local.eventgrid.event_store import Attempts, EventStore
from local.eventgrid.events import EventSchema, PublishedEvent
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

TYPE = "AzureBatchTaskRunner.JobEnded"


def event(number: int = 1, type_: str = TYPE) -> CloudEvent:
    """An event as the app publishes it."""
    return CloudEvent(source="/test", type=type_, subject=f"s-{number}", data={"number": number}, id=f"e-{number}")


def test_each_event_is_delivered_alone_after_the_handshake(running_topic, webhook):
    """CloudEvents: one object in one request, with Event Grid's headers."""
    running_topic.publisher().send([event(1), event(2)])

    deliveries = [webhook.next_delivery(), webhook.next_delivery()]

    assert webhook.validations[0]["WebHook-Request-Origin"] == "eventgrid.azure.net"
    assert {delivery.body["id"] for delivery in deliveries} == {"e-1", "e-2"}
    assert deliveries[0].body["data"] in ({"number": 1}, {"number": 2})
    headers = deliveries[0].headers
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (headers["aeg-event-type"], headers["aeg-delivery-count"]) == ("Notification", "0")


def test_the_own_topic_takes_no_event_in_event_grids_own_schema(running_topic):
    """It is configured for CloudEvents, as in `infra/events.bicep`."""
    with pytest.raises(HttpResponseError) as refused:
        running_topic.publisher().send(EventGridEvent("s", TYPE, {"a": 1}, "1", id="own"))

    assert refused.value.status_code == 400


def test_a_wrong_key_is_refused(running_topic):
    """With 401, which the SDK turns into its own error."""
    with pytest.raises(ClientAuthenticationError):
        running_topic.publisher("bm90LXRoZS1rZXk=").send(event())


def test_an_invalid_event_is_refused_with_all_others_of_its_request(running_topic, webhook):
    """Nothing of the request is delivered."""
    events = [{"specversion": "1.0", "id": "good", "source": "/t", "type": TYPE}, {"specversion": "1.0", "id": "bad"}]
    headers = {"aeg-sas-key": TOPIC_KEY, "content-type": "application/cloudevents-batch+json"}

    answer = httpx.post(f"{running_topic.url}/api/events", json=events, headers=headers)
    running_topic.publisher().send(event())

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert "source, type" in answer.json()["error"]["message"]
    assert webhook.next_delivery().body["id"] == "e-1"


def test_a_request_that_is_too_large_is_refused(running_topic):
    """1 MiB is the service's limit."""
    with pytest.raises(HttpResponseError) as refused:
        running_topic.publisher().send(CloudEvent(source="/t", type="T", data="x" * 1024 * 1024))

    assert refused.value.status_code == 413


def test_events_that_the_filter_keeps_back_are_accepted_and_go_nowhere(running_topic, webhook):
    """The subscription is to one type; the topic takes any."""
    running_topic.publisher().send([event(1, "Another"), event(2)])

    assert webhook.next_delivery().body["id"] == "e-2"
    running_topic.publisher().send(event(3))
    assert webhook.next_delivery().body["id"] == "e-3"
    assert webhook.nothing_more()


def test_a_failed_delivery_is_tried_again(running_topic, webhook):
    """Until the endpoint takes it; the header counts."""
    webhook.statuses = [500, 503]
    running_topic.publisher().send(event())

    counts = [webhook.next_delivery().headers["aeg-delivery-count"] for _ in range(3)]

    assert counts == ["0", "1", "2"]


def test_what_can_never_succeed_is_dead_lettered_at_once(running_topic, webhook):
    """It becomes a file that says why."""
    webhook.status = 403
    running_topic.publisher().send(event())

    webhook.next_delivery()
    (given_up,) = wait_for(running_topic.dead_letters)

    assert (given_up["id"], given_up["deliveryattempts"], given_up["lastdeliveryoutcome"]) == ("e-1", 1, "Forbidden")
    assert webhook.nothing_more()


def test_an_event_past_its_time_to_live_is_given_up_when_its_next_attempt_is_due(topic, webhook, launch):
    """Without that attempt; it is dead-lettered with what came of the last one."""
    body = json.dumps({"id": "e-1", "source": "/t", "type": TYPE, "specversion": "1.0"})
    now = datetime.now(UTC)
    published = now - RECORD_RUN.retry_policy.event_time_to_live
    store = EventStore(topic.folder)
    store.add([(RECORD_RUN.name, PublishedEvent("e-1", EventSchema.CLOUD_EVENTS, body))], published)
    last = Attempts(7, published + timedelta(minutes=47), "ServiceUnavailable")
    store.retry(*store.due_first(RECORD_RUN.name, 1), last, now)

    launch(topic.program)
    (given_up,) = wait_for(topic.dead_letters)

    assert given_up["deadletterreason"] == "TimeToLiveExceeded"
    assert (given_up["deliveryattempts"], given_up["lastdeliveryoutcome"]) == (7, "ServiceUnavailable")
    assert webhook.nothing_more()


@pytest.mark.parametrize("retry_scale", [0.0005])
def test_an_event_that_is_never_taken_gets_the_attempts_of_its_hour(running_topic, webhook):
    """Seven, the last after 47 minutes; the eighth would be due an hour later. Here that is three seconds."""
    webhook.status = 500
    running_topic.publisher().send(event())

    (given_up,) = wait_for(running_topic.dead_letters)

    assert (given_up["deadletterreason"], given_up["deliveryattempts"]) == ("TimeToLiveExceeded", 7)
    assert [webhook.next_delivery().headers["aeg-delivery-count"] for _ in range(7)] == list("0123456")
    assert webhook.nothing_more()


def test_an_endpoint_that_does_not_answer_one_event_gets_the_others(running_topic, webhook):
    """Deliveries are concurrent."""
    webhook.released.clear()
    running_topic.publisher().send(event(1))
    webhook.next_delivery()

    running_topic.publisher().send(event(2))

    assert webhook.next_delivery().body["id"] == "e-2"


def test_accepted_events_survive_a_kill(topic, webhook, launch):
    """What was answered with 200 is delivered after a restart, even if the process is killed at once."""
    webhook.released.clear()
    child = launch(topic.program)
    topic.publisher().send(event())
    webhook.next_delivery()
    child.kill()
    webhook.released.set()

    launch(topic.program)

    assert webhook.next_delivery().body["id"] == "e-1"
