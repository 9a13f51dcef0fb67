"""Accepting and submitting: once, in an order that can be repeated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from azure.batch import models

from shared import poll_runs, submit_run
from shared.documents.external_data import ExternalData
from shared.documents.progress import Progress
from shared.lifecycle import MAX_ATTEMPTS


def test_a_run_is_in_batch_and_no_longer_in_the_inbox(world) -> None:
    run = world.accept()
    assert world.names("inbox") == []
    assert world.names("runs") == [f"{run}.json"]
    assert f"{run}-1" in world.app.batch.live_jobs().ids or world.app.batch.has_ended(f"{run}-1")
    assert world.result(run, "status.json")["state"] == "RUNNING"


def test_one_event_delivered_three_times_at_once_makes_one_run(world) -> None:
    run = world.drop()
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: submit_run.accept(world.app, "m.yaml"), range(3)))
    assert world.names("runs") == [f"{run}.json"]
    requests = world.batch_requests()
    assert requests["Jobs_CreateJob"] == 1
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_two_submitters_at_once_run_each_task_once(world) -> None:
    """An invocation that hangs, and the tick that resumes its run: both go through the whole order."""
    text = "id: t\ncommands: ['echo once >> ../../../../../../once; cp ../../../../../../once .']\noutputFiles: [once]"
    run_id = world.drop("m.yaml", text)
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: submit_run.submit(world.app, run), range(4)))
    world.finish()
    record = world.record(run_id)
    assert (record["state"], len(record["jobs"])) == ("SUCCESS", 1)
    assert record["tasks"][0]["outputs"]["outputFiles"]["once"]["bytes"] == len("once\n")


def test_an_event_after_the_run_was_closed_makes_none(world) -> None:
    run = world.accept()
    world.finish()
    submit_run.accept(world.app, "m.yaml")
    assert world.names("runs") == []
    assert world.record(run)["state"] == "SUCCESS"


def test_an_event_that_read_the_manifest_before_the_run_was_closed_makes_none(world) -> None:
    """The slowest of deliveries: it finds the record, and only cleans up behind itself."""
    world.drop()
    late = submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml"))
    submit_run.accept(world.app, "m.yaml")
    world.finish()
    world.batch_requests()
    submit_run.submit(world.app, world.app.runs.create(late))
    assert world.names("runs") == []
    assert "Jobs_CreateJob" not in world.batch_requests()


def test_a_version_that_was_overwritten_before_it_was_taken_is_not_run(world) -> None:
    first, second = world.drop(text="commands: [echo 1]"), world.drop(text="commands: [echo 2]")
    submit_run.accept(world.app, "m.yaml")
    assert world.names("runs") == [f"{second}.json"]
    assert first != second


def test_a_manifest_that_is_overwritten_while_it_is_taken_is_not_lost(world) -> None:
    """The removal from the inbox names the version."""
    world.drop(text="commands: [echo 1]")
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    second = world.drop(text="commands: [echo 2]")
    submit_run.submit(world.app, run)
    assert world.names("inbox") == ["m.yaml"]
    submit_run.accept(world.app, "m.yaml")
    world.finish()
    assert world.record(second)["state"] == "SUCCESS"


def test_a_run_whose_submitter_died_is_submitted_by_a_later_tick(world) -> None:
    world.drop()
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    poll_runs.poll(world.app)
    assert "Jobs_CreateJob" not in world.batch_requests(), "it may still be at work"
    poll_runs.poll(world.later(seconds=31))
    world.finish()
    assert world.record(run.id)["state"] == "SUCCESS"


def test_a_manifest_whose_event_never_came_is_taken_by_a_tick(world) -> None:
    run = world.drop()
    poll_runs.poll(world.app)
    assert world.names("runs") == []
    poll_runs.poll(world.later(seconds=61))
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_a_submitter_that_comes_after_the_run_moved_on_withdraws_its_job(world) -> None:
    """The document is read again after the job was created: nothing is added to a run that is cancelled."""
    world.drop()
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    world.app.runs.save(run.with_cancellation("1"))
    submit_run._submit_round(world.app, run)
    world.await_end(run.id)
    assert "Tasks_CreateTaskCollection" not in world.batch_requests()


def test_a_submitter_that_comes_after_the_run_was_closed_leaves_nothing(world) -> None:
    world.drop()
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    world.app.runs.remove(run.id)
    submit_run._submit_round(world.app, run)
    world.await_end(run.id)
    assert world.names("staging") == []


def test_a_job_of_the_same_name_that_is_not_ours_is_not_touched(world) -> None:
    """Whose job it is, its metadata tell."""
    run = world.drop()
    other = models.BatchJobCreateOptions(id=f"{run}-1", pool_info=models.BatchPoolInfo(pool_id="local"))
    world.app.batch._client.create_job(other)
    submit_run.accept(world.app, "m.yaml")
    poll_runs.poll(world.app)
    assert world.names("runs")
    assert "Tasks_CreateTaskCollection" not in world.batch_requests()


def test_while_the_quota_is_used_up_a_run_waits_and_says_so(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    run = world.accept()
    status = world.result(run, "status.json")
    assert (status["state"], status["waiting"]) == ("QUEUED", "quota")
    poll_runs.poll(world.app)
    assert world.app.runs.load(run).progress.attempts == 0, "waiting for the quota is not an attempt"
    world.batch_fails()
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_the_oldest_run_is_submitted_first_and_one_refusal_is_enough(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    runs = [world.accept(f"{name}.yaml") for name in "cab"]
    world.batch_requests()
    poll_runs.poll(world.app)
    assert world.batch_requests()["Jobs_CreateJob"] == 1
    world.batch_fails()
    poll_runs.poll(world.app)
    submitted = [world.app.runs.load(run).body.submitted for run in runs]
    assert all(submitted)


def test_a_busy_batch_puts_a_run_off_without_counting_an_attempt(world) -> None:
    """429 on a create is not retried by the SDK."""
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 429, "code": "TooManyRequests"})
    run = world.accept()
    stored = world.app.runs.load(run)
    assert stored.progress == Progress(waiting="busy", accepted=stored.body.accepted)
    world.batch_fails()
    world.finish()
    assert world.record(run)["state"] == "SUCCESS"


def test_a_run_that_keeps_failing_ends_in_a_record_that_says_so(world) -> None:
    world.drop()
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    world.app.runs.save(replace(run, progress=replace(run.progress, attempts=MAX_ATTEMPTS)))
    poll_runs.poll(world.later(hours=2))
    record = world.record(run.id)
    assert (record["state"], record["failure"]["code"]) == ("FAILED", "TooManyAttempts")
    assert world.names("runs") == world.names("staging") == world.names("inbox") == []


def test_what_batch_refuses_for_good_is_rejected_in_its_words(world) -> None:
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 400, "code": "InvalidPropertyValue"})
    record = world.record(world.accept())
    assert record["state"] == "REJECTED"
    assert "InvalidPropertyValue" in record["errors"][0]["message"]


def test_tasks_that_batch_refuses_end_the_job_and_are_recorded(world) -> None:
    """The job exists already, so the run goes on to its end as any other."""
    world.batch_fails({"operation": "Tasks_CreateTaskCollection", "status": 400, "code": "InvalidPropertyValue"})
    run = world.accept()
    assert world.names("runs")
    world.finish()
    assert world.record(run)["state"] == "REJECTED"


def test_an_answer_that_was_lost_does_no_harm(world) -> None:
    """The SDK repeats the request: the job, and then each task, exists already."""
    for operation in ("Jobs_CreateJob", "Tasks_CreateTaskCollection", "Jobs_UpdateJob"):
        world.batch_fails({"operation": operation, "next": 1, "status": 503, "afterwards": True})
        run = world.accept(f"{operation}.yaml")
        world.finish()
        record = world.record(run, f"{operation}.yaml")
        assert record["state"] == "SUCCESS", operation


def test_namespace_files_that_change_meanwhile_are_listed_again(world) -> None:
    world.put("namespaces", "n.s/a.txt", "first")
    text = "id: t\nnamespace: n.s\nnamespaceFiles: {enabled: true}\ncommands: [cat a.txt]\noutputFiles: [a.txt]"
    world.drop(text=text)
    run = world.app.runs.create(submit_run.accepted_run(world.app, world.app.inbox.read("m.yaml")))
    files = world.app.sources.namespace_files("n.s")
    run = world.app.runs.save(run.with_external_data(ExternalData(namespace_files={"t": (replace_etag(files[0]),)})))
    submit_run.submit(world.app, run)
    assert world.app.runs.load(run.id).body.outside == ExternalData()
    poll_runs.poll(world.later(seconds=31))
    world.finish()
    assert world.record(run.id)["state"] == "SUCCESS"


def replace_etag(file):
    """The file as it was listed before somebody wrote it."""
    return file.model_copy(update={"etag": "0x8D0000000000000"})


@pytest.mark.parametrize(("if_exists", "state"), [("FAIL", "REJECTED"), ("WARN", "SUCCESS")])
def test_two_namespaces_with_one_file(world, if_exists: str, state: str) -> None:
    for namespace in ("n.a", "n.b"):
        world.put("namespaces", f"{namespace}/x.txt", namespace)
    text = f"commands: [cat x.txt]\nnamespaceFiles: {{namespaces: [n.a, n.b], ifExists: {if_exists}}}"
    run = world.accept(text=text)
    world.finish()
    record = world.record(run)
    assert record["state"] == state
    (problem,) = record["errors"] + record["warnings"]
    assert (problem["path"], problem["line"]) == ("namespaceFiles", 2)
    assert "'x.txt'" in problem["message"]


def test_tasks_that_are_larger_than_the_first_are_added_all_the_same(world) -> None:
    """Portions are measured by their first task; Batch refuses those that are too large, and they are halved."""
    client = world.app.batch._client
    client.create_job(models.BatchJobCreateOptions(id="large", pool_info=models.BatchPoolInfo(pool_id="none")))
    sizes = [1, *[300_000] * 9]
    tasks = [
        models.BatchTaskCreateOptions(id=str(number), command_line="x" * size) for number, size in enumerate(sizes)
    ]
    world.app.batch.add_tasks("large", tasks)
    assert set(world.app.batch.tasks("large")) == set(map(str, range(10)))
    assert world.batch_requests()["Tasks_CreateTaskCollection"] == 1 + 2 + 4
