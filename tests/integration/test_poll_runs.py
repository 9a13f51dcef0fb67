"""A tick: what it costs, what it publishes, and cancelling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared import poll_runs, record_run, submit_run
from shared.documents.ledger import ledger_blob
from shared.documents.names import dropped_at
from shared.events import JobEnded
from shared.lifecycle import MAX_ANNOUNCEMENTS


def test_a_tick_without_open_runs_asks_batch_nothing(world) -> None:
    poll_runs.poll(world.app)
    assert world.batch_requests() == {}


def ended(world, *names: str) -> list[str]:
    """Submit runs and wait until all their jobs have ended."""
    runs = [world.accept(f"{name}.yaml") for name in names]
    for run in runs:
        world.await_end(run)
    return runs


def test_all_ended_runs_are_announced_in_one_call(world) -> None:
    runs = ended(world, "a", "b", "c")
    poll_runs.poll(world.app)
    assert [sorted(event.run_id for event in call) for call in world.outbox.calls] == [sorted(runs)]


def test_an_ended_run_is_announced_again_with_growing_pauses(world) -> None:
    """The first event may be lost, or the recording may fail."""
    ended(world, "a")
    announced = []
    for seconds in (0, 10, 31, 40, 65, 100):
        poll_runs.poll(world.later(seconds=seconds))
        announced.append(len(world.outbox.take()))
    assert announced == [1, 0, 1, 0, 1, 0]


def test_a_run_that_cannot_be_recorded_ends_in_a_record_that_says_so(world) -> None:
    (run,) = ended(world, "a")
    (listed,) = world.app.runs.list()
    world.app.runs.set_progress(listed, replace(listed.progress, announced=MAX_ANNOUNCEMENTS))
    poll_runs.poll(world.later(hours=2))
    assert world.outbox.calls == [[JobEnded(run, 1, last=True)]]
    world.deliver()
    record = world.record(run, "a.yaml")
    assert (record["state"], record["failure"]["category"]) == ("FAILED", "internal")
    assert world.names("runs") == world.names("staging") == []


def test_a_run_is_closed_also_if_its_staging_container_is_gone(world) -> None:
    """Somebody deleted it: nothing of the run can be left in it, and the document must not stay for ever."""
    (run,) = ended(world, "m")
    world._storage.delete_container(world.settings.containers.staging)
    record_run.record(world.app, JobEnded(run, 1, last=True))
    assert world.record(run)["state"] == "FAILED"
    assert world.names("runs") == []


def test_a_run_whose_results_could_not_be_collected_says_nothing_of_tasks_of_which_nothing_is_known(world) -> None:
    """They ran; a record that calls them skipped would not be true."""
    (run,) = ended(world, "m")
    record_run.record(world.app, JobEnded(run, 1, last=True))
    record = world.record(run)
    assert (record["state"], record["failure"]["code"], record["tasks"]) == ("FAILED", "NotRecorded", [])


def test_a_job_that_vanished_ends_its_run(world) -> None:
    """Deleted by hand, say; the record says so, for neither the task nor the manifest is at fault."""
    run = world.accept(text="commands: [sleep 600]")
    world.app.batch.delete(f"{run}-1")
    world.await_end(run)
    world.finish()
    record = world.record(run)
    assert (record["state"], record["tasks"][0]["state"]) == ("FAILED", "SKIPPED")
    assert (record["failure"]["code"], record["failure"]["category"]) == ("EndedByHand", "infrastructure")
    assert f"the job {run}-1, or tasks of it, were ended or deleted by hand" in record["failure"]["message"]


def test_a_tick_that_fails_fails_no_run(world) -> None:
    run = world.accept()
    world.batch_fails({"operation": "Jobs_ListJobs", "status": 403, "code": "AuthenticationFailed"})
    with pytest.raises(Exception, match="AuthenticationFailed"):
        poll_runs.poll(world.app)
    world.batch_fails()
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_cancelling_a_running_run_keeps_its_logs(world) -> None:
    run = world.accept(text="id: t\ncommands: [echo before, sleep 600]")
    world.put("inbox", f"{run}.cancel")
    world.finish()
    record = world.record(run)
    assert (record["state"], record["tasks"][0]["state"]) == ("KILLED", "KILLED")
    assert world.names("inbox") == []


def test_cancelling_a_queued_run_keeps_it_out_of_batch(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept()
    world.batch_fails()
    world.put("inbox", f"{run}.cancel")
    poll_runs.poll(world.app)
    assert world.record(run)["state"] == "KILLED"
    assert world.names("inbox") == world.names("runs") == []
    assert "Tasks_CreateTaskCollection" not in world.batch_requests()


def test_cancelling_a_finished_or_unknown_run_changes_nothing(world) -> None:
    """The requests go after five minutes, in which the manifest of an unknown run might still come."""
    run = world.accept()
    world.finish()
    world.put("inbox", f"{run}.cancel")
    world.put("inbox", "never-20261122t121314-00000000.cancel")
    world.put("inbox", "no-run-id.cancel")
    poll_runs.poll(world.app)
    assert world.names("inbox") == [f"{run}.cancel", "never-20261122t121314-00000000.cancel"]
    poll_runs.poll(world.later(minutes=6))
    assert world.record(run)["state"] == "SUCCESS"
    assert world.names("inbox") == []


@pytest.mark.parametrize("ending", [".cancel", ".CANCEL"])
def test_the_trigger_cancels_without_a_tick(world, ending: str) -> None:
    """A timer that has stopped keeps nobody from cancelling."""
    run = world.accept(text="id: t\ncommands: [sleep 600]")
    world.put("inbox", run + ending)
    submit_run.receive(world.app, run + ending)
    world.await_end(run)
    assert world.names("inbox") == []
    world.finish()
    assert world.record(run)["state"] == "KILLED"


def test_a_request_to_cancel_that_comes_before_its_manifest_is_honoured_by_a_tick(world) -> None:
    """Events come in any order."""
    run = world.drop()
    world.put("inbox", f"{run}.cancel")
    submit_run.receive(world.app, f"{run}.cancel")
    assert f"{run}.cancel" in world.names("inbox")
    submit_run.receive(world.app, "m.yaml")
    poll_runs.poll(world.app)
    world.finish()
    assert world.names("inbox") == []


@pytest.mark.parametrize("name", ["JOB.YAML", "a/Job.Yml", "job.JSON"])
def test_the_case_of_a_manifests_ending_does_not_matter(world, name: str) -> None:
    world.put("inbox", name, '{"commands": ["true"]}')
    submit_run.receive(world.app, name)
    world.finish()
    (record,) = [each for each in world.names("results") if each.endswith("/record.json")]
    assert record.startswith(name.rpartition(".")[0] + "/")


def test_a_blob_that_is_neither_a_manifest_nor_a_request_is_left_alone(world) -> None:
    world.put("inbox", "readme.md", "commands: [x]")
    submit_run.receive(world.app, "readme.md")
    assert (world.names("inbox"), world.names("runs")) == (["readme.md"], [])


def test_an_event_of_a_job_that_is_alive_does_nothing(world) -> None:
    run = world.accept(text="commands: [sleep 600]")
    for event in (JobEnded(run, 1), JobEnded(run, 0), JobEnded(run, 2), JobEnded("unknown", 1)):
        record_run.record(world.app, event)
    assert not [name for name in world.names("results") if name.endswith("record.json")]
    assert world.names("runs") == [f"{run}.json"]


def test_documents_that_cannot_be_read_do_not_keep_other_runs_from_going_on(world) -> None:
    """One of a newer version of the app is left alone; a blob that is none is passed over."""
    runs = world._storage.get_container_client(world.settings.containers.runs)
    runs.upload_blob("x-20260101t000000-00000000.json", "{}", metadata={"schema": "2", "state": "PAUSED"})
    runs.upload_blob("foreign.json", "{}")
    run = world.accept()
    world.await_end(run)
    poll_runs.poll(world.app)
    world.deliver()
    assert world.record(run)["state"] == "SUCCESS"
    assert len(world.names("runs")) == 2


@pytest.mark.parametrize("damage", ["no metadata", "half a body"])
def test_a_document_that_was_damaged_by_hand_stops_no_other_run(world, damage: str) -> None:
    """Whoever edits it in the portal writes it without its metadata; then its job belongs to no run that is listed."""
    run = world.accept("damaged.yaml", "commands: [sleep 600]")
    document = world._storage.get_blob_client(world.settings.containers.runs, f"{run}.json")
    content, metadata = document.download_blob().readall(), document.get_blob_properties().metadata
    if damage == "no metadata":
        document.upload_blob(content, overwrite=True)
    else:
        document.upload_blob(content[: len(content) // 2], overwrite=True, metadata=metadata)
        world.app.batch.terminate(f"{run}-1")
        world.await_end(run)
    other = world.accept("other.yaml")
    world.await_end(other)
    for _ in range(2):
        poll_runs.poll(world.app)
        world.deliver()
    assert world.record(other, "other.yaml")["state"] == "SUCCESS"
    assert world.names("runs") == [f"{run}.json"]
    if damage == "no metadata":
        assert not world.app.batch.has_ended(f"{run}-1")


def cut_off(content: bytes, metadata: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    return content[: len(content) // 2], metadata


def emptied(_: bytes, metadata: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    return b"", metadata


def another_json(_: bytes, metadata: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    return b'{"runId": 7}', metadata


def without_metadata(content: bytes, _: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    return content, {}


def broken_metadata(content: bytes, metadata: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    return content, {**metadata, "round": "one"}


DAMAGES = (cut_off, emptied, another_json, without_metadata, broken_metadata)


def damaged_run(world, damage, name: str, *, is_queued: bool = False) -> str:
    """A run whose document was damaged by hand, while it was queued or when its job had ended."""
    if is_queued:
        world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept(name, "commands: [echo hi]")
    world.batch_fails()
    if not is_queued:
        world.await_end(run)
    document = world._storage.get_blob_client(world.settings.containers.runs, f"{run}.json")
    content, metadata = damage(document.download_blob().readall(), document.get_blob_properties().metadata)
    document.upload_blob(content, overwrite=True, metadata=metadata)
    return run


def ledger_of(run: str) -> str:
    return ledger_blob(dropped_at(run).date(), 1)


@pytest.mark.parametrize("is_queued", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["running", "queued"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_document_that_stays_damaged_ends_its_run(world, damage, *, is_queued: bool) -> None:
    """What its tasks left is lost, but it is recorded in its folder, and nothing of it stays; not before an hour."""
    run = damaged_run(world, damage, "team a/damaged.yaml", is_queued=is_queued)
    for minutes in range(0, 50, 10):
        poll_runs.poll(world.later(minutes=minutes))
        world.deliver()
    assert world.names("runs") == [f"{run}.json"], "there is time to repair it"
    for hours in range(1, 16):
        poll_runs.poll(world.later(hours=hours))
        world.deliver()
    record = world.record(run, "team a/damaged.yaml")
    assert (record["state"], record["failure"]["code"]) == ("FAILED", "NotRecorded")
    assert "was damaged" in record["failure"]["message"]
    assert (record["manifest"]["name"], record["tasks"]) == ("team a/damaged.yaml", [])
    assert world.names("runs") == world.names("staging") == []
    world.await_end(run)
    assert '"recorded"' in world.text("results", ledger_of(run))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_whose_document_is_damaged_can_be_cancelled(world, damage) -> None:
    run = damaged_run(world, damage, "damaged.yaml")
    world.put("inbox", f"{run}.cancel")
    poll_runs.poll(world.app)
    record = world.record(run, "damaged.yaml")
    assert (record["state"], record["failure"]["code"]) == ("KILLED", "NotRecorded")
    assert world.names("runs") == world.names("staging") == []


def test_a_damaged_document_of_a_run_that_the_ledger_lacks_ends_it_too(world) -> None:
    run = damaged_run(world, cut_off, "damaged.yaml")
    world.remove("results", ledger_of(run))
    world.put("inbox", f"{run}.cancel")
    poll_runs.poll(world.app)
    assert world.record(run, "damaged.yaml")["state"] == "KILLED"


def test_a_run_of_a_newer_version_of_the_app_is_neither_closed_nor_is_its_cancel_lost(world, monkeypatch) -> None:
    """During a rolling update: the newer host writes the document between two looks of the older one at it."""
    runs = world._storage.get_container_client(world.settings.containers.runs)
    create_job = world.app.batch.create_job

    def while_it_is_updated(job) -> bool:
        (run,) = world.app.runs.list()
        runs.get_blob_client(f"{run.id}.json").set_blob_metadata({**run.progress.to_metadata(), "schema": "2"})
        return create_job(job)

    monkeypatch.setattr(world.app.batch, "create_job", while_it_is_updated)
    run = world.accept()
    world.put("inbox", f"{run}.cancel")
    poll_runs.poll(world.later(minutes=5))
    assert world.names("runs") == [f"{run}.json"]
    assert world.names("inbox") == [f"{run}.cancel"]
    assert not world.app.batch.has_ended(f"{run}-1")


def test_a_run_that_waited_for_the_quota_gets_growing_pauses_for_other_failures(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept()
    world.batch_fails({"operation": "*", "status": 403, "code": "AuthenticationFailed"})
    for tick in range(1, 13):
        poll_runs.poll(world.later(seconds=15 * tick))
    assert world.app.runs.load(run).progress.attempts <= 4
    world.batch_fails()
    world.app.runs.remove(run)


def test_a_job_whose_run_is_closed_is_deleted_but_no_other_apps(world, make_world) -> None:
    """A submitter may die between making the job of a run that was cancelled meanwhile and finding the run gone."""
    other = make_world()
    orphan, foreign = (
        world.accept("orphan.yaml", "commands: [sleep 30]"),
        other.accept("foreign.yaml", "commands: [sleep 30]"),
    )
    world.accept("open.yaml", "commands: [sleep 30]")
    world.app.runs.remove(orphan)
    other.app.runs.remove(foreign)
    poll_runs.poll(world.app)
    live = world.app.batch.live_jobs().active
    assert {job.partition("-")[0] for job in live} == {"foreign", "open"}
