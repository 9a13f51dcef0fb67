"""The ledger and the card: what others list runs from, and find the app by."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob import BlobClient

from shared import poll_runs, record_run
from shared.documents.ledger import LedgerLine, LineKind, ledger_blob
from shared.documents.names import dropped_at, run_id
from shared.log import Stage
from shared.storage.card import CardStore
from shared.version import VERSION
from tests.integration.conftest import World


def lines(world: World) -> list[dict[str, Any]]:
    """All lines of the ledger."""
    names = [name for name in world.names("results") if name.startswith("_runs/")]
    return [json.loads(line) for name in names for line in world.text("results", name).splitlines()]


def line(number: int, world: World) -> LedgerLine:
    now = world.app.now()
    run = run_id("inbox", f"{number}.yaml", str(number), now)
    return LedgerLine(kind=LineKind.ACCEPTED, run_id=run, manifest="m.yaml", results="m", dropped=now)


def test_a_run_has_a_line_when_it_is_accepted_and_one_when_it_is_recorded(world: World) -> None:
    run = world.accept(text="id: nightly\nnamespace: company.team\ncommands: [exit 3]")
    (accepted,) = lines(world)
    assert accepted == {
        "schemaVersion": "1", "kind": "accepted", "runId": run, "manifest": "m.yaml", "results": f"m/{run}",
        "flow": {"id": None, "namespace": None}, "dropped": accepted["dropped"],
        "state": None, "times": None, "failure": None, "warning": None, "tasks": None,
        "cost": None,
    }  # fmt: skip
    world.finish()
    _, recorded = lines(world)
    record = world.record(run)
    assert (recorded["kind"], recorded["state"]) == ("recorded", "FAILED")
    assert recorded["flow"] == {"id": "nightly", "namespace": "company.team"}
    assert recorded["failure"] == "nightly: the commands ended with exit code 3"
    assert recorded["times"]["recorded"] == record["timings"]["recorded"]
    assert ledger_blob(dropped_at(run).date(), 1) in world.names("results")


def test_a_recording_that_is_repeated_doubles_a_line_and_no_more(world: World, monkeypatch) -> None:
    run = world.accept()
    with monkeypatch.context() as broken:
        broken.setattr(type(world.app.batch), "delete", lambda *_: pytest.fail("the process dies here"))
        world.await_end(run)
        (marker,) = world.markers(run)
        with pytest.raises(pytest.fail.Exception):
            record_run.record(world.app, marker)
    poll_runs.poll(world.later(minutes=1))
    for event in world.outbox.take():
        record_run.record(world.app, event)
    kinds = [each["kind"] for each in lines(world)]
    assert kinds == ["accepted", "recorded", "recorded"]
    assert len({json.dumps(each) for each in lines(world)[1:]}) == 1


def test_lines_that_are_appended_at_once_are_all_there(world: World) -> None:
    """Also while the blob of the day is being made."""
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: world.app.ledger.append(Stage.SUBMIT, line(number, world)), range(64)))
    assert len({each["runId"] for each in lines(world)}) == 64


def test_a_full_blob_is_followed_by_another_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    append, full = BlobClient.append_block, HttpResponseError("full")
    full.error_code = "BlockCountExceedsLimit"

    def limited(blob: BlobClient, data: bytes, **options: Any) -> Any:
        if ".2." not in blob.blob_name:
            raise full
        return append(blob, data, **options)

    monkeypatch.setattr(BlobClient, "append_block", limited)
    given = line(1, world)
    world.app.ledger.append(Stage.SUBMIT, given)
    assert world.names("results") == [ledger_blob(dropped_at(given.run_id).date(), 2)]


def test_a_line_that_cannot_be_written_is_logged_and_stops_nothing(world: World, monkeypatch, caplog) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ServiceRequestError("storage cannot be reached")

    monkeypatch.setattr(BlobClient, "append_block", fail)
    with caplog.at_level(logging.WARNING):
        run = world.accept()
        world.finish()
    assert world.record(run)["state"] == "SUCCESS"
    assert [json.loads(each.getMessage())["event"] for each in caplog.records].count("ledger-line-lost") == 2


def test_no_secret_is_in_the_ledger(make_world) -> None:
    world = make_world(SECRET_TOKEN="s3cr3t-t0ken")
    world.accept(name="s3cr3t-t0ken.yaml", text="id: s3cr3t-t0ken\ncomands: [x]")
    assert "s3cr3t-t0ken" not in json.dumps([each["flow"] for each in lines(world)])


def test_a_tick_writes_what_a_client_must_know_of_the_app(world: World) -> None:
    poll_runs.poll(world.app)
    card = json.loads(world.text("results", "_app.json"))
    assert card["version"] == VERSION
    assert card["batchEndpoint"] == world.settings.batch.endpoint
    assert card["containers"] == asdict(world.settings.containers)
    assert card["lastTick"]


def test_the_card_is_written_every_five_minutes(world: World) -> None:
    store = CardStore(world.app.card._container, world.settings)
    began = world.app.now()
    written = []
    for minutes in range(11):
        store.note_tick(began + timedelta(minutes=minutes))
        written.append(json.loads(world.text("results", "_app.json"))["lastTick"])
    assert len(set(written)) == 3
