"""Blob triggers: at least once, five tries, then the poison queue."""

from __future__ import annotations

import os
import signal

import pytest

from local.functions.blob_message import BlobMessage
from local.functions.blob_path import BlobPathPattern
from local.functions.storage import POISON_QUEUE
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled


def test_a_dropped_blob_reaches_the_function_with_the_metadata_that_python_really_gets(running_host):
    """The name includes the container and the folders; the ETag among the properties is of no use."""
    running_host.blobs.upload_blob("hello.json", "does not match the path")
    running_host.blobs.upload_blob("team/hello.txt", "hello", metadata={"by": "test"})

    (note,) = running_host.wait_notes("blob", "end")
    (start,) = running_host.notes("blob", "start")

    assert note["name"] == f"{running_host.blobs.container_name}/team/hello.txt"
    assert start["content"] == "hello"
    assert start["length"] == 5
    assert start["properties"]["ETag"] == {}


def test_every_version_of_a_blob_fires_once(running_host):
    """A version that was seen does not fire again, a new one does."""
    running_host.blobs.upload_blob("hello.txt", "one")
    running_host.wait_notes("blob", "end")
    running_host.blobs.upload_blob("hello.txt", "two", overwrite=True)
    running_host.wait_notes("blob", "end", 2)

    assert [note["content"] for note in running_host.notes("blob", "start")] == ["one", "two"]


def test_a_version_that_was_replaced_before_it_was_taken_does_not_fire(host, launch):
    """Its message is dropped, the new version has one of its own; a later blob shows that both have been seen."""
    old = host.blobs.upload_blob("hello.txt", "old").get_blob_properties().etag
    host.blobs.upload_blob("hello.txt", "new", overwrite=True)
    host.queue_message(BlobMessage("on_blob", host.blobs.container_name, "hello.txt", old))

    launch(host.program)
    host.wait_notes("blob", "end")
    host.blobs.upload_blob("later.txt", "later")
    host.wait_notes("blob", "end", 2)

    assert [note["content"] for note in host.notes("blob", "start")] == ["new", "later"]


def test_a_failing_function_gets_five_tries_and_the_message_goes_to_the_poison_queue(running_host):
    """The poison message is the host's own, with the same fields as in Azure."""
    running_host.tell("fail")
    etag = running_host.blobs.upload_blob("bad.txt", "bad").get_blob_properties().etag

    (message,) = wait_for(lambda: running_host.messages(POISON_QUEUE))

    assert len(running_host.notes("blob", "start")) == 5
    assert message == {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.on_blob",
        "BlobType": "BlockBlob",
        "ContainerName": running_host.blobs.container_name,
        "BlobName": "bad.txt",
        "ETag": etag,
    }
    assert running_host.log().count("RuntimeError: the probe was told to fail") == 5


def test_a_host_killed_during_an_invocation_invokes_again_after_its_restart(host, launch):
    """Nothing is lost with the process: the message comes back."""
    host.tell("block")
    child = launch(host.program)
    host.blobs.upload_blob("hello.txt", "hello")
    host.wait_notes("blob", "start")
    child.kill()
    host.untell("block")

    launch(host.program)

    host.wait_notes("blob", "end")
    assert len(host.notes("blob", "start")) == 2


def test_a_blob_handled_before_a_restart_does_not_fire_again(host, launch):
    """The receipt outlives the host; a later blob shows that the scan has been past the first."""
    first = launch(host.program)
    host.blobs.upload_blob("first.txt", "first")
    host.wait_notes("blob", "end")
    first.stop()

    launch(host.program)
    host.blobs.upload_blob("second.txt", "second")

    host.wait_notes("blob", "end", 2)
    assert [note["content"] for note in host.notes("blob", "start")] == ["first", "second"]


def test_sigterm_lets_running_invocations_finish(host, launch):
    """No new work is taken, and the process ends by itself."""
    host.tell("block")
    child = launch(host.program)
    host.blobs.upload_blob("hello.txt", "hello")
    host.wait_notes("blob", "start")

    os.killpg(child.pid, signal.SIGTERM)
    wait_for(lambda: "Stopping: waiting" in host.log())
    host.untell("block")
    wait_for(lambda: child.exit_code() is not None)

    assert child.exit_code() == 0
    assert len(host.notes("blob", "end")) == 1


@pytest.mark.parametrize(
    ("path", "blob", "values"),
    [
        ("inbox/{name}", "a/b.yaml", {"name": "a/b.yaml"}),
        ("inbox/{name}.yaml", "a.json", None),
        ("inbox", "a", {"name": "a"}),
        ("inbox/{team}/{name}.{{x}}", "a/b/c.{x}", {"team": "a/b", "name": "c"}),
        ("inbox/a.b", "axb", None),
    ],
)
def test_blob_paths_match_as_in_azure(path, blob, values):
    """Parameters take slashes too, everything else is literal."""
    assert BlobPathPattern.parse(path).match(blob) == values
