"""A blob trigger with the source EventGrid gets what its subscription in Azure would bring, and no more."""

from __future__ import annotations

import pytest

from local.event_subscriptions import INBOX_LARGEST_BYTES

APP = """
import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()
LOGS = Path(os.environ["PROBE_DIR"])
PATH = "%PROBE_CONTAINER%/{name}"


def note(function, blob):
    with (LOGS / f"{function}.log").open("a") as log:
        log.write(json.dumps({"phase": "start", "name": blob.name.partition("/")[2]}) + "\\n")


@app.blob_trigger(arg_name="blob", path=PATH, connection="RunStorage", source=func.BlobSource.EVENT_GRID)
def told(blob: func.InputStream):
    note("told", blob)


@app.blob_trigger(arg_name="blob", path=PATH, connection="RunStorage", source=func.BlobSource.LOGS_AND_CONTAINER_SCAN)
def scanning(blob: func.InputStream):
    note("scanning", blob)
"""
SMALL = {"a.yaml", "b.YML", "team/c.json", "a.yaml.cancel", "a.yaml.Retry"}
FOREIGN = {"d.zip", "e", "yaml", "f.yaml.bak"}


@pytest.fixture
def app_root(tmp_path):
    """An app with a trigger of each source."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


def names(host, function: str) -> set[str]:
    """The blobs that a function got."""
    return {note["name"] for note in host.notes(function, "start")}


def test_foreign_and_large_blobs_reach_the_trigger_that_scans_alone(running_host):
    """The largest that comes, and the smallest that does not; a last blob shows that all have been looked at."""
    sizes = {"largest.yaml": INBOX_LARGEST_BYTES, "larger.yaml": INBOX_LARGEST_BYTES + 1}
    for name in SMALL | FOREIGN:
        running_host.blobs.upload_blob(name, b"x")
    for name, size in sizes.items():
        running_host.blobs.upload_blob(name, b"x" * size)

    running_host.wait_notes("scanning", "start", len(SMALL | FOREIGN) + 2)
    running_host.blobs.upload_blob("last.yaml", b"")
    running_host.wait_notes("told", "start", len(SMALL) + 2)

    assert names(running_host, "scanning") >= SMALL | FOREIGN | sizes.keys()
    assert names(running_host, "told") == SMALL | {"largest.yaml", "last.yaml"}
