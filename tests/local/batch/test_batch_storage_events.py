"""What the node says of the blobs that tasks create, in storage's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import pytest
from azure.batch import models

from local.batch.__main__ import main
from local.batch.node import storage_events
from local.event_subscriptions import TASK_ENDED
from tests.local.batch.one_job import create_job
from tests.local.batch.output_container import output
from tests.support.waiting import wait_for
from tests.support.webhook import Webhook

pytestmark = pytest.mark.sampled

WRITE = """/bin/sh -c 'for name in {}; do mkdir -p "$(dirname "$name")"; printf 12345 > "$name"; done'"""


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    """Where the service posts events to."""
    receiver = Webhook()
    yield receiver
    receiver.close()


@pytest.fixture
def service(start_service, receiver):
    """A service that says what it uploads."""
    started = start_service("--pool", "local:1:4", "--events", receiver.url)
    create_job(started.client())
    yield started
    started.child.stop()


@pytest.fixture
def run(service) -> Callable[..., models.BatchTask]:
    """Run a task with output files to its end."""
    numbers = iter(range(1000))

    def run_task(command_line: str, *files: models.OutputFile) -> models.BatchTask:
        task_id = f"t{next(numbers)}"
        service.client().create_task(
            "job", models.BatchTaskCreateOptions(id=task_id, command_line=command_line, output_files=list(files))
        )
        wait_for(lambda: service.client().get_task("job", task_id).state == "completed")
        return service.client().get_task("job", task_id)

    return run_task


def test_every_blob_of_a_task_is_told_in_one_request(run, receiver, container):
    """In Event Grid's schema, as storage has it; the address has no signature."""
    run(
        WRITE.format('out/a.txt "out/b c.txt"'),
        output(container.url, "out/*.txt", "run/1"),
        output(container.url, "../stdout.txt", "run/1/task.ended"),
    )

    events = {str(event["subject"]): event for event in receiver.next_delivery().body}

    prefix = f"/blobServices/default/containers/{container.client.container_name}/blobs"
    assert set(events) == {f"{prefix}/run/1/out/a.txt", f"{prefix}/run/1/out/b c.txt", f"{prefix}/run/1/task.ended"}
    event = events[f"{prefix}/run/1/out/b c.txt"]
    assert (event["eventType"], event["dataVersion"]) == ("Microsoft.Storage.BlobCreated", "")
    assert str(event["eventTime"]).endswith("Z")
    data = event["data"]
    blob = container.client.get_blob_client("run/1/out/b c.txt").get_blob_properties()
    assert data["url"] == f"{container.client.url}/run/1/out/b%20c.txt"
    assert (data["api"], data["blobType"], data["contentLength"]) == ("PutBlob", "BlockBlob", 5)
    assert (data["eTag"], data["contentType"]) == (blob.etag.strip('"'), blob.content_settings.content_type)
    assert len({each["id"] for each in events.values()}) == 3
    assert {name for name, each in events.items() if TASK_ENDED.filter.matches(each)} == {f"{prefix}/run/1/task.ended"}
    assert receiver.nothing_more()


@pytest.mark.parametrize("name", ["ä/ö.txt", "50%.txt", "a+b&c=d?.txt", "e%20f.txt"])
def test_an_address_is_encoded_as_storage_does_it(run, receiver, container, name):
    """And names its blob once it is decoded."""
    run("true", output(container.url, "../stdout.txt", name))

    ((event),) = receiver.next_delivery().body

    parts = urlsplit(event["data"]["url"])
    assert unquote(parts.path).endswith(f"/{container.client.container_name}/{name}")
    assert (parts.query, parts.fragment) == ("", "")
    assert parts.path.isascii()


def test_a_number_sign_is_not_encoded(run, receiver, container):
    """As in the events of storage: whoever reads the address as one loses the end of the name."""
    run("true", output(container.url, "../stdout.txt", "a#b.txt"))

    ((event),) = receiver.next_delivery().body

    assert event["data"]["url"].endswith("/a#b.txt")


