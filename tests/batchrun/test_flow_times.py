"""When stored flows are due next, and how their last runs ended, as `flows ls` tells it."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from batchrun.client.flow_times import last_runs, next_times
from batchrun.client.flows import Flows
from batchrun.client.ledger import LedgerReader

pytestmark = pytest.mark.sampled

NUMBERS = itertools.count()
TRIGGER = "io.kestra.plugin.core.trigger"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def container(azurite) -> ContainerClient:
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        yield blobs.create_container(f"times-{next(NUMBERS)}")


def test_the_next_time_is_that_of_the_schedule_that_is_due_first(container: ContainerClient) -> None:
    """In UTC; a `when` is not asked. Flows without a schedule, or that are wrong, have none."""
    schedules = {
        "two": f"[{{id: a, type: {TRIGGER}.Schedule, cron: 0 9 * * *, timezone: Europe/Paris, when: 'false'}}, "
        f"{{id: b, type: {TRIGGER}.Schedule, cron: '@monthly'}}]",
        "off": f"[{{id: a, type: {TRIGGER}.Schedule, cron: 0 9 * * *, disabled: true}}]",
        "after": f"[{{id: a, type: {TRIGGER}.Flow, dependsOn: [{{namespace: n, flowId: two}}]}}]",
        "wrong": f"[{{id: a, type: {TRIGGER}.Schedule, cron: 0 9 * *}}]",
        "none": "[]",
    }
    for name, triggers in schedules.items():
        container.upload_blob(f"n/{name}.yaml", f"id: {name}\nnamespace: n\ntriggers: {triggers}\ncommands: [x]\n")
    container.upload_blob("n/text.yaml", "x: [")
    names = [f"n/{name}" for name in (*schedules, "text", "gone")]

    found = next_times(Flows(container), names, NOW)

    assert found["n/two"] == datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
    assert [name for name in names if found[name]] == ["n/two"]
    assert list(found) == names


def write(container: ContainerClient, day: str, *runs: tuple[str, str, str, str]) -> None:
    """Lines of a day of the ledger: time, flow, kind and state."""
    blob = container.get_blob_client(f"_runs/{day}.jsonl")
    blob.create_append_blob()
    for number, (time, flow, kind, state) in enumerate(runs):
        run, namespace = f"{flow}-{day.replace('-', '')}t{time}-{number:08x}", "n" if flow != "other" else "m"
        line = {
            "kind": kind,
            "runId": run,
            "manifest": f"{flow}.yaml",
            "results": f"n/{flow}/{run}",
            "dropped": f"{day}T{time[:2]}:{time[2:4]}:00Z",
            "flow": {"id": flow, "namespace": namespace} if kind == "recorded" else {},
            "state": state or None,
        }
        blob.append_block(json.dumps(line).encode() + b"\n")


def test_the_last_run_is_the_last_that_was_recorded_on_whatever_day(container: ContainerClient) -> None:
    write(container, "2026-11-26", ("100000", "b", "recorded", "FAILED"), ("110000", "a", "recorded", "FAILED"))
    write(
        container,
        "2026-11-28",
        ("100000", "a", "recorded", "SUCCESS"),
        ("120000", "a", "recorded", "WARNING"),
        ("110000", "a", "recorded", "FAILED"),
        ("130000", "a", "accepted", ""),
        ("130000", "other", "recorded", "SUCCESS"),
    )

    found = last_runs(LedgerReader(container), ["n/a", "n/b", "n/other", "n/new"])

    assert {name: (line.state, line.dropped.isoformat()) for name, line in found.items()} == {
        "n/a": ("WARNING", "2026-11-28T12:00:00+00:00"),
        "n/b": ("FAILED", "2026-11-26T10:00:00+00:00"),
    }


def test_no_more_days_are_read_than_are_needed(container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2026-11-26", "2026-11-27", "2026-11-28"):
        write(container, day, ("100000", "a", "recorded", "SUCCESS"))
    read: list[str] = []
    of_day = LedgerReader.of_day
    monkeypatch.setattr(LedgerReader, "of_day", lambda self, day: read.append(str(day)) or of_day(self, day))

    assert set(last_runs(LedgerReader(container), ["n/a"])) == {"n/a"}
    assert read == ["2026-11-28"]
