"""The topics and subscriptions of the local Event Grid: who gets which event, in which form, whatever others do."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.core.messaging import CloudEvent

from local.event_subscriptions import BLOB_CREATED, JOB_ENDED, RECORD_RUN, RETRY_POLICY, RUN_ENDED, TASK_ENDED
from local.eventgrid.event_store import EventStore
from local.eventgrid.events import EventSchema, PublishedEvent
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

FORMER_TABLE = """
CREATE TABLE IF NOT EXISTS waiting (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, schema TEXT NOT NULL, body TEXT NOT NULL,
  published REAL NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_attempt REAL, outcome TEXT
)"""


def created(name: str, event_type: str = BLOB_CREATED) -> dict[str, object]:
    """What storage says of a new blob."""
    return {
        "id": f"id-of-{name}",
        "subject": f"/blobServices/default/containers/staging/blobs/{name}",
        "eventType": event_type,
        "eventTime": "2026-11-28T13:00:00Z",
        "dataVersion": "",
        "data": {"api": "PutBlob", "url": f"http://127.0.0.1/a/staging/{name}"},
    }


def event(type_: str, id_: str = "e-1") -> CloudEvent:
    """An event as the app publishes it."""
    return CloudEvent(source="/test", type=type_, subject="s", data={"n": 1}, id=id_)


def published(id_: str) -> PublishedEvent:
    """An event of the app in the store."""
    body = json.dumps({"id": id_, "source": "/t", "type": JOB_ENDED, "specversion": "1.0"})
    return PublishedEvent(id_, EventSchema.CLOUD_EVENTS, body)


class TestMarkers:
    """The storage account's topic."""

    def test_a_marker_goes_to_the_app_as_a_cloud_event(self, running_topic, webhook):
        """With the fields of Event Grid's own schema under their other names, and without its versions."""
        assert running_topic.storage_says(created("r/std/t/1/task.ended")) == 200

        delivered = webhook.next_delivery()

        topic = delivered.body.pop("source")
        assert topic.endswith("/providers/Microsoft.Storage/storageAccounts/devstoreaccount1")
        assert delivered.body == {
            "specversion": "1.0",
            "type": BLOB_CREATED,
            "id": "id-of-r/std/t/1/task.ended",
            "subject": "/blobServices/default/containers/staging/blobs/r/std/t/1/task.ended",
            "time": "2026-11-28T13:00:00Z",
            "data": created("r/std/t/1/task.ended")["data"],
        }
        assert delivered.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert delivered.headers["aeg-subscription-name"] == "TASK-ENDED"

    def test_nothing_else_does(self, running_topic, webhook, follower):
        """Other names, other events, and what only looks like an event of the app."""
        others = [created(name) for name in ("task.ended.txt", "out/my-task.ended", "std/t/1/stdout.txt")]
        others += [created("r/task.ended", "Microsoft.Storage.BlobDeleted"), created("r/run", RUN_ENDED)]
        others += [created("r/job", JOB_ENDED)]
        running_topic.storage_says(*others, created("r/std/t/1/job.ended"), created("r/std/T/1/TASK.ENDED"))

        names = {webhook.next_delivery().body["subject"].rpartition("/")[2] for _ in range(2)}

        assert names == {"job.ended", "TASK.ENDED"}
        assert webhook.nothing_more()
        assert follower.nothing_more()

    def test_what_is_no_event_of_storage_is_refused(self, running_topic, webhook):
        """A CloudEvent, an event without a subject, another form of request; with all that come along."""
        cloud = {"specversion": "1.0", "id": "1", "source": "/t", "type": BLOB_CREATED, "subject": "/task.ended"}
        nameless = {name: value for name, value in created("r/task.ended").items() if name != "subject"}

        assert running_topic.storage_says(created("a/task.ended"), cloud) == 400
        assert running_topic.storage_says(created("b/task.ended"), nameless) == 400
        url, body = f"{running_topic.url}/storage/events", json.dumps([created("c/task.ended")])
        assert httpx.post(url, content=body, headers={"content-type": "text/plain"}).status_code == 400
        running_topic.storage_says(created("d/task.ended"))

        assert webhook.next_delivery().body["id"] == "id-of-d/task.ended"
        assert webhook.nothing_more()


