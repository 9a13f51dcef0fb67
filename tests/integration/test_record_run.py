"""Recording: repeated, sliced, interrupted, and always once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from shared import poll_runs, record_run
from shared.app import App
from shared.documents.part import Part
from shared.documents.run import Run
from shared.events import JobEnded
from shared.outputs.files import StagedBlob
from shared.steps import collect_outputs
from shared.storage.runs import PartStore
from shared.storage.staging import Staging

TEXT = "id: t\ncommands: ['echo a > a.txt; echo b > b.txt']\noutputFiles: ['*.txt']"


@pytest.fixture
def ended(world) -> str:
    """A run whose job has ended."""
    run = world.accept(text=TEXT)
    world.await_end(run)
    return run


def test_one_event_delivered_three_times_at_once_makes_one_record(world, ended: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: record_run.record(world.app, JobEnded(ended, 1)), range(3)))
    assert world.record(ended)["state"] == "SUCCESS"
    assert world.names("runs") == world.names("staging") == []


def test_an_event_after_the_run_was_closed_does_nothing(world, ended: str) -> None:
    record_run.record(world.app, JobEnded(ended, 1))
    first = world.record(ended)
    record_run.record(world.app, JobEnded(ended, 1))
    assert world.record(ended) == first


def test_what_does_not_fit_into_one_event_goes_on_with_the_next(world, ended: str, monkeypatch) -> None:
    monkeypatch.setattr(record_run, "BUDGET_SECONDS", -1.0)
    record_run.record(world.app, JobEnded(ended, 1))
    assert world.outbox.take() == [JobEnded(ended, 1)]
    assert world.names("runs"), "nothing is lost meanwhile"
    monkeypatch.undo()
    record_run.record(world.app, JobEnded(ended, 1))
    assert set(world.record(ended)["tasks"][0]["outputs"]["outputFiles"]) == {"a.txt", "b.txt"}


def test_a_recording_that_broke_off_after_the_record_is_only_closed(world, ended: str, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(world.app.staging), "clear", lambda *_: pytest.fail("the process dies here"))
        with pytest.raises(pytest.fail.Exception):
            record_run.record(world.app, JobEnded(ended, 1))
    first = world.record(ended)
    assert world.names("runs")
    world.finish()
    assert world.record(ended) == first
    assert world.names("runs") == world.names("staging") == []


def test_a_failing_service_is_tried_again_with_the_next_announcement(world, ended: str) -> None:
    world.batch_fails({"operation": "Tasks_ListTasks", "status": 400, "code": "OperationTimedOut"})
    record_run.record(world.app, JobEnded(ended, 1))
    assert world.names("runs")
    world.batch_fails()
    world.finish()
    assert world.record(ended)["state"] == "SUCCESS"


def test_jobs_are_kept_where_the_manifest_says_so(world) -> None:
    run = world.accept(text="commands: [echo hi]\ntaskRunner: {delete: false}")
    world.finish()
    assert set(world.app.batch.tasks(f"{run}-1")) == {"1"}
    world.app.batch.delete(f"{run}-1")


def test_a_disabled_task_is_skipped_and_does_not_make_the_run_a_failure(world) -> None:
    run = world.accept(text="tasks: [{id: a, commands: [echo]}, {id: b, disabled: true, commands: [exit 1]}]")
    world.finish()
    record = world.record(run)
    assert (record["state"], [task["state"] for task in record["tasks"]]) == ("SUCCESS", ["SUCCESS", "SKIPPED"])


def test_the_record_tells_times_in_their_order(world, ended: str) -> None:
    record_run.record(world.app, JobEnded(ended, 1))
    times = {name: datetime.fromisoformat(time) for name, time in world.record(ended)["timings"].items()}
    order = ("dropped", "submitted", "started", "ended", "detected", "recorded")
    assert [times[name] for name in order] == sorted(times.values())


def test_at_the_flows_timeout_a_task_has_failed_and_the_record_says_so(world) -> None:
    run = world.accept(text="timeout: PT2S\ntasks: [{id: a, commands: [sleep 60]}, {id: b, commands: [echo b]}]")
    world.finish()
    record = world.record(run)
    assert [task["state"] for task in record["tasks"]] == ["FAILED", "SKIPPED"]
    assert record["tasks"][0]["failure"]["code"] == "FlowTimeout"


def test_at_the_flows_timeout_a_task_that_found_no_node_explains_the_failure(world) -> None:
    """A task of the same pool holds all slots of its only node; what never began has no failure of its own."""
    slots = world.app.batch.pools(at_least="local")["local"].slots_per_node
    busy = world.accept("busy.yaml", f"foreach: {slots}\ncommands: [sleep 60]")
    run = world.accept(text="timeout: PT1S\ntasks: [{id: late, commands: [echo]}]")
    world.await_end(run)
    poll_runs.poll(world.app)
    world.deliver()
    world.app.batch.terminate(f"{busy}-1")
    record = world.record(run)
    assert (record["state"], record["tasks"][0]["state"]) == ("FAILED", "SKIPPED")
    assert (record["failure"]["code"], record["failure"]["category"]) == ("FlowTimeout", "user")
    assert record["failure"]["message"].endswith("before these tasks had begun: late")


def test_a_setting_that_changed_meanwhile_does_not_keep_results_from_being_recorded(make_world) -> None:
    """The job ran; a secret that was removed since has nothing to do with recording it."""
    world = make_world(SECRET_TOKEN="abcdefgh")
    text = "id: t\ncommands: ['echo hi > a.txt']\nenv: {T: \"{{ secret('TOKEN') }}\"}\noutputFiles: [a.txt]"
    run = world.accept(text=text)
    world.app = replace(App.of(replace(world.settings, secrets={})), events=world.outbox)
    world.finish()
    assert list(world.record(run)["tasks"][0]["outputs"]["outputFiles"]) == ["a.txt"]


def test_another_staging_container_does_not_lose_what_is_staged(make_world) -> None:
    """The run waited for the quota with its files in place; they are looked for where they are, and removed there."""
    world, other = make_world(), make_world()
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept(text=TEXT)
    world.batch_fails()
    containers = replace(world.settings.containers, staging=other.settings.containers.staging)
    world.app = replace(App.of(replace(world.settings, containers=containers)), events=world.outbox)
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"
    assert world.names("staging") == other.names("staging") == []


def test_another_default_pool_does_not_change_what_a_round_held(world) -> None:
    """Otherwise the second task would not be looked for in the job, and be run once more on the other pool."""
    text = (
        "tasks:\n- {id: named, taskRunner: {type: io.kestra.plugin.ee.azure.runner.Batch, poolId: local}, "
        "commands: ['echo']}\n- {id: default, dependsOn: [], commands: ['echo']}\n"
    )
    run = world.accept(text=text)
    world.app = replace(
        world.app, settings=replace(world.settings, batch=replace(world.settings.batch, pool_id="other"))
    )
    world.finish()
    record = world.record(run)
    assert [(task["id"], task["state"]) for task in record["tasks"]] == [("named", "SUCCESS"), ("default", "SUCCESS")]
    assert len(record["jobs"]) == 1


@dataclass
class _Clock:
    """A clock that only a test moves."""

    seconds: float

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    "text",
    [
        f"tasks: [{', '.join(f'{{id: t{n}, commands: [echo 123456789]}}' for n in range(10))}]",
        "id: t\nforeach: 10\ncommands: [echo 123456789]",
    ],
    ids=["tasks", "items"],
)
def test_logs_that_take_long_to_read_are_read_by_several_events(world, monkeypatch, text: str) -> None:
    """Two of them are read between two looks at the time. Once it is over, none is begun, and none is read twice."""
    run = world.accept(text=text)
    world.await_end(run)
    clock, read, lines = _Clock(time.monotonic()), [], Staging.lines

    def slowly(staging: Staging, container: str, blob: StagedBlob, *how: Any) -> Any:
        if blob.name.endswith("/stdout.txt"):
            clock.seconds += 6
            read.append(blob.name)
        return lines(staging, container, blob, *how)

    monkeypatch.setattr(Staging, "lines", slowly)
    for module in (record_run, collect_outputs):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(collect_outputs, "GROUP_LOG_BYTES", 2 * len("123456789\n"))
    for count in (4, 8):
        record_run.record(world.app, JobEnded(run, 1))
        assert (len(read), world.outbox.take()) == (count, [JobEnded(run, 1)])
    record_run.record(world.app, JobEnded(run, 1))
    assert len(set(read)) == len(read) == 10
    tasks = world.record(run)["tasks"]
    assert len(tasks[0]["items"]["records"] if tasks[0]["items"] else tasks) == 10
    assert world.names("runs") == world.names("staging") == []


@pytest.mark.parametrize("count", [2, 6])
def test_another_invocation_may_have_stored_more_of_a_part_or_less(world, monkeypatch, count: int) -> None:
    """How much one stores depends on what it found staged; every task is recorded once, whoever stored it."""
    run = world.accept(text="id: t\nforeach: 7\ncommands: [echo 123456789]")
    world.await_end(run)
    keep = PartStore.keep

    def after_another(store: PartStore, document: Run, first: int, part: Part) -> Part:
        if first == 1:
            items = [part.items["t"][0].model_copy(update={"index": index}) for index in range(count)]
            keep(store, document, first, Part(items={"t": tuple(items)}))
        return keep(store, document, first, part)

    monkeypatch.setattr(PartStore, "keep", after_another)
    monkeypatch.setattr(collect_outputs, "GROUP_LOG_BYTES", 4 * len("123456789\n"))
    record_run.record(world.app, JobEnded(run, 1))
    (task,) = world.record(run)["tasks"]
    assert [item["index"] for item in task["items"]["records"]] == list(range(7))
    assert task["items"]["states"] == {"SUCCESS": 7}
