"""Schedules of stored flows: each due time becomes one run, whatever ticks, clocks and operators do."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared import poll_runs
from shared.app import App
from shared.documents.names import scheduled_run_id
from shared.documents.schedules import SCHEDULES_BLOB, Schedules
from shared.storage import staging
from shared.storage.runs import RunStore
from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

HOURLY = "{id: hourly, type: io.kestra.plugin.core.trigger.Schedule, cron: '0 * * * *'}"
FLOW = "id: {flow}\nnamespace: company.team\ntriggers: [{triggers}]\n{more}tasks: [{{id: task, commands: [echo hi]}}]\n"
MINUTE = timedelta(minutes=1)


class Timeline:
    """Ticks at moments that the test chooses, counted from the next full hour: when it really is, is not relevant."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.start = (datetime.now(UTC) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        self.app = world.app

    def put(self, *triggers: str, flow: str = "etl", more: str = "") -> None:
        """Store a flow."""
        text = FLOW.format(flow=flow, triggers=", ".join(triggers), more=more)
        self.world.put("flows", f"company.team/{flow}.yaml", text)

    def process(self) -> App:
        """A new process."""
        return replace(App.of(self.world.settings), events=self.world.outbox)

    def at(self, moment: timedelta, app: App | None = None) -> App:
        """A process, at a moment."""
        return replace(app or self.app, now=lambda: self.start + moment)

    def tick(self, moment: timedelta, app: App | None = None) -> None:
        """A tick of a process, at a moment."""
        poll_runs.poll(self.at(moment, app))

    def run(self, moment: timedelta, trigger: str = "hourly", flow: str = "etl") -> str:
        """The id of the run that is due at a moment."""
        return scheduled_run_id(f"company.team/{flow}", trigger, self.start + moment)

    @property
    def runs(self) -> list[str]:
        """The runs that were made, each once for each line of the ledger that says that it was accepted."""
        names = [name for name in self.world.names("results") if name.startswith("_runs/")]
        lines = [json.loads(line) for name in names for line in self.world.text("results", name).splitlines()]
        return sorted(line["runId"] for line in lines if line["kind"] == "accepted")

    @property
    def document(self) -> Schedules:
        """What the app knows of the flows."""
        return Schedules.model_validate_json(self.world.text("runs", SCHEDULES_BLOB))


HOUR = timedelta(hours=1)


@pytest.fixture
def timeline(world: World, monkeypatch: pytest.MonkeyPatch) -> Timeline:
    monkeypatch.setattr(staging, "CLOCK_SKEW", timedelta(days=2))  # what is signed in times to come must be valid now
    return Timeline(world)


def test_a_due_time_becomes_a_run_of_the_stored_flow(world: World, timeline: Timeline) -> None:
    trigger = HOURLY.replace("}", ", inputs: {day: '{{ trigger.date }}'}}")
    timeline.put(trigger, more="inputs: [{id: day, type: STRING}]\n")
    timeline.tick(-5 * MINUTE)
    assert world.names("runs") == []
    timeline.tick(timedelta(seconds=10))
    run = timeline.run(timedelta(0))
    assert world.names("runs") == [f"{run}.json"]
    world.finish()
    folder = f"company.team/etl/{run}"
    record = json.loads(world.text("results", f"{folder}/record.json"))
    assert record["state"] == "SUCCESS"
    assert record["manifest"]["name"] == "company.team/etl.yaml"
    assert record["flow"]["source"]["name"] == "company.team/etl.yaml"
    due = record["trigger"]["due"]
    assert (record["trigger"]["id"], record["trigger"]["flow"]) == ("hourly", "company.team/etl")
    assert datetime.fromisoformat(due["date"]) == timeline.start
    assert datetime.fromisoformat(due["previous"]) == timeline.start - HOUR
    assert datetime.fromisoformat(due["next"]) == timeline.start + HOUR
    request = world.text("results", f"{folder}/manifest.yaml")
    assert request == f"flow: company.team/etl\ninputs:\n  day: '{due['date']}'\n"
    assert world.text("results", f"{folder}/flow.yaml") == world.text("flows", "company.team/etl.yaml")
    assert record["inputs"]["day"]
    assert timeline.runs == [run]
    assert [ended.run_id for ended in world.outbox.ends] == [run]


