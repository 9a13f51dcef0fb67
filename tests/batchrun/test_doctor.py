"""`doctor` and `completion`."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from azure.batch.models import BatchPool
from azure.storage.blob import BlobServiceClient

from batchrun.__main__ import OWN_VERBS, VERBS, main
from batchrun.client.health import pool_finding
from shared.documents.card import CARD_BLOB, AppCard
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled


@pytest.fixture
def card(stack):
    """The card of the stack's app, as a blob; it is put back at the end."""
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        blob = blobs.get_blob_client("results", CARD_BLOB)
        wait_for(blob.exists)
        before = blob.download_blob().readall()
        yield blob
        blob.upload_blob(before, overwrite=True)


@pytest.fixture
def doctor(stack, capsys):
    """Run it on the stack; its exit code and what it printed."""

    def run() -> tuple[int, str]:
        code = main(["doctor", "--data-dir", str(stack.data_dir.path)])
        return code, capsys.readouterr().out

    return run


@pytest.mark.usefixtures("card")
def test_all_is_well_with_a_stack_that_is_up(doctor):
    code, printed = doctor()
    assert code == 0
    subjects = [line.partition(": ")[0].split()[1:] for line in printed.splitlines()]
    assert subjects == [
        ["storage", "account", "devstoreaccount1"],
        ["versions"],
        ["timer"],
        *(["container", name] for name in ("inbox", "namespaces", "uploads", "runs", "results", "flows")),
        ["Batch", "account", "devbatchaccount1"],
        ["pool", "local"],
    ]


def test_what_is_wrong_is_told_with_what_to_do(doctor, card):
    """A timer that stands still, and another version."""
    told = AppCard.model_validate_json(card.download_blob().readall())
    old = told.model_copy(update={"last_tick": datetime.now(UTC) - timedelta(minutes=21), "version": "0.1.0"})
    card.upload_blob(old.to_json(), overwrite=True)

    code, printed = doctor()
    assert code == 1
    assert "  !  versions: the app 0.1.0, batchrun " in printed
    assert "  !  timer: its last tick was told 21 min ago\n       no run is submitted or closed." in printed


def test_an_app_without_stored_flows_is_said_to_be_older(doctor, card):
    """Its card names neither container; whether there are such by chance is not asked."""
    told = json.loads(card.download_blob().readall())
    names = {name: value for name, value in told["containers"].items() if name not in {"flows", "uploads"}}
    card.upload_blob(json.dumps({**told, "version": "0.1.0", "containers": names}), overwrite=True)

    code, printed = doctor()
    assert code == 1
    for name in ("uploads", "flows"):
        older = "the app 0.1.0 is of before there was such a container\n       deploy the app again"
        assert f"  !  container {name}: {older}" in printed
    assert " ok  container results: can be read" in printed


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize("name", ["uploads", "flows"])
def test_a_container_that_is_missing_is_told_with_what_to_do(doctor, stack, name):
    with BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        blobs.delete_container(name)
        code, printed = doctor()
        blobs.create_container(name)
    assert code == 1
    assert f"  !  container {name}: does not exist\n       create it, or deploy the app again" in printed


def test_an_app_without_a_card_is_not_reached(doctor, card):
    card.delete_blob()
    code, printed = doctor()
    assert code == 3
    assert f"/results/{CARD_BLOB} does not exist. Either this is not the app's storage account" in printed
    card.upload_blob(b"", overwrite=True)


def pool(**fields: object) -> BatchPool:
    common = {"id": "p", "state": "active", "allocationState": "steady", "currentDedicatedNodes": 0}
    return BatchPool({**common, "currentLowPriorityNodes": 0, "enableAutoScale": True, **fields})


RESIZE = {"code": "AccountCoreQuotaReached", "message": "The specified account has reached core quota"}


@pytest.mark.parametrize(
    ("fields", "text", "advice"),
    [
        ({}, "active, steady, 0 nodes", ""),
        ({"currentDedicatedNodes": 1}, "active, steady, 1 node", ""),
        ({"resizeErrors": [RESIZE]}, "active, steady, 0 nodes", f"{RESIZE['code']}: {RESIZE['message']}"),
        (
            {"autoScaleRun": {"timestamp": "2026-01-01T00:00:00Z", "error": {"code": "X", "message": "no"}}},
            "active, steady, 0 nodes",
            "its formula, X: no",
        ),
        ({"state": "deleting"}, "deleting, steady, 0 nodes", "it is being deleted: name another pool"),
        (
            {"enableAutoScale": False, "targetDedicatedNodes": 0},
            "active, steady, 0 nodes",
            "it has no nodes and no formula: resize it",
        ),
        ({"enableAutoScale": False, "targetLowPriorityNodes": 1}, "active, steady, 0 nodes", ""),
    ],
)
def test_a_pool_without_nodes_says_why(fields, text, advice):
    """Without tasks, a pool that scales by a formula has none."""
    finding = pool_finding(pool(**fields))
    assert (finding.text, finding.advice) == (text, advice)


def test_bash_completes_verbs_and_their_options(capsys):
    """The script is asked as bash asks it."""
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert f"_shtab_batchrun_subparsers=({' '.join(VERBS | OWN_VERBS)})" in script
    bash = shutil.which("bash")
    if bash:
        ask = 'COMP_WORDS=(batchrun run --str); COMP_CWORD=2; _shtab_batchrun; echo "${COMPREPLY[@]}"'
        done = subprocess.run([bash, "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False)
        assert done.stdout.split() == ["--strict"], done.stderr
