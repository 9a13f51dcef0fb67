"""Flow triggers of stored flows: each run that ends is followed once, before it is closed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError

from shared import poll_runs, record_run
from shared.documents.names import follower_run_id
from shared.documents.record import Record
from shared.documents.trigger import EndedRun
from shared.plan.triggers import ended_run
from shared.steps._start_followers import MAX_DEPTH
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

FLOW = """
id: {flow}
namespace: company.team
{more}
triggers:
- id: {trigger}
  type: io.kestra.plugin.core.trigger.Flow
  dependsOn: [{{namespace: company.team, flowId: {after}{which}}}]
tasks: [{{id: task, commands: [echo {flow}]}}]
"""
PARENT = "id: parent\nnamespace: company.team\nlabels: {env: prod}\ncommands: [%s]\n"


def put(world: World, flow: str, after: str = "parent", *, trigger: str = "t", which: str = "", more: str = "") -> None:
    text = FLOW.format(flow=flow, after=after, trigger=trigger, which=which, more=more)
    world.put("flows", f"company.team/{flow}.yaml", text)


def parent(world: World, command: str = "echo hi", name: str = "p.yaml") -> str:
    """Run the flow that others follow to its record; whether it is followed is left to the caller."""
    poll_runs.poll(world.app)
    run = world.accept(name, PARENT % command)
    world.finish()
    return run


def records(world: World) -> dict[str, dict[str, Any]]:
    """All records of followers, by the ids of their runs."""
    names = [name for name in world.names("results") if name.startswith("company.team/") and "/record.json" in name]
    return {name.split("/")[-2]: json.loads(world.text("results", name)) for name in names}


def ended_of(world: World, folder: str) -> EndedRun:
    found = ended_run(Record.model_validate_json(world.text("results", f"{folder}/record.json")), folder)
    assert found
    return found


def test_a_run_that_has_ended_is_followed_once_by_each_trigger(world: World) -> None:
    put(world, "one")
    put(world, "two", trigger="other")
    put(world, "unconcerned", after="somebody-else")
    run = parent(world)
    ended = ended_of(world, f"p/{run}")
    expected = {
        follower_run_id("company.team/one", "t", run, ended.ended),
        follower_run_id("company.team/two", "other", run, ended.ended),
    }
    found = records(world)
    assert found.keys() == expected
    for record in found.values():
        assert record["state"] == "SUCCESS"
        assert (record["trigger"]["ended"]["runId"], record["trigger"]["depth"]) == (run, 1)
        assert record["trigger"]["ended"]["results"] == f"p/{run}"
    assert sorted(end.run_id for end in world.outbox.ends) == sorted([run, *expected])
    report = world.text("results", f"p/{run}/report.html")
    assert all("../../company.team/" in report and f"/{follower}/report.html" in report for follower in expected)


def test_a_flow_that_was_stored_just_before_the_end_follows_it(world: World) -> None:
    """Although the flows were listed a moment ago."""
    put(world, "early")
    poll_runs.poll(world.app)
    run = world.accept("p.yaml", PARENT % "echo hi")
    put(world, "late")
    world.await_end(run)
    world.finish()
    assert {record["flow"]["id"] for record in records(world).values()} == {"early", "late"}


@pytest.mark.parametrize(
    ("which", "followed"),
    [
        (", states: [FAILED]", ["FAILED"]),
        (", states: [SUCCESS, WARNING]", ["SUCCESS"]),
        ("", ["FAILED", "SUCCESS"]),
        (", labels: {env: prod}", ["FAILED", "SUCCESS"]),
        (", labels: {env: dev}", []),
    ],
)
def test_only_the_runs_that_the_trigger_names_are_followed(world: World, which: str, followed: list[str]) -> None:
    put(world, "follower", which=which)
    parent(world, "exit 1", "bad.yaml")
    parent(world, "exit 0", "good.yaml")
    assert sorted(record["trigger"]["ended"]["state"] for record in records(world).values()) == followed


def test_a_parent_stays_open_until_its_followers_are_stored(world: World) -> None:
    put(world, "follower")
    poll_runs.poll(world.app)
    run = world.accept("p.yaml", PARENT % "echo hi")
    world.await_end(run)

    class Refusing:
        def __getattr__(self, name: str):
            return getattr(world.app.runs, name)

        def create(self, run):
            raise ServiceResponseError(f"storage is gone: {run.id}")

    poll_runs.poll(world.app)
    (event,) = world.outbox.take()
    record_run.record(replace(world.app, runs=Refusing()), event)
    assert world.record(run, "p.yaml")["state"] == "SUCCESS"
    assert world.names("runs") == [f"{run}.json"]
    assert world.outbox.ends == []
    record_run.record(world.app, event)
    assert len(world.names("runs")) == 1
    assert run not in world.names("runs")[0]
    world.finish()
    assert len(records(world)) == 1


def test_a_recording_that_comes_again_after_the_follower_has_ended_makes_no_other(world: World) -> None:
    put(world, "follower")
    poll_runs.poll(world.app)
    run = world.accept("p.yaml", PARENT % "echo hi")
    world.await_end(run)
    poll_runs.poll(world.app)
    (event,) = world.outbox.take()

    class Dying:
        def publish(self, events):
            world.outbox.publish(events)

        def publish_end(self, ended):
            raise ServiceResponseError(f"the topic is gone: {ended.run_id}")

    record_run.record(replace(world.app, events=Dying()), event)
    poll_runs.poll(world.app)
    assert len(world.names("runs")) == 2
    (follower,) = [name.removesuffix(".json") for name in world.names("runs") if run not in name]
    world.await_end(follower)
    poll_runs.poll(world.later(seconds=40))
    world.deliver()
    world.finish()
    assert list(records(world)) == [follower]
    assert [end.run_id for end in world.outbox.ends].count(follower) == 1


def test_a_circle_of_flows_ends_in_a_record_that_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.steps._start_followers.MAX_DEPTH", 2)
    put(world, "ping", after="pong", more="inputs: []")
    put(world, "pong", after="ping")
    poll_runs.poll(world.app)
    run = world.accept("p.yaml", "flow: company.team/ping")
    world.finish()
    found = sorted(records(world).values(), key=lambda record: record["trigger"]["depth"])
    assert [(record["flow"]["id"], record["state"]) for record in found] == [
        ("pong", "SUCCESS"),
        ("ping", "SUCCESS"),
        ("pong", "REJECTED"),
    ]
    assert "at most 2 runs follow each other" in found[-1]["errors"][0]["message"]
    assert world.record(run, "p.yaml")["state"] == "SUCCESS"


def test_twenty_runs_may_follow_each_other() -> None:
    assert MAX_DEPTH == 20


def test_a_retry_that_ends_well_is_followed_too(world: World) -> None:
    put(world, "follower", which=", states: [SUCCESS]")
    failed = parent(world, "test -e /tmp/no-such-file || exit 1")
    assert records(world) == {}
    world.accept("retry.yaml", f"retry: p/{failed}\n")
    world.finish()
    assert records(world) == {}
    good = parent(world, "exit 0", "g.yaml")
    again = world.accept("again.yaml", f"retry: g/{good}\nfrom: [parent]\n")
    world.finish()
    assert sorted(record["trigger"]["ended"]["runId"] for record in records(world).values()) == sorted([good, again])


def test_a_follower_of_a_scheduled_or_following_run_is_deeper(world: World) -> None:
    put(world, "child")
    put(world, "grandchild", after="child")
    parent(world)
    depths = {record["flow"]["id"]: record["trigger"]["depth"] for record in records(world).values()}
    assert depths == {"child": 1, "grandchild": 2}


def test_what_cannot_be_rendered_is_a_record_that_says_so(world: World) -> None:
    put(world, "wrong", which=', when: "{{ fromJson(trigger.state) }}"')
    parent(world)
    (record,) = records(world).values()
    assert record["state"] == "REJECTED"


def test_a_flow_that_was_removed_or_is_wrong_by_now_keeps_no_parent_open(world: World) -> None:
    put(world, "removed")
    put(world, "wrong")
    poll_runs.poll(world.app)
    world.remove("flows", "company.team/removed.yaml")
    world.remove("flows", "company.team/wrong.yaml")
    put(world, "wrong", more="nonsense: 1")
    world.accept("p.yaml", PARENT % "echo hi")
    world.finish()
    assert records(world) == {}