class TestFollowers:
    """The webhooks of `--subscribe`."""

    def test_a_follower_gets_ends_of_runs_and_nothing_else(self, running_topic, webhook, follower):
        """And the app none of them."""
        running_topic.publisher().send([event(JOB_ENDED, "job"), event("Another", "no"), event(RUN_ENDED, "run")])

        assert follower.next_delivery().body["id"] == "run"
        assert webhook.next_delivery().body["id"] == "job"
        assert follower.nothing_more()
        assert webhook.nothing_more()

    def test_each_follower_gets_them(self, running_topic, follower, new_webhook):
        """A follower that comes late gets what has waited for it."""
        running_topic.publisher().send(event(RUN_ENDED, "run"))
        assert follower.next_delivery().body["id"] == "run"

        late = new_webhook(running_topic.follower_ports[1])

        assert late.next_delivery().body["id"] == "run"
        assert follower.nothing_more()

    def test_a_follower_that_fails_or_hangs_holds_up_nobody(self, running_topic, webhook, follower, new_webhook):
        """However much waits for it."""
        other = new_webhook(running_topic.follower_ports[1])
        follower.released.clear()
        running_topic.publisher().send([event(RUN_ENDED, f"run-{number}") for number in range(40)])
        assert len({other.next_delivery().body["id"] for _ in range(40)}) == 40

        running_topic.publisher().send(event(JOB_ENDED, "job"))
        running_topic.storage_says(created("r/task.ended"))

        assert {webhook.next_delivery().body["id"] for _ in range(2)} == {"job", "id-of-r/task.ended"}

    def test_a_follower_that_does_not_allow_it_gets_nothing_and_is_told_why(self, topic, follower, webhook, launch):
        """As in Azure, where its subscription could not be made."""
        follower.allowed_origin = "somebody-else.example"
        launch(topic.program)
        topic.publisher().send([event(RUN_ENDED, "run"), event(JOB_ENDED, "job")])
        webhook.next_delivery()

        line = wait_for(lambda: [x for x in topic.program.log.read_text().splitlines() if "gets no events" in x])[0]

        assert f":{topic.follower_ports[0]}/follow" in line
        assert "WebHook-Allowed-Origin: eventgrid.azure.net" in line
        assert follower.nothing_more()
        follower.allowed_origin = None
        assert follower.next_delivery().body["id"] == "run"

    @pytest.mark.parametrize("retry_scale", [0.0005])
    def test_what_waits_too_long_for_a_follower_is_given_up(self, running_topic, follower):
        """After the hour of every event, here two seconds; a follower that never comes does not fill the disk."""
        running_topic.publisher().send(event(RUN_ENDED, "run"))
        follower.next_delivery()

        (given_up,) = wait_for(running_topic.dead_letters)

        assert (given_up["id"], given_up["deliveryattempts"]) == ("run", 0)
        assert given_up["deadletterreason"] == "TimeToLiveExceeded"

    def test_what_waits_for_a_follower_survives_a_kill(self, topic, follower, new_webhook, launch):
        """The follower is known again by its address."""
        child = launch(topic.program)
        topic.publisher().send(event(RUN_ENDED, "run"))
        follower.next_delivery()
        child.kill()

        launch(topic.program)

        assert new_webhook(topic.follower_ports[1]).next_delivery().body["id"] == "run"


class TestStore:
    """The database of undelivered events."""

    def test_a_database_of_the_former_version_is_read(self, topic, webhook, launch):
        """Its events are those of the one subscription that there was."""
        database = sqlite3.connect(topic.folder / "events.sqlite")
        now = datetime.now(UTC).timestamp()
        database.execute(FORMER_TABLE)
        database.execute(
            "INSERT INTO waiting VALUES (7, 'former', ?, ?, ?, ?, 2, ?, 'TimedOut')",
            ("CloudEventSchemaV1_0", published("former").body, now, now, now),
        )
        database.commit()
        database.close()

        launch(topic.program)
        delivered = webhook.next_delivery()

        assert (delivered.body["id"], delivered.headers["aeg-delivery-count"]) == ("former", "2")
        assert delivered.headers["aeg-subscription-name"] == "RECORD-RUN"

    def test_each_subscription_has_its_own_events(self, tmp_path):
        """In the order in which they are due, also after another start."""
        now = datetime.now(UTC)
        EventStore(tmp_path).add([("one", published("a")), ("two", published("b")), ("one", published("c"))], now)

        store = EventStore(tmp_path)
        store.retry(store.due_first("one", 1)[0], store.due_first("one", 1)[0].attempts, now + timedelta(seconds=9))

        assert [each.event.id for each in store.due_first("one", 9)] == ["c", "a"]
        assert [each.event.id for each in store.due_first("two", 9)] == ["b"]

    def test_events_of_subscriptions_that_are_no_more_go(self, tmp_path):
        """As in Azure, where a subscription takes them along; nothing piles up for an address of long ago."""
        store = EventStore(tmp_path)
        store.add([("one", published("a")), ("two", published("b"))], datetime.now(UTC))

        assert store.keep_only(["one"]) == 1

        assert [each.event.id for each in store.due_first("one", 9)] == ["a"]
        assert store.due_first("two", 9) == []


def test_the_subscriptions_of_the_app_have_the_deployed_policy():
    """tests/project/test_infra.py compares it with the template."""
    assert RECORD_RUN.retry_policy == TASK_ENDED.retry_policy == RETRY_POLICY


def test_the_sample_prints_each_run_once(running_topic):
    """It answers the handshake, and an event that comes twice is one run."""

    def end(run: str, state: str) -> CloudEvent:
        return CloudEvent(source="/t", type=RUN_ENDED, subject=f"n/f/{run}", data={"state": state}, id=run)

    command = [sys.executable, "samples/follow_runs.py", str(running_topic.follower_ports[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sample:
        running_topic.publisher().send([end("r1", "SUCCESS"), end("r1", "SUCCESS"), end("r2", "KILLED")])
        lines = {sample.stdout.readline() for _ in range(2)}
        running_topic.publisher().send(end("r3", "FAILED"))
        last = sample.stdout.readline()
        sample.terminate()
        rest = sample.stdout.read()

    assert lines == {"n/f/r1 SUCCESS\n", "n/f/r2 KILLED\n"}
    assert (last, rest) == ("n/f/r3 FAILED\n", "")
