"""A run without any key: every service is reached with tokens of the managed identity, and nodes by a SAS of its own.

Storage is Azurite behind its own TLS with `--oauth basic`, which is the only way it makes user-delegation keys. The
local Batch service has TLS in front of it: the SDK sends no token over plain http.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import ContainerClient

from local.stack import azurite as azurite_service
from local.stack.azurite import AzuriteEndpoints
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports
from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.clients import Clients
from shared.documents.names import results_folder, run_id
from shared.events import parse
from shared.settings import Containers, Settings
from tests.conftest import require_azurite
from tests.integration.identity import CLIENT_ID, IDENTITY_HEADER, Certificate, TokenEndpoint, Topic, behind_tls
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

pytestmark = pytest.mark.sampled

CONTAINERS = tuple(Containers.__dataclass_fields__)


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificate]:
    """A certificate that this process and its children trust."""
    made = Certificate.make(tmp_path_factory.mktemp("certificate"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(made.certificate))
        yield made


@pytest.fixture(scope="module")
def storage(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An Azurite with TLS that takes tokens; the settings that name it."""
    require_azurite()
    ports, folder = Ports.choose(AUTO), tmp_path_factory.mktemp("azurite")
    command = azurite_service.start_command(AzuriteEndpoints(ports.blob, ports.queue, ports.table), folder)
    options = ("--cert", str(certificate.certificate), "--key", str(certificate.key), "--oauth", "basic")
    child = Child(Program("azurite", (*command, *options), dict(os.environ), folder / "azurite.log", ""))
    wait_for(lambda: is_listening(ports.blob))
    yield {
        "RunStorage__blobServiceUri": f"https://127.0.0.1:{ports.blob}/{azurite_service.ACCOUNT_NAME}",
        "RunStorage__queueServiceUri": f"https://127.0.0.1:{ports.queue}/{azurite_service.ACCOUNT_NAME}",
    }
    child.stop()


