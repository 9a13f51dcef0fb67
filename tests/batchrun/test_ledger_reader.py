"""The ledger, as `ls` and all verbs that name a run read it."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from batchrun.cli._times import moment
from batchrun.client.ledger import DamagedLines, LedgerReader, final_lines, parsed

NUMBERS = itertools.count()


def line(run_id: str, kind: str = "recorded", state: str | None = "SUCCESS", **more: object) -> dict[str, object]:
    """A line of a run, as the app writes it."""
    state = state if kind == "recorded" else None
    dropped = "2026-11-28T10:00:00Z"
    found = {"runId": run_id, "kind": kind, "manifest": "a/m.yaml", "results": f"a/m/{run_id}", "dropped": dropped}
    return {"schemaVersion": "1", **found, "state": state, "times": None, **more}


def run_id(day: str, number: int = 0) -> str:
    return f"m-{day.replace('-', '')}t100000-{number:08x}"


@pytest.fixture
def results(azurite):
    """An empty results container."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        yield blobs.create_container(f"ledger-{next(NUMBERS)}")


def write(container: ContainerClient, blob: str, *lines: dict[str, object] | bytes) -> None:
    """Append lines to a part of the ledger, each as a block of its own."""
    client = container.get_blob_client(f"_runs/{blob}.jsonl")
    client.create_append_blob()
    for each in lines:
        client.append_block((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n")


def test_days_come_from_the_newest_and_parts_until_there_is_none(results) -> None:
    """What has another name is no day of the ledger."""
    for blob, day in (("2026-11-27", "2026-11-27"), ("2026-11-28", "2026-11-28"), ("2026-11-28.2", "2026-11-28")):
        write(results, blob, line(run_id(day, len(blob))))
    write(results, "2026-11-28.4", line(run_id("2026-11-28", 99)))
    write(results, "2026-13-40", line(run_id("2026-11-28", 98)))
    write(results, "notes", b"x")
    reader = LedgerReader(results)

    assert reader.days() == [date(2026, 11, 28), date(2026, 11, 27)]
    assert reader.days(date(2026, 11, 28)) == [date(2026, 11, 28)]
    assert set(reader.of_day(date(2026, 11, 28))) == {run_id("2026-11-28", 10), run_id("2026-11-28", 12)}
    assert reader.of_day(date(2026, 11, 1)) == {}
    assert reader.has_days_before(date(2026, 11, 28))
    assert not reader.has_days_before(date(2026, 11, 27))


def test_a_run_that_is_named_in_full_costs_its_day(results) -> None:
    write(results, "2026-11-27", line(run_id("2026-11-27")))
    reader = LedgerReader(results)

    assert reader.run(run_id("2026-11-27")).results == f"a/m/{run_id('2026-11-27')}"
    for other in (run_id("2026-11-26"), run_id("2026-11-27", 7), "m", "m-20269999t100000-00000000"):
        assert reader.run(other) is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_recorded_line_is_final_whatever_follows_it(order) -> None:
    """Lines are doubled, and come in any order; the first that is recorded counts."""
    run = run_id("2026-11-28")
    lines = [line(run, "accepted"), line(run, state="FAILED"), line(run, "accepted")]
    texts = [json.dumps(lines[place]).encode() for place in order]

    found = final_lines(parsed("blob", texts, DamagedLines()))

    assert [each.state for each in found.values()] == ["FAILED"]


@pytest.mark.parametrize(
    "damaged",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps(line("../x")).encode(),
        json.dumps(line(run_id("2026-11-28"), results="elsewhere")).encode(),
        json.dumps(line(run_id("2026-11-28"), kind="accepted") | {"kind": "recorded"}).encode(),
        json.dumps(line(run_id("2026-11-28")) | {"kind": "of-a-newer-version"}).encode(),
        json.dumps(line(run_id("2026-11-28")) | {"dropped": "2026-11-28T10:00:00"}).encode(),
    ],
)
def test_a_damaged_line_is_left_out_and_counted(damaged) -> None:
    counted = DamagedLines()
    good = json.dumps(line(run_id("2026-11-28", 5), newField=1)).encode()

    found = list(parsed("part", [damaged, b"", good, damaged], counted))

    assert [each.run_id for each in found] == [run_id("2026-11-28", 5)]
    assert counted.counts == {"part": 2}


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", 90), ("15min", 900), ("15m", 900), ("2h", 7200), (" 3d ", 259_200), ("1w", 604_800)],
)
def test_a_time_may_be_so_long_ago(text, ago) -> None:
    before = datetime.now(UTC)
    assert before <= moment(text) + timedelta(seconds=ago) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-11-28", 0), ("2026-11-28T14:30", 14), ("2026-11-28T14:30+02:00", 12)]
)
def test_a_time_may_be_a_date(text, hour) -> None:
    found = moment(text)
    assert (found.date(), found.hour, found.utcoffset()) == (date(2026, 11, 28), hour, timedelta(0))


@pytest.mark.parametrize("text", ["", "soon", "2", "-1h", "999999w", "2026-13-01", "0001-01-01T00:00+23:59"])
def test_what_is_no_time_says_how_to_write_one(text) -> None:
    with pytest.raises(Exception, match="write 90min, 2h, 7d"):
        moment(text)