def test_a_blob_that_is_replaced_is_told_again_and_later(run, receiver, container):
    """By the sequencer, which is compared as text."""
    for _ in range(2):
        run("true", output(container.url, "../stdout.txt", "same"))

    (first,), (second,) = receiver.next_delivery().body, receiver.next_delivery().body

    assert first["subject"] == second["subject"]
    assert first["data"]["sequencer"] < second["data"]["sequencer"]


def test_what_was_created_is_told_although_another_upload_failed(run, receiver, container):
    """And although the task has failed."""
    task = run(
        "/bin/sh -c 'exit 3'",
        output(container.url, "../stdout.txt", "kept"),
        output(container.url.replace("sig=", "sig=x"), "../stderr.txt", "lost"),
    )

    (event,) = receiver.next_delivery().body

    assert task.execution_info.exit_code == 3
    assert str(event["subject"]).endswith("/blobs/kept")


def test_a_task_that_leaves_nothing_is_not_told_of(run, receiver, container):
    """No request is empty, and what a condition keeps back is no blob."""
    run("true")
    run("true", output(container.url, "../stdout.txt", "kept back", "taskfailure"))
    run("true", output(container.url, "../stdout.txt", "told"))

    (event,) = receiver.next_delivery().body

    assert str(event["subject"]).endswith("/told")


def test_many_blobs_are_told_in_several_requests(run, receiver, container):
    """Each with fewer than Event Grid takes."""
    names = " ".join(f"o/{number}" for number in range(storage_events.EVENTS_IN_A_REQUEST + 1))
    run(WRITE.format(names), output(container.url, "o/*"))

    sizes = sorted(len(receiver.next_delivery().body) for _ in range(2))

    assert sizes == [1, storage_events.EVENTS_IN_A_REQUEST]


def test_events_wait_for_nobody_and_nobody_for_them(run, receiver, container):
    """A listener that does not answer delays no task; one that refuses is asked again."""
    receiver.released.clear()
    receiver.status = 503

    task = run("true", output(container.url, "../stdout.txt", "a"))
    first = receiver.next_delivery().body
    receiver.released.set()
    again = receiver.next_delivery().body

    assert task.execution_info.result == "success"
    assert first == again


def test_what_is_never_taken_is_logged_and_lost(service, run, receiver, container):
    """After a bounded number of tries; the task has long ended, and the next one is told of."""
    receiver.status = 500
    run("true", output(container.url, "../stdout.txt", "a"))

    tries = [receiver.next_delivery().body for _ in range(len(storage_events.PAUSES) + 1)]

    assert all(each == tries[0] for each in tries)
    line = wait_for(lambda: [x for x in (service.data_dir / "service.log").read_text().splitlines() if "Lost" in x])
    assert "1 events of blobs" in line[0]
    assert "answers 500" in line[0]
    receiver.status = 200
    run("true", output(container.url, "../stdout.txt", "b"))
    assert str(receiver.next_delivery().body[0]["subject"]).endswith("/b")


def test_an_orderly_stop_waits_for_what_is_being_told(service, run, receiver, container):
    """So that a listener which is slow for a moment loses nothing."""
    receiver.status = 503
    run("true", output(container.url, "../stdout.txt", "a"))
    first = receiver.next_delivery().body
    receiver.status = 200

    service.child.stop()

    assert receiver.next_delivery().body == first
    assert "Stopping" not in (service.data_dir / "service.log").read_text()


def test_an_orderly_stop_waits_for_a_bounded_time(service, run, receiver, container):
    """Then it says what is lost."""
    receiver.released.clear()
    run("true", output(container.url, "../stdout.txt", "a"))
    receiver.next_delivery()

    service.child.stop()

    assert service.child.exit_code() == 0
    assert "Stopping: 1 requests with events of blobs were not taken" in (service.data_dir / "service.log").read_text()


