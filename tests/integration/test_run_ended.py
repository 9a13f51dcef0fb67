"""RunEnded: after every record, at least once, whatever the topic says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.documents.names import results_folder
from shared.events import Events, JobEnded
from shared.masking import Masker
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled


@dataclass
class Topic:
    """What the SDK's client sends to; it answers with `status`."""

    status: int = 200
    sent: list[Any] = field(default_factory=list)

    def send(self, events: list[Any]) -> None:
        """Take the events, or refuse them."""
        if self.status >= 400:
            error = HttpResponseError("refused")
            error.status_code = self.status
            raise error
        self.sent += events


@pytest.fixture
def topic() -> Topic:
    """The app's own topic."""
    return Topic()


@pytest.fixture
def app(world: World, topic: Topic) -> App:
    """The app, with that topic."""
    return replace(world.app, events=Events(topic, Masker.of(world.settings)))


def ends(topic: Topic) -> list[Any]:
    return [event for event in topic.sent if event.type == "AzureBatchTaskRunner.RunEnded"]


def accept(world: World, app: App, text: str) -> str:
    run = world.drop(text=text)
    submit_run.accept(app, "m.yaml")
    return run


def test_every_end_is_told_once(world: World, app: App, topic: Topic) -> None:
    run = accept(world, app, "id: nightly\nnamespace: company.team\nlabels: {team: data}\ncommands: [exit 3]")
    world.await_end(run)
    record_run.record(app, JobEnded(run, 1))
    (told,) = ends(topic)
    assert (told.id, told.subject, told.source) == (run, f"company.team/nightly/{run}", "/azure-batch-task-runner")
    assert told.data["labels"] == {"team": "data"}
    assert (told.data["failure"]["task"], told.data["failure"]["code"]) == ("nightly", "CommandsFailed")
    container = world.settings.containers.results
    assert told.data["record"].endswith(f"/{container}/{results_folder('m.yaml', run)}/record.json")


def test_a_rejected_manifest_and_a_cancelled_run_are_told_too(world: World, app: App, topic: Topic) -> None:
    rejected = accept(world, app, "comands: [x]")
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    cancelled = accept(world, app, "commands: [x]")
    world.put("inbox", f"{cancelled}.cancel")
    poll_runs.poll(app)
    assert [(told.id, told.data["state"]) for told in ends(topic)] == [(rejected, "REJECTED"), (cancelled, "KILLED")]
    assert world.names("runs") == []


def test_as_long_as_the_topic_takes_nothing_the_run_stays_open_and_is_told_later(
    world: World, app: App, topic: Topic
) -> None:
    run = accept(world, app, "commands: [echo]")
    world.await_end(run)
    (marker,) = world.markers(run)
    topic.status = 503
    record_run.record(app, marker)
    first = world.record(run)
    assert world.names("runs")
    topic.status = 200
    later = replace(app, now=world.later(minutes=1).now)
    poll_runs.poll(later)
    record_run.record(app, JobEnded(run, 1))
    assert [told.id for told in ends(topic)] == [run]
    assert ends(topic)[0].data["times"]["recorded"] == first["timings"]["recorded"], "of the stored record"
    assert world.names("runs") == world.names("staging") == []


def test_a_rejected_run_whose_end_could_not_be_told_is_told_by_a_later_tick(
    world: World, app: App, topic: Topic
) -> None:
    topic.status = 503
    with pytest.raises(HttpResponseError):
        accept(world, app, "comands: [x]")
    assert world.names("runs")
    topic.status = 200
    poll_runs.poll(replace(app, now=world.later(minutes=2).now))
    assert len(ends(topic)) == 1
    assert world.names("runs") == []


@pytest.mark.parametrize("status", [400, 413])
def test_what_the_topic_will_never_take_keeps_no_run_open(world: World, app: App, topic: Topic, status: int) -> None:
    run = accept(world, app, "commands: [echo]")
    world.await_end(run)
    topic.status = status
    record_run.record(app, JobEnded(run, 1))
    assert world.record(run)["state"] == "SUCCESS"
    assert world.names("runs") == []


def test_no_secret_is_told(world: World, make_world, topic: Topic) -> None:
    world = make_world(SECRET_TOKEN="s3cr3t-t0ken")
    app = replace(world.app, events=Events(topic, Masker.of(world.settings)))
    accept(world, app, "id: s3cr3t-t0ken\nlabels: {a: s3cr3t-t0ken}\ncomands: [x]")
    (told,) = ends(topic)
    assert "s3cr3t" not in f"{told.subject} {told.data}"
