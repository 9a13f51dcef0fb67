"""`ls`: what it lists, and how it is narrowed down; on a stack that is up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.storage.blob import BlobServiceClient

from batchrun.client.apps import App
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from local.__main__ import main
from tests.support.waiting import wait_for

NEWER = {"good": "SUCCESS", "bad": "FAILED"}


@pytest.fixture(scope="module")
def app(stack):
    """The app of the stack."""
    return App.of_stack(stack.data_dir.path)


@pytest.fixture(scope="module")
def refs(app, tmp_path_factory):
    """Two runs that have ended, one with a flow and one without."""
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "ls-good.yaml").write_text(
        "{id: nightly, namespace: acme.ls, tasks: [{id: a, type: io.kestra.plugin.scripts.shell.Commands,"
        " commands: [echo]}]}"
    )
    (folder / "ls-bad.yaml").write_text("tasks: [{id: a, commands: [exit 3]}, {id: b, commands: [echo]}]")
    with Runs.of(app) as runs:
        dropped = {name: runs.inbox.drop(folder / f"ls-{name}.yaml").ref for name in NEWER}
        for ref in dropped.values():
            wait_for(lambda ref=ref: runs.results.record(ref) and not runs.open_run(ref.id))
        wait_for(lambda: all(runs.ledger.run(ref.id).state for ref in dropped.values()))
    return dropped


@pytest.fixture
def ls(stack, capsys):
    """Run `ls`; returns what it wrote on stdout and stderr."""

    def ls(*arguments: str) -> tuple[str, str]:
        assert main(["ls", *arguments, "--data-dir", str(stack.data_dir.path)]) == 0
        return capsys.readouterr()

    return ls


@pytest.fixture
def listed(ls):
    """The runs that `ls --json` lists, by id."""
    return lambda *arguments: {run["runId"]: run for run in json.loads(ls("--json", *arguments)[0])}


def test_for_programs_it_is_a_list_of_objects(listed, refs) -> None:
    found = listed("--all")
    good, bad = found[refs["good"].id], found[refs["bad"].id]

    assert good["flow"] == {"id": "nightly", "namespace": "acme.ls"}
    assert (good["state"], good["manifest"], good["results"]) == ("SUCCESS", "ls-good.yaml", refs["good"].folder)
    assert (good["tasks"], good["note"]) == ({"ended": 1, "total": 1}, None)
    assert (bad["tasks"], bad["note"]) == ({"ended": 1, "total": 2}, "a: the commands ended with exit code 3")
    assert good["dropped"] < good["ended"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--state", "failed", "--since", "1d"], {"bad"}),
        (["--state", "FAILED", "--state", "SUCCESS", "--since", "1d"], {"good", "bad"}),
        (["--flow", "nightly"], {"good"}),
        (["--flow", "acme.ls.nightly"], {"good"}),
        (["--flow", "ls-bad"], {"bad"}),
        (["--flow", "ls-bad.yaml", "--state", "SUCCESS"], set()),
        (["--flow", "ls-"], set()),
        (["--since", "2999-01-01"], set()),
    ],
)
def test_it_is_narrowed_down_by_state_flow_and_time(listed, refs, arguments, names) -> None:
    """A flow has its id, or the name of its manifest."""
    found = {name for name, ref in refs.items() if ref.id in listed(*arguments)}
    assert found == names


@pytest.mark.usefixtures("refs")
def test_where_nothing_fits_that_is_said(ls) -> None:
    assert ls("--flow", "no-such-flow") == ("There is no such run.\n", "")


@pytest.fixture
def ledger_of(stack):
    """Write the lines of a day long ago into the ledger, for as long as that is wanted."""

    @contextmanager
    def ledger_of(day: str, *lines: bytes) -> Iterator[None]:
        with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
            ledger = blobs.get_blob_client("results", f"_runs/{day}.jsonl")
            ledger.create_append_blob()
            ledger.append_block(b"\n".join([*lines, b""]))
            try:
                yield
            finally:
                ledger.delete_blob()

    return ledger_of


def recorded(name: str, number: int, **values: object) -> bytes:
    """A line of a run of a manifest `name`, in a day of February 2024."""
    run = f"{name}-20240229t1000{number:02}-{number:08x}"
    line = {"kind": "recorded", "runId": run, "manifest": f"{name}.yaml", "results": f"{name}/{run}"}
    return json.dumps({**line, "dropped": "2024-02-29T10:00:00Z", **values}).encode()


def test_ten_that_have_ended_are_listed_unless_all_are_wanted(ledger_of, ls) -> None:
    """Made up in a day long ago, with lines that are damaged: these are told once."""
    lines = [recorded("old", number, state="WARNING", warning=f"a: \x1b[2J{number}") for number in range(12)]
    with ledger_of("2024-02-29", *lines, b"{", b"[]"):
        few, _ = ls("--flow", "old")
        all_of_them, errors = ls("--flow", "old", "--all")

    assert few.count("WARNING") == 10
    assert few.endswith("… and older ones: --all lists them\n")
    assert all_of_them.count("WARNING") == 12
    assert "a: \\x1b[2J3" in all_of_them
    assert errors == "2 lines of the ledger cannot be read and are left out, in _runs/2024-02-29.jsonl.\n"


def test_costs_are_listed_if_they_are_asked_for(ledger_of, ls, listed) -> None:
    """Those that the app knows, which the ledger has."""
    costs = [{"amount": 12.345, "currency": "EUR"}, {"amount": 0.00312, "currency": "EUR"}, None]
    lines = [recorded("paid", number, state="SUCCESS", cost=cost) for number, cost in enumerate(costs)]
    with ledger_of("2024-02-29", *lines):
        shown, _ = ls("--flow", "paid", "--cost")
        plain, _ = ls("--flow", "paid")
        for_programs = listed("--flow", "paid")

    head, *rows = shown.splitlines()
    assert "COST" in head
    assert ["12.35 EUR" in row or "0.0031 EUR" in row for row in rows] == [False, True, True]
    assert "EUR" not in plain
    assert "COST" not in plain
    assert [run["cost"] for _, run in sorted(for_programs.items())] == costs


def test_a_run_without_a_line_is_found_in_its_folder(stack, listed, refs) -> None:
    """As runs are from before the ledger, or those whose line was lost."""
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        run = "unlisted-20240301t100000-0a1b2c3d"
        record = blobs.get_blob_client("results", f"{refs['good'].folder}/record.json").download_blob().readall()
        blob = blobs.get_blob_client("results", f"deep/unlisted/{run}/record.json")
        blob.upload_blob(record.replace(refs["good"].id.encode(), run.encode()))
        with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
            assert runs.find("unlisted").folder == f"deep/unlisted/{run}"
        found = listed("--all")
        blob.delete_blob()

    assert found[run]["state"] == "SUCCESS"
    assert found[run]["results"] == f"deep/unlisted/{run}"


def test_a_run_that_was_only_accepted_is_asked_for_its_status_and_its_record(stack, listed, refs) -> None:
    """Its other line was lost, or its document is gone already."""
    runs = {name: f"{name}-20240302t100000-0a1b2c3d" for name in ("waits", "ended", "begins")}
    line = '{"kind":"accepted","runId":"%s","manifest":"m.yaml","results":"m/%s","dropped":"2024-03-02T10:00:00Z"}\n'
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        results = blobs.get_container_client("results")
        ledger = results.get_blob_client("_runs/2024-03-02.jsonl")
        ledger.create_append_blob()
        ledger.append_block("".join(line % (run, run) for run in runs.values()))
        status = {"runId": runs["waits"], "state": "RUNNING", "round": 1, "jobId": None, "waiting": "pool"}
        results.upload_blob(f"m/{runs['waits']}/status.json", json.dumps({**status, "updated": "2024-03-02T10:00:00Z"}))
        record = results.download_blob(f"{refs['bad'].folder}/record.json").readall()
        results.upload_blob(
            f"m/{runs['ended']}/record.json", record.replace(refs["bad"].id.encode(), runs["ended"].encode())
        )
        found = listed("--all", "--flow", "m") | listed("--all", "--flow", "ls-bad")
        for blob in (f"m/{runs['waits']}/status.json", f"m/{runs['ended']}/record.json", "_runs/2024-03-02.jsonl"):
            results.delete_blob(blob)

    assert {name: found[run]["state"] for name, run in runs.items()} == {
        "waits": "RUNNING",
        "ended": "FAILED",
        "begins": "QUEUED",
    }
    assert found[runs["waits"]]["note"] == "waits for its pool"


def test_the_latest_run_is_named_by_a_dash(app, refs) -> None:
    with Runs.of(app) as runs:
        ids = {line.run_id for day in runs.ledger.days() for line in runs.ledger.of_day(day).values()}
        last = max(run[-24:-9] for run in ids)
        newest = [run for run in ids if run[-24:-9] == last]
        if len(newest) == 1:
            assert runs.find("-").id == newest[0]
        else:
            with pytest.raises(ClientError, match="in the same second"):
                runs.find("-")
        assert runs.find(refs["good"].id[:-3]) == refs["good"]
