"""The app's process dies at a bad moment; what it had begun is finished by the next one."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def own_stack(tmp_path: Path):
    """A stack of its own: other tests must not be disturbed."""
    with Stack(StackOptions(data_dir=tmp_path, ports=AUTO)) as stack:
        yield stack


def test_a_run_goes_on_after_the_functions_host_was_killed(own_stack, drop_into) -> None:
    """SIGKILL right after the submit; the task ends while there is no app at all."""
    run = drop_into(
        own_stack, "killed.yaml", "id: t\ncommands: [sleep 1, echo done > done.txt]\noutputFiles: [done.txt]"
    )
    results = BlobServiceClient.from_connection_string(own_stack.settings["RunStorage"]).get_container_client("results")
    wait_for(results.get_blob_client(f"{run.folder}/status.json").exists)
    own_stack.kill("functions")
    own_stack.start("functions")
    assert run.record()["state"] == "SUCCESS"
    assert run.read("outputs/t/done.txt") == "done\n"


def test_state_survives_a_restart_of_the_stack(tmp_path: Path, drop_into) -> None:
    """A run that was in the middle is finished after `up` is stopped and started again."""
    options = StackOptions(data_dir=tmp_path, ports=AUTO)
    with Stack(options) as stack:
        finished = drop_into(stack, "before.yaml", "commands: [echo hi]")
        finished.record()
        open_run = drop_into(stack, "open.yaml", "id: t\ncommands: [sleep 2, echo done]")
        wait_for(lambda: "status.json" in open_run.names())
    with Stack(options) as stack:
        results = BlobServiceClient.from_connection_string(stack.settings["RunStorage"]).get_container_client("results")
        assert results.get_blob_client(f"{finished.folder}/record.json").exists()
        record = type(open_run)(open_run.id, results, open_run.folder).record()
        assert record["state"] == "SUCCESS"