def test_nobody_is_told_without_the_option(start_service, container):
    """Nothing is posted anywhere, and the task ends as ever."""
    service = start_service("--pool", "local:1:1")
    client = service.client()
    create_job(client)
    files = [output(container.url, "../stdout.txt", "a")]
    client.create_task("job", models.BatchTaskCreateOptions(id="1", command_line="true", output_files=files))
    wait_for(lambda: client.get_task("job", "1").state == "completed")

    assert container.blobs() == {"a": b""}
    assert (service.data_dir / "service.log").read_text().count("vents") == 0


class TestLateEnds:
    """The real service reports the end of a task shortly after its uploads."""

    def test_a_task_completes_so_long_after_its_uploads(self, service, run, receiver, container):
        """By the setting that holds when it has uploaded."""
        assert service.send("PATCH", "/_local/settings", {"completionDelaySeconds": 0.5})[0] == 204
        task = run("true", output(container.url, "../stdout.txt", "a"))
        ((event),) = receiver.next_delivery().body

        told = datetime.fromisoformat(str(event["eventTime"]))

        assert task.execution_info.end_time - told >= timedelta(seconds=0.5)

    def test_until_then_it_runs(self, service, run, receiver, container):
        """For everybody who asks, and for its job; others are not held up."""
        service.send("PATCH", "/_local/settings", {"completionDelaySeconds": 600})
        client, files = service.client(), [output(container.url, "../stdout.txt", "a")]
        late = models.BatchTaskCreateOptions(id="late", command_line="true", output_files=files)
        client.create_task("job", late)
        receiver.next_delivery()
        service.send("PATCH", "/_local/settings", {"completionDelaySeconds": 0})
        run("true")

        assert client.get_task("job", "late").state == "running"
        assert client.get_job_task_counts("job").task_counts.running == 1

    def test_a_node_that_dies_meanwhile_has_uploaded_but_never_reports(self, service, receiver, container):
        """The task runs again, and its blobs are told again."""
        service.send("PATCH", "/_local/settings", {"completionDelaySeconds": 600})
        client, files = service.client(), [output(container.url, "../stdout.txt", "a")]
        client.create_task("job", models.BatchTaskCreateOptions(id="1", command_line="true", output_files=files))
        receiver.next_delivery()
        service.send("PATCH", "/_local/settings", {"completionDelaySeconds": 0})
        node = next(iter(client.list_nodes("local"))).id
        for state in ("unusable", "idle"):
            service.send("PUT", f"/_local/pools/local/nodes/{node}", {"state": state})

        wait_for(lambda: client.get_task("job", "1").state == "completed")
        assert str(receiver.next_delivery().body[0]["subject"]).endswith("/a")

    def test_the_service_can_start_with_it(self, start_service):
        """And shows it among its settings."""
        service = start_service("--completion-delay", "2.5")
        assert service.send("GET", "/_local/settings")[1]["completionDelaySeconds"] == 2.5

    @pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
    def test_what_is_no_number_of_seconds_is_refused(self, service, seconds, capsys):
        """On the command line as in the setting."""
        with pytest.raises(SystemExit):
            main([f"--completion-delay={seconds}"])
        assert f"'{seconds}' is not a number of seconds" in capsys.readouterr().err
        refused = service.send("PATCH", "/_local/settings", {"completionDelaySeconds": seconds})
        assert (refused[0], refused[1]["errors"][0]["loc"]) == (400, ["completionDelaySeconds"])


@pytest.mark.parametrize("address", ["127.0.0.1:1/x", "ftp://h/x", "http://", "http://h:x/", "http://h/a b"])
def test_what_is_no_address_is_refused(address, capsys):
    """Before anything starts."""
    with pytest.raises(SystemExit):
        main(["--events", address])
    assert f"'{address}' is not an address such as http://127.0.0.1:8000/events" in capsys.readouterr().err
