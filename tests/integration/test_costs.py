"""What is paid for beside nodes: all calls of storage and Batch, with their reasons; see `docs/performance.md`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.batch.client import Batch
from shared.batch.pools import Pool
from shared.batch_job import MAX_CHUNK_TASKS
from shared.documents.ledger import LedgerLine, LineKind
from shared.documents.names import run_id
from shared.log import Stage
from shared.steps.start_due import start_due
from tests.benchmarks.bare import Bare
from tests.integration.conftest import World

ONE_TASK = "commands: [echo hi | tee a.txt]\noutputFiles: [a.txt]"
SUBMIT = {
    "read inbox/m.yaml": "content, ETag and time of one version of the manifest",
    "create runs/RUN.json": "the run is accepted, once",
    "append results/_runs/DAY.jsonl": "the run is listed without opening its folder",
    "read results/m/RUN/record.json": "an event that comes again after the run was closed must not run it again",
    "write results/m/RUN/manifest.yaml": "what was dropped, without credentials",
    "delete inbox/m.yaml": "what lies in the inbox has not been taken yet",
    "write staging/RUN/sys/task/run.sh": "commands and environment are not part of the Batch task",
    "read runs/RUN.json": "tasks are added only if the run was neither cancelled nor moved on since",
    "write results/m/RUN/status.json": "where the open run is, for people",
    "write runs/RUN.json": "RUNNING, under the ETag that was read",
}
TICK = {
    "list inbox": "cancels, and manifests whose event never came",
    "list runs": "the open runs with their progress",
}
ANNOUNCE = {"metadata runs/RUN.json": "announced: the next tick publishes the event again only after a pause"}
RECORD = {
    "read runs/RUN.json": "is the run still open, and in this round?",
    "list staging": "what the task left",
    "copy results/m/RUN/outputs/task/a.txt": "an output; no byte passes through the app",
    "copy results/m/RUN/logs/task/stdout.txt": "a log",
    "copy results/m/RUN/logs/task/stderr.txt": "a log, also if it is empty",
    "read staging/RUN/std/task/stdout.txt": "values that the task printed; an empty log is not read",
    "read results/m/RUN/logs/task/stdout.txt": "its end, for the report",
    "read results/m/RUN/logs/task/stderr.txt": "its end, for the report",
    "read results/m/RUN/outputs/task/a.txt": "its beginning, for the report",
    "write results/m/RUN/report.html": "the page for people, once",
    "write results/m/RUN/record.json": "the record, once",
    "append results/_runs/DAY.jsonl": "the run is listed as ended",
}
PUSHED = {
    "list staging": "the markers of all tasks that end the round",
    "metadata runs/RUN.json": "this invocation records, no other one; a tick announces only after a pause",
}
RECORD_AGAIN = {"read runs/RUN.json": "nobody cancelled or recorded it meanwhile"}
CLOSE = {
    "list staging": "what is to be removed, whatever a late upload has added",
    "delete batch staging": "up to 256 blobs a request",
    "delete results/m/RUN/status.json": "the run is no longer open",
    "delete runs/RUN.json": "closed; the last step",
}
BATCH_CALLS = {
    "Jobs_CreateJob": 1,
    "Tasks_CreateTaskCollection": 1,
    "Jobs_UpdateJob": 1,
    "Tasks_ListTasks": 1,
    "Jobs_DeleteJob": 1,
}
APART = ("Jobs_ListJobs", "Pools_ListPools")  # of a tick, and once a minute


def first_line_of_the_day() -> LedgerLine:
    now = datetime.now(UTC)
    run = run_id("inbox", "first.yaml", "1", now)
    return LedgerLine(kind=LineKind.ACCEPTED, run_id=run, manifest="first.yaml", results="first", dropped=now)


@pytest.fixture
def storage(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The storage operations of the app, in words; the first run of a day makes the ledger, the first tick the card."""
    poll_runs.poll(world.app)
    world.app.ledger.append(Stage.SUBMIT, first_line_of_the_day())
    made: list[str] = []
    send = RequestsTransport.send

    def counting(self: RequestsTransport, request: Any, **options: Any) -> Any:
        if not request.url.startswith(world.settings.batch.endpoint):
            made.append(_in_words(request.method, request.url, request.headers))
        return send(self, request, **options)

    monkeypatch.setattr(RequestsTransport, "send", counting)
    return made