def test_the_time_in_the_id_is_a_name_and_the_run_is_as_old_as_its_acceptance(
    world: World, timeline: Timeline, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that is made up for after eight days is not ended because of its age, and does not overtake others."""
    due = timeline.start + timedelta(days=2)
    timeline.put(HOURLY.replace("'0 * * * *'", f"'0 0 {due.day} {due.month} *'"))
    timeline.tick(timedelta(0))
    late = timeline.at(timedelta(days=40))
    poll_runs.poll(late)
    (listed,) = world.app.runs.list()
    assert listed.accepted == late.now()
    assert listed.progress.state == "RUNNING"
    poll_runs.poll(timeline.at(timedelta(days=40, minutes=1)))
    assert "terminated-after-timeout" not in caplog.text


@pytest.mark.parametrize(
    ("recover", "made"), [("ALL", [0, 1, 2, 3]), ("LAST", [3]), ("NONE", [])], ids=["all", "last", "none"]
)
def test_what_ticks_have_missed_is_made_up_for_as_the_trigger_says(
    timeline: Timeline, recover: str, made: list[int]
) -> None:
    timeline.put(HOURLY.replace("}", f", recoverMissedSchedules: {recover}}}"))
    timeline.tick(-5 * MINUTE)
    timeline.tick(3 * HOUR + 30 * MINUTE, timeline.process())
    assert timeline.runs == [timeline.run(number * HOUR) for number in made]
    timeline.tick(4 * HOUR + 9 * MINUTE)
    assert timeline.runs == [timeline.run(number * HOUR) for number in [*made, 4]], "that is not missed"


def test_more_than_a_hundred_are_not_made_up_for(timeline: Timeline, caplog: pytest.LogCaptureFixture) -> None:
    timeline.put(HOURLY.replace("'0 *", "'*/10 *"))
    timeline.tick(-5 * MINUTE)
    app = timeline.at(20 * HOUR + 15 * MINUTE)
    created = []
    app = replace(app, runs=_Only(app.runs, created))
    poll_runs.poll(app)
    assert created == [timeline.run(20 * HOUR + 10 * MINUTE * number) for number in range(-99, 2)]
    assert "missed-left-out" in caplog.text


class _Only:
    """Run documents of which it is only noted that they are to be created."""

    def __init__(self, store: RunStore, created: list[str]) -> None:
        self._store, self._created = store, created

    def create(self, run) -> None:
        self._created.append(run.id)

    def __getattr__(self, name: str):
        return getattr(self._store, name)


def test_ticks_of_two_processes_at_once_make_one_run(world: World, timeline: Timeline) -> None:
    for number in range(3):
        timeline.put(HOURLY, flow=f"f{number}")
    timeline.tick(-5 * MINUTE)
    barrier = threading.Barrier(4)

    def tick() -> None:
        app = timeline.process()
        barrier.wait()
        timeline.tick(MINUTE, app)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    timeline.tick(2 * MINUTE)
    expected = [timeline.run(timedelta(0), flow=f"f{number}") for number in range(3)]
    assert sorted(set(timeline.runs)) == sorted(expected)
    world.finish()
    records = [name.split("/")[2] for name in world.names("results") if name.endswith("/record.json")]
    assert sorted(records) == sorted(expected)
    assert {schedule.done for schedule in timeline.document.schedules().values()} == {timeline.start}


def test_a_tick_that_was_overtaken_takes_back_what_it_has_made(world: World, timeline: Timeline) -> None:
    """It has read that the time is due; meanwhile another one makes the run, which ends, and is closed."""
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    slow = timeline.process()
    slow = replace(slow, results=_OvertakenAt("has_record", slow.results, lambda: _whole_life(world, timeline)))
    timeline.tick(MINUTE, slow)
    assert world.names("runs") == []
    assert timeline.runs == [timeline.run(timedelta(0))]
    assert Counter(ended.run_id for ended in world.outbox.ends) == {timeline.run(timedelta(0)): 1}


def test_a_run_that_is_recorded_is_never_made_again(world: World, timeline: Timeline) -> None:
    """Also if the process that made it died before it could say so, and somebody removes what the app knows."""
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    before = world.text("runs", SCHEDULES_BLOB)
    _whole_life(world, timeline)
    ends = len(world.outbox.ends)
    world.remove("runs", SCHEDULES_BLOB)
    world.put("runs", SCHEDULES_BLOB, before)
    timeline.tick(2 * MINUTE, timeline.process())
    world.remove("runs", SCHEDULES_BLOB)
    timeline.tick(3 * MINUTE, timeline.process())
    assert timeline.runs == [timeline.run(timedelta(0))]
    assert len(world.outbox.ends) == ends


def _whole_life(world: World, timeline: Timeline) -> None:
    timeline.tick(MINUTE, timeline.process())
    world.finish()


class _OvertakenAt:
    """Something of which, after one call, the first, something else happens."""

    def __init__(self, method: str, target: object, meanwhile: Callable[[], None]) -> None:
        self._method, self._target, self._meanwhile = method, target, [meanwhile]

    def __getattr__(self, name: str):
        found = getattr(self._target, name)
        if name != self._method:
            return found

        def call(*args):
            answer = found(*args)
            if self._meanwhile:
                self._meanwhile.pop()()
            return answer

        return call


def test_a_clock_that_goes_back_and_forth_makes_nothing_twice(timeline: Timeline) -> None:
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    for moment in (HOUR, timedelta(0), -HOUR, 2 * HOUR, HOUR, 2 * HOUR, -5 * HOUR, 3 * HOUR):
        timeline.tick(moment + MINUTE)
        timeline.tick(moment + MINUTE, timeline.process())
    assert timeline.runs == [timeline.run(number * HOUR) for number in range(4)]


def test_an_edited_flow_goes_on_where_it_was_and_its_new_version_runs(world: World, timeline: Timeline) -> None:
    timeline.put(HOURLY, more="variables: {n: 1}\n")
    timeline.tick(-5 * MINUTE)
    timeline.tick(MINUTE)
    world.remove("flows", "company.team/etl.yaml")
    timeline.put(HOURLY.replace("}", ", inputs: {}}"), more="variables: {n: 2}\n")
    timeline.tick(2 * HOUR + MINUTE)
    assert timeline.runs == [timeline.run(number * HOUR) for number in range(3)]
    later = timeline.run(2 * HOUR)
    assert "n: 2" in world.text("results", f"company.team/etl/{later}/flow.yaml")
    assert "n: 1" in world.text("results", f"company.team/etl/{timeline.run(timedelta(0))}/flow.yaml")


def test_an_edit_that_no_listing_has_seen_yet_runs_in_the_new_version_or_not_at_all(
    world: World, timeline: Timeline
) -> None:
    timeline.put(HOURLY, flow="same")
    timeline.put(HOURLY, flow="other")
    timeline.tick(-10 * timedelta(seconds=1))
    world.remove("flows", "company.team/other.yaml")
    timeline.put(HOURLY.replace("'0 ", "'30 "), flow="other")
    world.remove("flows", "company.team/same.yaml")
    timeline.put(HOURLY, flow="same", more="variables: {n: 2}\n")
    timeline.tick(timedelta(seconds=10))
    assert timeline.runs == [timeline.run(timedelta(0), flow="same")]
    assert "n: 2" in world.text("results", f"company.team/same/{timeline.runs[0]}/flow.yaml")


def test_another_cron_expression_or_time_zone_begins_anew(world: World, timeline: Timeline) -> None:
    """From the time at which it was stored on, which is before all of these times."""
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    timeline.tick(2 * HOUR + MINUTE)
    assert len(timeline.runs) == 3
    world.remove("flows", "company.team/etl.yaml")
    timeline.put(HOURLY.replace("'0 ", "'30 "))
    timeline.tick(2 * HOUR + 2 * MINUTE)
    halves = [timeline.run(HOUR * number - HOUR / 2) for number in (1, 2)]
    assert set(timeline.runs) - {timeline.run(-HOUR / 2)} == {
        *(timeline.run(number * HOUR) for number in range(3)),
        *halves,
    }


def test_a_flow_that_is_removed_starts_nothing_and_begins_anew_when_it_is_put_back(
    world: World, timeline: Timeline
) -> None:
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    world.remove("flows", "company.team/etl.yaml")
    timeline.tick(HOUR + MINUTE)
    assert timeline.document.flows == {}
    assert timeline.runs == []
    timeline.put(HOURLY)
    timeline.tick(HOUR + 3 * MINUTE)
    known = timeline.document.flows["company.team/etl"].schedules["hourly"]
    stored = world.app.flows.list()["company.team/etl"].last_modified
    assert known.since == stored


def test_a_flow_that_is_removed_between_listing_and_due_time_starts_nothing(world: World, timeline: Timeline) -> None:
    timeline.put(HOURLY)
    timeline.tick(timedelta(seconds=-10))
    world.remove("flows", "company.team/etl.yaml")
    timeline.tick(timedelta(seconds=10))
    assert timeline.runs == []


def test_a_trigger_that_is_disabled_is_forgotten_and_begins_anew(world: World, timeline: Timeline) -> None:
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    world.remove("flows", "company.team/etl.yaml")
    timeline.put(HOURLY.replace("}", ", disabled: true}"))
    timeline.tick(HOUR + MINUTE)
    assert timeline.runs == []
    assert timeline.document.schedules() == {}


def test_a_flow_that_cannot_be_read_starts_nothing_is_told_once_and_goes_on_when_it_is_mended(
    world: World, timeline: Timeline, caplog: pytest.LogCaptureFixture
) -> None:
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    world.remove("flows", "company.team/etl.yaml")
    timeline.put(HOURLY, more="nonsense: 1\n")
    world.put("flows", "company.team/other.yaml", "id: wrong\nnamespace: company.team\ntasks: [{id: a, commands: [b]}]")
    world.put("flows", "company.team/request.yaml", "flow: company.team/etl")
    world.put("flows", "company.team/note.txt", "not a flow")
    for minute in range(1, 8):
        timeline.tick(HOUR + minute * MINUTE)
    timeline.tick(HOUR + 9 * MINUTE, timeline.process())
    assert timeline.runs == []
    told = [json.loads(record.message) for record in caplog.records if "flow-starts-nothing" in record.message]
    assert sorted(each["flow"] for each in told) == [f"company.team/{name}" for name in ("etl", "other", "request")]
    world.remove("flows", "company.team/etl.yaml")
    timeline.put(HOURLY)
    timeline.tick(HOUR + 11 * MINUTE)
    assert timeline.runs == [timeline.run(timedelta(0)), timeline.run(HOUR)]


def test_runs_of_a_flow_with_a_limit_wait_for_each_other(world: World, timeline: Timeline) -> None:
    timeline.put(HOURLY, more="concurrency: {limit: 1}\n")
    timeline.tick(-5 * MINUTE)
    timeline.tick(2 * HOUR + MINUTE)
    timeline.tick(2 * HOUR + 2 * MINUTE)
    assert Counter(run.progress.state for run in world.app.runs.list()) == {"RUNNING": 1, "QUEUED": 2}
    assert [run.id for run in world.app.runs.list() if run.progress.state == "RUNNING"] == [timeline.run(timedelta(0))]


def test_a_condition_that_does_not_hold_makes_no_run_and_one_that_is_wrong_a_record(
    world: World, timeline: Timeline
) -> None:
    timeline.put(HOURLY.replace("}", ", when: '{{ trigger.date is null }}'}"), flow="never")
    timeline.put(HOURLY.replace("}", ", when: '{{ fromJson(trigger.date) }}'}"), flow="wrong")
    timeline.tick(-5 * MINUTE)
    timeline.tick(MINUTE)
    timeline.tick(2 * MINUTE)
    run = timeline.run(timedelta(0), flow="wrong")
    assert timeline.runs == [run]
    record = json.loads(world.text("results", f"company.team/wrong/{run}/record.json"))
    assert record["state"] == "REJECTED"
    assert record["errors"][0]["message"]
    assert {schedule.done for schedule in timeline.document.schedules().values()} == {timeline.start}


def test_a_scheduled_run_can_be_retried_and_cancelled(world: World, timeline: Timeline) -> None:
    timeline.put(HOURLY)
    timeline.tick(-5 * MINUTE)
    timeline.tick(MINUTE)
    run = timeline.run(timedelta(0))
    world.finish()
    retry = world.accept("again.yaml", f"retry: company.team/etl/{run}\nfrom: [task]\n")
    world.finish()
    assert world.record(retry, "again.yaml")["state"] == "SUCCESS"
    assert world.names("inbox") == []
    timeline.put(HOURLY, flow="waits", more="concurrency: {limit: 1}\n")
    timeline.tick(HOUR + MINUTE)
    waiting = timeline.run(HOUR, flow="waits")
    assert f"{waiting}.json" in world.names("runs")
    world.put("inbox", f"{waiting}.cancel")
    timeline.tick(HOUR + 2 * MINUTE)
    assert json.loads(world.text("results", f"company.team/waits/{waiting}/record.json"))["state"] == "KILLED"
    assert world.names("inbox") == []


def test_a_document_that_is_damaged_starts_nothing_and_stops_no_run(
    world: World, timeline: Timeline, caplog: pytest.LogCaptureFixture
) -> None:
    timeline.put(HOURLY)
    world.put("runs", SCHEDULES_BLOB, "{")
    run = world.accept()
    timeline.tick(MINUTE)
    assert timeline.runs == [run]
    assert "remove it from the runs container" in caplog.text
    assert "not-a-run-document" not in caplog.text
    world.remove("runs", SCHEDULES_BLOB)
    world.finish()