@pytest.fixture(scope="module")
def batch(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Batch service behind TLS; the settings that name it."""
    ports, folder = Ports.choose(AUTO), tmp_path_factory.mktemp("batch")
    options = ("--port", str(ports.batch), "--data-dir", str(folder), "--container-pool", "local")
    command = (sys.executable, "-m", "local.batch", *options)
    ready = f"http://127.0.0.1:{ports.batch}/_local/health"
    child = Child(Program("batch", command, dict(os.environ), folder.parent / "batch.log", ready))
    child.wait_ready()
    with behind_tls(certificate, ports.batch) as port:
        yield {"BATCH_ACCOUNT_ENDPOINT": f"https://127.0.0.1:{port}", "BATCH_POOL_ID": "local"}
    child.stop()


@dataclass
class Azure:
    """An app without keys, the services around it, and what a test does to it."""

    settings: dict[str, str]
    tokens: TokenEndpoint
    topic: Topic

    @property
    def app(self) -> App:
        """The app."""
        return App.of(Settings.from_environ(self.settings))

    @property
    def blobs(self) -> BlobServiceClient:
        """Storage, as the app reaches it."""
        return Clients(Settings.from_environ(self.settings)).blobs

    def container(self, name: str) -> str:
        """The name of a container of this test."""
        return self.settings[f"{name.upper()}_CONTAINER"]

    def drop(self, name: str, text: str) -> str:
        """Drop a manifest; the id of its run."""
        written = self.blobs.get_blob_client(self.container("inbox"), name).upload_blob(text)
        return run_id(self.container("inbox"), name, written["etag"], written["last_modified"])

    def put(self, container: str, name: str, text: str) -> None:
        """Write a blob."""
        self.blobs.get_blob_client(self.container(container), name).upload_blob(text)

    def result(self, name: str) -> bytes:
        """A blob of the results."""
        return self.blobs.get_blob_client(self.container("results"), name).download_blob().readall()


numbers = itertools.count(1)


@contextlib.contextmanager
def azure_of(
    certificate: Certificate, storage: dict[str, str], batch: dict[str, str], patch: pytest.MonkeyPatch
) -> Iterator[Azure]:
    """Services that take tokens only, and an app with nothing but an identity."""
    tokens, topic, number = TokenEndpoint(), Topic(certificate), next(numbers)
    with tokens.run(), topic.run():
        patch.setenv("IDENTITY_ENDPOINT", tokens.url)
        patch.setenv("IDENTITY_HEADER", IDENTITY_HEADER)
        settings = {
            **storage,
            **batch,
            "RunStorage__credential": "managedidentity",
            "RunStorage__clientId": CLIENT_ID,
            "EVENTGRID_TOPIC_ENDPOINT": topic.url,
            **{f"{name.upper()}_CONTAINER": f"{name}-{number}" for name in CONTAINERS},
        }
        made = Azure(settings, tokens, topic)
        for name in CONTAINERS:
            made.blobs.create_container(made.container(name))
        yield made


@pytest.fixture
def azure(
    certificate: Certificate, storage: dict[str, str], batch: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Azure]:
    """The same, for one test."""
    with azure_of(certificate, storage, batch, monkeypatch) as made:
        yield made


MANIFEST = """\
id: identities
namespace: company.team
tasks:
  - id: main
    type: io.kestra.plugin.scripts.shell.Commands
    namespaceFiles: {enabled: true}
    inputFiles: {in.txt: from the manifest}
    commands: ["cat in.txt lib.txt > out.txt"]
    outputFiles: [out.txt]
"""


class Event:
    """An event as it is delivered."""

    def __init__(self, published: dict[str, Any]) -> None:
        self._data = published["data"]

    def get_json(self) -> object:
        """Its data."""
        return self._data


def test_a_run_from_drop_to_record(azure: Azure) -> None:
    """Uploads, copies, SAS of a user-delegation key, job, listing, event and record, all of it by token."""
    azure.put("namespaces", "company.team/lib.txt", ", and from the namespace")
    app, run = azure.app, azure.drop("m.yaml", MANIFEST)
    submit_run.accept(app, "m.yaml")
    wait_for(lambda: app.batch.has_ended(f"{run}-1"))
    poll_runs.poll(app)
    (event,) = azure.topic.events
    record_run.record(app, parse(Event(event)))
    folder = results_folder("m.yaml", run)
    assert json.loads(azure.result(f"{folder}/record.json"))["state"] == "SUCCESS"
    assert azure.result(f"{folder}/outputs/main/out.txt") == b"from the manifest, and from the namespace"
    assert set(azure.tokens.resources) == {
        "https://storage.azure.com",
        "https://batch.core.windows.net/",
        "https://eventgrid.azure.net",
    }


def test_nothing_but_the_managed_identity_is_tried(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service principal that the environment happens to name must not be used in place of the app's identity."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "somebody-else")
    assert list(azure.blobs.get_container_client(azure.container("runs")).list_blobs()) == []
    assert azure.tokens.resources[-1] == "https://storage.azure.com"


def test_an_identity_that_the_app_does_not_have_is_an_error_that_says_so(azure: Azure) -> None:
    """After three tries, which end within the time that an invocation has."""
    azure.settings["RunStorage__clientId"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(ClientAuthenticationError, match="No User Assigned identity found"):
        submit_run.accept(azure.app, "m.yaml")
    assert azure.tokens.refused == 3


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize("time_left", [timedelta(hours=1), timedelta(days=6)])
def test_a_sas_of_the_identity_lives_for_seven_days_at_most(azure: Azure, time_left: timedelta) -> None:
    """The service makes no user-delegation key for longer; one key signs both."""
    now = datetime.now(UTC)
    access = azure.app.staging.access(azure.container("staging"), time_left, now=now)
    read, write = query_of(access.read_url), query_of(access.write_url)
    assert (read["sp"], write["sp"]) == ("rl", "cw")
    assert read["skt"] == write["skt"]
    lifetime = datetime.fromisoformat(read["se"]) - datetime.fromisoformat(read["st"])
    assert time_left < lifetime <= timedelta(days=7)
    assert access.identity is None


def test_what_a_node_is_given_of_the_identity_opens_staging_only_and_deletes_nothing(azure: Azure) -> None:
    """Promise, as it is deployed: what reads cannot write, what writes cannot read, and neither deletes."""
    names = {name: azure.container(name) for name in CONTAINERS}
    azure.put("staging", "other-run/sys/t/run.sh", "echo")
    access = azure.app.staging.access(names["staging"], timedelta(hours=1), now=datetime.now(UTC))
    read, write = (ContainerClient.from_container_url(url) for url in (access.read_url, access.write_url))
    assert read.download_blob("other-run/sys/t/run.sh").readall() == b"echo"
    write.upload_blob("own-run/out/t/0/x.txt", b"x")
    refused = [
        lambda: read.upload_blob("x", b"x"),
        lambda: write.download_blob("own-run/out/t/0/x.txt"),
        lambda: list(write.list_blob_names()),
        *(lambda client=client: client.delete_blob("other-run/sys/t/run.sh") for client in (read, write)),
        *(lambda client=client: client.delete_container() for client in (read, write)),
        *(
            lambda url=url, name=name: list(
                ContainerClient.from_container_url(url.replace(names["staging"], name)).list_blob_names()
            )
            for url in (access.read_url, access.write_url)
            for name in names.values()
            if name != names["staging"]
        ),
    ]
    for attempt in refused:
        with pytest.raises(HttpResponseError) as error:
            attempt()
        assert error.value.status_code == 403


def test_staging_by_the_identity_of_the_nodes_gives_tasks_no_address_that_opens_anything(azure: Azure) -> None:
    """The documented other way: the task asks for a token; what that opens is the role of the identity."""
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nodes"
    azure.settings |= {"STAGING_ACCESS": "identity", "NODE_IDENTITY_RESOURCE_ID": identity}
    access = azure.app.staging.access(azure.container("staging"), timedelta(hours=1), now=datetime.now(UTC))
    assert access.identity == identity
    assert "?" not in access.read_url + access.write_url
    with pytest.raises(HttpResponseError):
        list(ContainerClient.from_container_url(access.read_url).list_blob_names())