def _in_words(method: str, url: str, headers: Mapping[str, str]) -> str:
    address, _, query = url.partition("?")
    container, _, blob = re.sub(r"^https?://[^/]+/[^/]+/", "", address).partition("/")
    name = f"{re.sub(r'-[0-9]+$', '', container)}/{re.sub(r'(?:m|f0)-[0-9t]+-[0-9a-f]{8}', 'RUN', blob)}"
    if not blob:
        return f"{'list' if 'comp=list' in query else 'delete batch'} {name.rstrip('/')}"
    name = re.sub(r"[0-9-]+[.]jsonl", "DAY.jsonl", name)
    if "comp=appendblock" in query:
        return f"append {name}"
    if "comp=metadata" in query:
        return f"metadata {name}"
    if method == "PUT" and headers.get("If-None-Match") == "*" and container.startswith("runs"):
        return f"create {name}"
    words = {"GET": "read", "HEAD": "exists", "DELETE": "delete", "PUT": "write"}
    return f"{'copy' if 'x-ms-copy-source' in headers else words[method]} {name}"


def test_a_tick_without_runs_costs_two_listings(world: World, storage: list[str]) -> None:
    poll_runs.poll(world.app)
    assert storage == list(TICK)


SCHEDULED = (
    "id: f{number}\nnamespace: company.team\ntasks: [{{id: task, commands: [echo]}}]\n"
    "triggers: [{{id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: '0 0 1 1 *'}}]\n"
)


