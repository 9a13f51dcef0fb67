"""What a manifest, or the commands that it runs, try in order to reach what is not theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import ContainerClient

from shared.settings import Containers
from tests.chaos.lives import Host
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

SECRET = "s3cr3t-value-of-a-setting"
PRINTS_A_SECRET = """
id: t
env: {T: "{{ secret('TOKEN') }}"}
commands:
- 'echo "::{\\"outputs\\": {\\"$T\\": \\"is $T\\"}}::"'
- echo $T > $T.txt
outputFiles: ['*']
"""


@pytest.fixture
def sas_of_a_task(world: World) -> list[str]:
    """Every address that a node gets of a run."""
    run = world.accept(text="commands: ['true']\ninputFiles: {a.txt: x}\noutputFiles: ['*']")
    task = world.app.batch._client.get_task(f"{run}-1", "1")
    urls = [file.storage_container_url for file in task.resource_files]
    urls += [file.destination.container.container_url for file in task.output_files]
    assert len(urls) == 8  # the script and the input; two logs, the marker of the end, and three patterns for `*`
    return urls


@pytest.mark.parametrize("container", sorted({*Containers.__dataclass_fields__} - {"staging"}))
def test_what_a_node_is_given_opens_nothing_but_staging(world: World, sas_of_a_task: list[str], container: str) -> None:
    """Promise: run documents, results and manifests are out of the reach of whatever runs on a node."""
    names = world.settings.containers
    for url in sas_of_a_task:
        assert f"/{names.staging}?" in url
        other = ContainerClient.from_container_url(url.replace(names.staging, getattr(names, container)))
        for attempt in (
            lambda other=other: list(other.list_blob_names()),
            lambda other=other: other.upload_blob("x", b"x"),
            lambda other=other: other.download_blob("x"),
        ):
            with pytest.raises((ClientAuthenticationError, HttpResponseError)) as refused:
                attempt()
            assert refused.value.status_code == 403


def test_what_a_node_is_given_deletes_nothing(world: World, sas_of_a_task: list[str]) -> None:
    """Promise: a task cannot remove what others have staged."""
    for url in sas_of_a_task:
        staging = ContainerClient.from_container_url(url)
        with pytest.raises(HttpResponseError) as refused:
            staging.delete_blob(world.names("staging")[0])
        assert refused.value.status_code == 403


def test_what_writes_outputs_cannot_read(world: World, sas_of_a_task: list[str]) -> None:
    """Promise: the address that outputs are uploaded to opens nobody's files."""
    writing = [url for url in sas_of_a_task if "sp=cw" in url]
    assert len(writing) == 6
    for url in writing:
        with pytest.raises(HttpResponseError) as refused:
            ContainerClient.from_container_url(url).download_blob(world.names("staging")[0])
        assert refused.value.status_code == 403


def test_the_value_of_a_secret_is_in_nothing_of_ours(
    make_world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    """Promise: also where a task prints it as a value, or an error holds it; files and logs of tasks are the user's."""
    caplog.set_level(logging.DEBUG, "azure_batch_task_runner")
    world = make_world(SECRET_TOKEN=SECRET)
    host = Host(world)
    good = host.drop("good.yaml", PRINTS_A_SECRET)
    task = world.app.batch._client.get_task(f"{good}-1", "1").as_dict()
    assert SECRET not in str(task)
    assert SECRET not in str(world.result(good, "status.json", "good.yaml"))
    bad = host.drop("bad.yaml", "commands: [\"{{ secret('TOKEN') | fromJson }}\"]")
    host.work()
    results = world._storage.get_container_client(world.settings.containers.results)
    ours = [name for name in world.names("results") if "/logs/" not in name and "/outputs/" not in name]
    assert len(ours) == 2 * 3 + 2, "and the ledger, and the card"
    for name in ours:
        assert SECRET.encode() not in results.download_blob(name).readall(), name
    assert SECRET not in caplog.text
    assert (world.record(good, "good.yaml")["state"], world.record(bad, "bad.yaml")["state"]) == ("SUCCESS", "REJECTED")


def test_files_of_a_task_stay_in_its_folder_whatever_their_names(world: World) -> None:
    """Promise: what storage or a client might take for another place is left out, and said to be."""
    host = Host(world)
    names = "good.txt 'a\\..\\..\\b.txt' '..txt' '%2e%2e%2fx.txt' ' x.txt' '?#.txt'"
    run = host.drop("team/m.yaml", f"id: t\ncommands:\n- touch {names}\noutputFiles: ['*']")
    host.work()
    record = world.record(run, "team/m.yaml")
    assert all(name.startswith(f"team/m/{run}/") for name in world.results()), world.results()
    files = record["tasks"][0]["outputs"]["outputFiles"]
    assert "good.txt" in files
    assert all(file["blob"] == f"outputs/t/{name}" for name, file in files.items())
    assert not [name for name in files if "\\" in name or ".." in name.split("/")]
