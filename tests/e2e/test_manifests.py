"""The manifest language and every outcome, on the whole stack.

Each manifest of `tests/fixtures/manifests` ends as `<name>.expected.yaml` beside it says. All are dropped at once, so
that they run side by side.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.batch.models import BatchTaskState
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from jsonschema import Draft202012Validator

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.app import App
from shared.settings import Settings
from tests.conftest import require_azurite
from tests.e2e.conftest import DroppedRun
from tests.support.expected import MANIFESTS, differences, expected_of, manifest_of, manifests
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "tests" / "fixtures" / "storage"
RECORD_SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "record.schema.json").read_text()))
VARIABLES = {"ENV_REGION": "eu", "GLOBAL_DATA_URL": "https://data"}
SECRETS = {"SECRET_TOKEN": "a-t0ken-that-nobody-may-see"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with a second pool, a container that manifests may read, a secret, and room for many tasks at once.

    In a folder that the unprivileged user of tasks can enter.
    """
    require_azurite()
    with tempfile.TemporaryDirectory(prefix="manifests-") as folder:
        Path(folder).chmod(0o711)
        options = StackOptions(
            data_dir=Path(folder),
            ports=AUTO,
            pools=("local:1:16", "second"),
            environ={"ALLOWED_CONTAINERS": "shared-data", **SECRETS, **VARIABLES},
        )
        with Stack(options) as running:
            _put_files(BlobServiceClient.from_connection_string(running.settings["RunStorage"]))
            yield running


def _put_files(blobs: BlobServiceClient) -> None:
    """What the manifests read: folders of `tests/fixtures/storage` are containers."""
    for path in (path for path in STORAGE.rglob("*") if path.is_file()):
        container, _, name = path.relative_to(STORAGE).as_posix().partition("/")
        with contextlib.suppress(ResourceExistsError):
            blobs.create_container(container)
        blobs.get_blob_client(container, name).upload_blob(path.read_bytes())


@pytest.fixture(scope="module")
def runs(stack: Stack, drop_into) -> dict[str, DroppedRun]:
    """The runs of all manifests, dropped at once; those that are to be cancelled are, as soon as it is time."""
    dropped = {}
    for name in manifests():
        path = manifest_of(name)
        dropped[name] = drop_into(stack, f"manifests/{path.relative_to(MANIFESTS)}", path.read_bytes())
    for name, run in dropped.items():
        if task := expected_of(name).cancel_when_runs:
            _cancel_when_runs(stack, run, task)
    return dropped


def _cancel_when_runs(stack: Stack, run: DroppedRun, task: int) -> None:
    batch = App.of(Settings.from_environ(stack.settings)).batch

    def is_running() -> bool:
        tasks = batch.tasks(f"{run.id}-1")
        return str(task) in tasks and tasks[str(task)].state == BatchTaskState.RUNNING

    wait_for(is_running)
    blobs = BlobServiceClient.from_connection_string(stack.settings["RunStorage"])
    blobs.get_blob_client("inbox", f"{run.id}.cancel").upload_blob(b"")


@pytest.mark.parametrize("name", manifests())
def test_a_manifest_ends_with_the_expected_record(runs: dict[str, DroppedRun], name: str) -> None:
    run = runs[name]
    record = run.record()
    expected = expected_of(name, run.id)
    found = [*differences(expected.record, record, "record")]
    for file, text in expected.files.items():
        found += differences(text, run.read(file) if file in run.names() else None, file)
    assert found == [], json.dumps(record, indent=1)
    assert [error.message for error in RECORD_SCHEMA.iter_errors(record)] == []


@pytest.mark.parametrize("name", manifests())
def test_no_secret_stands_in_what_is_told_of_a_run(runs: dict[str, DroppedRun], stack: Stack, name: str) -> None:
    run = runs[name]
    run.record()
    told = "".join(run.read(file) for file in run.names() if not file.startswith(("logs/", "outputs/")))
    assert [secret for secret in (*SECRETS, "SECRET_AZURE_ACCESS_KEY") if stack.settings[secret] in told] == []