@pytest.mark.parametrize("flows", [0, 10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_tick_costs_the_same_however_many_flows_are_stored(world: World, storage: list[str], flows: int) -> None:
    """Each version of a flow is read once, by one process; the flows are listed once a minute."""
    for number in range(flows):
        world.put("flows", f"company.team/f{number}.yaml", SCHEDULED.format(number=number))
    list_and_read = world.later(minutes=2)
    poll_runs.poll(list_and_read)
    while len(world.app.schedules.read().document.flows) < flows:  # a tick reads for three seconds
        poll_runs.poll(list_and_read)
    storage.clear()
    for _ in range(3):
        poll_runs.poll(list_and_read)
    assert storage == [*TICK] * 3
    storage.clear()
    poll_runs.poll(world.later(minutes=4))
    assert storage == ["list inbox", "list flows", "list runs"]
    new = replace(App.of(world.settings), events=world.outbox, now=world.later(minutes=7).now)
    poll_runs.poll(new)
    storage.clear()
    poll_runs.poll(new)
    assert storage == [*TICK]


OF_A_SCHEDULED_RUN = (
    ("read runs/_schedules.json", "what is done, and its ETag: once a tick in which anything is due"),
    ("read flows/company.team/f0.yaml", "the version of the stored flow that runs"),
    ("exists results/company.team/f0/RUN/record.json", "a run that has a record is never made again"),
    ("create runs/RUN.json", "the run is accepted, once"),
    ("write runs/_schedules.json", "it is done; once a tick in which anything is due"),
    ("append results/_runs/DAY.jsonl", "the run is listed without opening its folder"),
)


def test_every_operation_of_a_run_that_is_due_has_a_reason(world: World, storage: list[str]) -> None:
    """What follows is as of any run that a tick submits."""
    world.put("flows", "company.team/f0.yaml", SCHEDULED.format(number=0).replace("0 0 1 1 *", "* * * * *"))
    listing = world.later(minutes=1)
    start_due(listing, listing.now(), listing.now() + timedelta(seconds=10))
    known = listing.schedules.last().document.flows["company.team/f0"].schedules["t"]
    now = (known.done or known.after).replace(second=0, microsecond=0) + timedelta(minutes=1)
    listing.schedules.note_listed(now)
    world.app.ledger.append(Stage.SUBMIT, first_line_of_the_day())
    storage.clear()
    start_due(replace(listing, now=lambda: now), now, now + timedelta(seconds=10))
    assert storage == [operation for operation, _ in OF_A_SCHEDULED_RUN]


def test_every_storage_operation_of_a_run_of_one_task_has_a_reason(world: World, storage: list[str]) -> None:
    """From drop to close, the ticks apart: none that is not in the tables above, and each as often as it is there."""
    run = world.drop(text=ONE_TASK)
    storage.clear()
    submit_run.accept(world.app, "m.yaml")
    taken = list(storage)
    world.await_end(run)
    storage.clear()
    poll_runs.poll(world.app)
    polled = list(storage)
    storage.clear()
    world.deliver()
    recorded = list(storage)
    assert world.record(run)["state"] == "SUCCESS"
    assert taken == list(SUBMIT)
    assert polled == [*TICK, *ANNOUNCE]
    assert Counter(recorded) == Counter([*RECORD, *RECORD_AGAIN, *CLOSE])
    assert len(taken) + len(ANNOUNCE) + len(recorded) <= 28


OF_A_REQUEST = (
    ("read flows/company.team/f.yaml", "the version of the stored flow that runs"),
    ("write results/m/RUN/flow.yaml", "its text, without credentials"),
)
OF_A_RETRY = (
    ("read results/m/RUN/record.json", "of the earlier run: inputs and default pool, before the run document is made"),
    ("read results/m/RUN/manifest.yaml", "the flow of the earlier run"),
    ("write results/m/RUN/flow.yaml", "its text, without credentials"),
    ("read results/m/RUN/record.json", "what is taken over; it may be long, and is no part of the run document"),
    ("list results", "the versions of its files"),
    ("copy results/m/RUN/outputs/good/a.txt", "a file that is taken over"),
    ("copy results/m/RUN/logs/good/stdout.txt", "a log"),
    ("copy results/m/RUN/logs/good/stderr.txt", "a log"),
    ("write runs/RUN.json", "what was taken over, once"),
    ("copy staging/RUN/taken/good/0/a.txt", "a file that a task of the retry uses"),
)


def test_every_further_operation_of_a_run_request_has_a_reason(world: World, storage: list[str]) -> None:
    flow = "tasks: [{id: task, commands: [echo]}]"
    world.put("flows", "company.team/f.yaml", f"id: f\nnamespace: company.team\n{flow}\n")
    world.drop(text="flow: company.team/f")
    storage.clear()
    submit_run.accept(world.app, "m.yaml")
    assert Counter(storage) == Counter([*SUBMIT, *(operation for operation, _ in OF_A_REQUEST)])


def test_every_further_operation_of_a_retry_has_a_reason(world: World, storage: list[str]) -> None:
    """Beside copies, of which there are as many as files: none that grows with what the earlier run has done."""
    task = "- {id: good, commands: [echo > a.txt], outputFiles: [a.txt]}"
    used = "- {id: task, commands: [\"cat {{ outputs.good.outputFiles['a.txt'] }}; exit 3\"]}"
    earlier = world.accept(text=f"tasks:\n{task}\n{used}\n")
    world.finish()
    run = world.drop(text=f"retry: m/{earlier}")
    storage.clear()
    submit_run.accept(world.app, "m.yaml")
    assert Counter(storage) == Counter([*SUBMIT, *(operation for operation, _ in OF_A_RETRY)])
    world.finish()
    assert world.record(run)["retryOf"]["runId"] == earlier


@pytest.mark.parametrize("seconds", [0, 3])
def test_a_run_of_one_task_costs_five_batch_calls_whatever_its_duration(world: World, seconds: int) -> None:
    world.accept(text=f"commands: [sleep {seconds}]")
    world.finish()
    assert {name: count for name, count in world.batch_requests().items() if name not in APART} == BATCH_CALLS


def test_a_pushed_end_costs_a_listing_more_and_no_tick(world: World, storage: list[str]) -> None:
    run = world.accept(text=ONE_TASK)
    world.await_end(run)
    (marker,) = world.markers(run)
    storage.clear()
    record_run.record(world.app, marker)
    assert world.record(run)["state"] == "SUCCESS"
    storage.remove("read results/m/RUN/record.json")  # by the test
    assert Counter(storage) == Counter([*RECORD, *PUSHED, *RECORD_AGAIN, *CLOSE])
    assert len(world.outbox.ends) == 1


def test_the_bare_loop_of_the_benchmarks_makes_the_calls_of_a_run(world: World, storage: list[str]) -> None:
    """A burst of manifests is measured beside it, so it must not make fewer, nor others."""
    run = world.drop(text="commands: [echo hi]")
    storage.clear()
    submit_run.accept(world.app, "m.yaml")
    own = _kinds(storage)
    world.await_end(run)
    (marker,) = world.markers(run)
    storage.clear()
    record_run.record(world.app, marker)
    own += _kinds(storage)
    bare = Bare(world._storage, world.app.batch._client, world.settings.containers, str(world.settings.batch.pool_id))
    bare.make_ledger()
    world.put("inbox", "bare.yaml", "x")
    storage.clear()
    world.batch_requests()
    bare.submit("bare-1", "bare.yaml")
    world.await_end("bare")
    bare.record("bare-1")
    assert _kinds(storage) == own
    assert {name: count for name, count in world.batch_requests().items() if name in BATCH_CALLS} == BATCH_CALLS


def _kinds(operations: list[str]) -> Counter[str]:
    """Operations without the names of their blobs."""
    return Counter(operation.partition("/")[0] for operation in operations)


def test_a_tick_costs_one_batch_call_for_a_thousand_active_jobs(world: World) -> None:
    """The rest of the table, with 5,000, is in tests/simulation, where it takes no time."""
    for number in range(3):
        world.accept(f"{number}.yaml", "commands: [sleep 60]")
    world.batch_requests()
    poll_runs.poll(world.app)
    assert world.batch_requests() == {"Jobs_ListJobs": 1}
    poll_runs.poll(world.later(minutes=3))
    assert world.batch_requests() == {"Jobs_ListJobs": 1, "Pools_ListPoolNodeCounts": 1}


@pytest.mark.parametrize(
    ("commands", "scripts"), [("echo $ITEM_INDEX", 1), ("echo {{ item }}", 10)], ids=["same", "own"]
)
def test_a_fan_out_costs_a_batch_call_for_a_hundred_items(
    world: World, storage: list[str], monkeypatch: pytest.MonkeyPatch, commands: str, scripts: int
) -> None:
    """10,000 items are 100 calls, create and patch; where scripts differ, one more is written for a hundred items."""
    items = 1000
    monkeypatch.setattr(Batch, "pools", lambda *_, **__: {"none": Pool("none", 1)})  # so that no task runs
    world.accept(text=f"id: t\nforeach: {items}\ncommands: ['{commands}']\ntaskRunner: {{poolId: none}}")
    assert world.batch_requests() == {
        "Jobs_CreateJob": 1,
        "Tasks_CreateTaskCollection": items / MAX_CHUNK_TASKS,
        "Jobs_UpdateJob": 1,
    }
    assert sum("/sys/" in name for name in storage) == scripts
    dropping = 1
    assert len(storage) - dropping == len(SUBMIT) - 1 + scripts


def test_a_tick_that_finds_the_quota_used_up_asks_once(world: World) -> None:
    """However many runs wait for it."""
    world.batch_fails({"operation": "Jobs_CreateJob", "status": 409, "code": "ActiveJobAndScheduleQuotaReached"})
    for number in range(5):
        world.accept(f"{number}.yaml", ONE_TASK)
    world.batch_requests()
    poll_runs.poll(world.app)
    assert world.batch_requests() == {"Jobs_CreateJob": 1}
    world.batch_fails()
    world.finish()
