"""`python -m local up`: one stack per data directory, and no process left however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.batch import BatchClient, models
from azure.core.credentials import AzureKeyCredential, AzureNamedKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient
from azure.storage.blob import BlobServiceClient, generate_container_sas

from local.stack.data_dir import DataDir
from local.stack.options import StackOptions
from local.stack.ports import AUTO, Ports
from local.stack.services import Services
from local.stack.settings import stack_settings
from local.stack.stack import Stack
from shared.settings import Containers, containers_of
from tests.conftest import require_azurite, unavailable
from tests.local.batch.output_container import output
from tests.support.waiting import wait_for
from tests.support.webhook import Webhook

pytestmark = pytest.mark.sampled


def local(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start `python -m local`."""
    command = [sys.executable, "-m", "local", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_of(data_dir: Path) -> list[int]:
    """The processes that name a data directory in their command line, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            traces = [process.joinpath("cmdline").read_text(), str(process.joinpath("cwd").readlink())]
        except OSError:
            continue  # it has just ended
        if any(str(data_dir) in trace for trace in traces):
            found.append(int(process.name))
    return found


@pytest.fixture
def data_dir(tmp_path):
    """A data directory for a stack; whatever a failing test leaves running in it is killed."""
    require_azurite()
    if not Path("/proc").is_dir():
        unavailable("looking for processes needs /proc")
    yield tmp_path / "data"
    for process in processes_of(tmp_path):
        os.kill(process, signal.SIGKILL)


def wait_up(data_dir):
    """Wait for stack.json, and return what is in it."""
    return json.loads(wait_for(lambda: (data_dir / "stack.json").exists() and (data_dir / "stack.json").read_text()))


def start_sleeping_task(settings):
    add_task(settings, "/bin/sh -c 'echo begun > begun.txt; sleep 600'")


def add_task(settings, command, files=()):
    """Add a task as root, who may enter the data directory of a test, to a job of its own."""
    credential = AzureNamedKeyCredential(settings["BATCH_ACCOUNT_NAME"], settings["BATCH_ACCOUNT_KEY"])
    with BatchClient(settings["BATCH_ACCOUNT_ENDPOINT"], credential) as batch:
        pool = models.BatchPoolInfo(pool_id=settings["BATCH_POOL_ID"])
        batch.create_job(models.BatchJobCreateOptions(id="job", pool_info=pool))
        root = models.UserIdentity(auto_user=models.AutoUserSpecification(scope="pool", elevation_level="admin"))
        container = models.BatchTaskContainerSettings(image_name="any")  # the pool takes no other tasks
        spec = models.BatchTaskCreateOptions(
            id="1", command_line=command, user_identity=root, container_settings=container, output_files=list(files)
        )
        batch.create_task("job", spec)


def test_sigterm_stops_everything(data_dir):
    """While the stack is up, `env` prints its settings."""
    stack = local("up", "--data-dir", data_dir, "--ports", "auto", "--without-functions")
    settings = wait_up(data_dir)["settings"]
    printed = local("env", "--data-dir", data_dir).communicate()[0].splitlines()
    stack.terminate()
    _, errors = stack.communicate()

    assert (stack.returncode, errors) == (0, "")
    assert f"BATCH_ACCOUNT_ENDPOINT={settings['BATCH_ACCOUNT_ENDPOINT']}" in printed
    assert processes_of(data_dir) == []
    assert not (data_dir / "stack.json").exists()


def test_without_the_host_it_says_where_another_one_is_expected(data_dir):
    """Events are delivered to that port, whichever ports were chosen."""
    stack = local("up", "--data-dir", data_dir, "--ports", "auto", "--without-functions")
    wait_up(data_dir)
    port = json.loads((data_dir / "ports.json").read_text())["functions"]
    stack.terminate()
    printed, _ = stack.communicate()
    assert f"func start --port {port}`" in printed


def test_sigkill_of_the_stack_leaves_no_process_not_even_a_task(data_dir):
    """Services and the tasks of the Batch service go when their parent is gone."""
    stack = local("up", "--data-dir", data_dir, "--ports", "auto")
    start_sleeping_task(wait_up(data_dir)["settings"])
    wait_for(lambda: list(data_dir.glob("batch/**/begun.txt")))

    stack.kill()
    stack.wait()

    wait_for(lambda: processes_of(data_dir) == [])


def test_a_service_that_ends_by_itself_ends_the_stack(data_dir):
    """Its name and the end of its log are told, and the exit code is 1."""
    stack = local("up", "--data-dir", data_dir, "--ports", "auto", "--without-functions")
    os.killpg(wait_up(data_dir)["pids"]["eventgrid"], signal.SIGKILL)

    _, errors = stack.communicate()

    assert stack.returncode == 1
    assert "eventgrid has ended" in errors
    assert "eventgrid.log" in errors
    assert processes_of(data_dir) == []


def test_a_second_stack_on_a_data_directory_is_one_clear_line(tmp_path):
    """The directory is locked for as long as the first one lives."""
    first = DataDir(tmp_path)
    first.lock()

    second = local("up", "--data-dir", tmp_path, "--ports", "auto")
    _, errors = second.communicate()

    assert second.returncode == 1
    assert errors == (
        f"A stack in {tmp_path} is starting or stopping. Try again in a moment, or choose another directory with"
        " --data-dir.\n"
    )


def test_a_port_in_use_is_one_clear_line(tmp_path):
    """It names the port, the service and the option."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        stack = local("up", "--data-dir", tmp_path, "--ports", str(port))
        _, errors = stack.communicate()

    assert stack.returncode == 1
    assert errors == f"Port {port} (blob) is in use. Choose other ports with --ports BASE, or --ports auto.\n"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.close()


def test_a_marker_reaches_record_run_and_an_end_those_who_follow(data_dir, webhook):
    """The nodes tell Event Grid what a task leaves. Here a webhook stands for the host, and another for a follower."""
    options = StackOptions(data_dir=data_dir, ports=AUTO, functions=False, subscribers=(webhook.url,))
    with Stack(options) as stack:
        host = Webhook(stack.data_dir.last_ports().functions)
        leave_marker(stack.settings)
        marker = host.next_delivery()
        key = AzureKeyCredential(stack.settings["EVENTGRID_TOPIC_KEY"])
        with EventGridPublisherClient(stack.settings["EVENTGRID_TOPIC_ENDPOINT"], key) as topic:
            topic.send(CloudEvent(source="/test", type="AzureBatchTaskRunner.RunEnded", subject="n/f/r", id="r"))
        end = webhook.next_delivery()
        host.close()

    assert marker.path == "/runtime/webhooks/eventgrid?functionName=record_run"
    assert (marker.body["specversion"], marker.body["type"]) == ("1.0", "Microsoft.Storage.BlobCreated")
    storage = stack.settings["RunStorage"].partition("BlobEndpoint=")[2].partition(";")[0]
    assert marker.body["data"]["url"] == f"{storage}/staging/r/std/t/1/task.ended"
    assert (end.body["id"], end.body["subject"]) == ("r", "n/f/r")
    assert host.nothing_more()


def leave_marker(settings):
    """Run a task that leaves one file and the marker of its end."""
    storage = BlobServiceClient.from_connection_string(settings["RunStorage"])
    sas = generate_container_sas(
        storage.account_name,
        "staging",
        account_key=storage.credential.account_key,
        permission="w",
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    url = f"{storage.url.rstrip('/')}/staging?{sas}"
    names = ("r/std/t/1/stdout.txt", "r/std/t/1/task.ended")
    files = [output(url, "../stdout.txt", name) for name in names]
    add_task(settings, "true", files)


def test_each_service_stops_before_those_that_it_uses(tmp_path):
    """They stop in the reverse order of this: nodes that have just uploaded can still tell Event Grid."""
    require_azurite()
    options, ports = StackOptions(data_dir=tmp_path), Ports.default()
    services = Services(options, DataDir(tmp_path), ports, stack_settings(ports, options)).all()

    assert [program.name for program in services] == ["azurite", "eventgrid", "batch", "functions"]


def test_a_stack_makes_the_containers_that_its_data_lacks(data_dir):
    """That of an older version knew fewer. What is there is kept, and names can be chosen."""
    options = StackOptions(data_dir=data_dir, ports=AUTO, functions=False)
    with Stack(options) as stack, BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        assert {each.name for each in blobs.list_containers()} == set(asdict(Containers()).values())
        blobs.get_blob_client("namespaces", "n/a.txt").upload_blob(b"kept")
        for name in ("flows", "uploads"):
            blobs.delete_container(name)

    chosen = replace(options, environ={"FLOWS_CONTAINER": "my-flows"})
    with Stack(chosen) as stack, BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        made = {each.name for each in blobs.list_containers()}
        assert made == {*asdict(Containers()).values(), "my-flows"} - {"flows"}
        assert blobs.get_blob_client("namespaces", "n/a.txt").download_blob().readall() == b"kept"
        settings = json.loads((data_dir / "stack.json").read_text())["settings"]
        assert settings["FLOWS_CONTAINER"] == "my-flows"


@pytest.mark.parametrize("name", Containers.__dataclass_fields__)
def test_the_names_of_all_containers_can_be_chosen(name):
    setting = {f"{name.upper()}_CONTAINER": "mine"}
    settings = stack_settings(Ports.default(), StackOptions(environ=setting))
    assert getattr(containers_of(settings), name) == "mine"


def test_a_subscriber_needs_an_address(data_dir):
    """Otherwise nothing starts."""
    _, errors = (refused := local("up", "--data-dir", data_dir, "--subscribe", "localhost:8000")).communicate()

    assert refused.returncode == 2
    assert "'localhost:8000' is not an address such as http://127.0.0.1:8000/events" in errors
