"""`batchrun` on an app without keys, by tokens over HTTPS, at the names that Azure's services have.

A proxy leads these names to Azurite and to the local Batch service, both behind TLS, as tests/integration/test_identity
has them; what the Functions host does is done by a thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchrun.__main__ import main
from shared.documents.card import CARD_BLOB
from tests.batchrun.deployed import Deployed, deployed_app
from tests.integration.identity import CLIENT_ID, Certificate, refusing
from tests.integration.test_identity import Azure, azure, batch, certificate, storage
from tests.support.waiting import wait_for

pytestmark = pytest.mark.sampled

__all__ = ["azure", "batch", "certificate", "storage"]

DENIED = {"x-ms-error-code": "AuthorizationPermissionMismatch", "Content-Type": "application/xml"}
DENIED_XML = "<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code><Message>No.</Message></Error>"


@pytest.fixture
def deployed(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deployed]:
    """An app that works, and a person who is logged in and knows its storage account."""
    monkeypatch.chdir(tmp_path)
    with deployed_app(azure, monkeypatch) as made:
        yield made


def test_a_run_from_the_command_to_its_results(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """By tokens for storage and for Batch, and nothing else."""
    Path("hello.yaml").write_text(
        "id: hello\ncommands: [echo hello > hello.txt, echo said]\noutputFiles: [hello.txt]\n"
    )
    deployed.azure.tokens.resources.clear()

    assert main(["run", "hello.yaml", "--out", "out"]) == 0
    assert Path("out/outputs/hello/hello.txt").read_text() == "hello\n"
    run_id = json.loads(Path("out/record.json").read_text())["runId"]
    capsys.readouterr()
    assert main(["logs", "-"]) == 0
    assert capsys.readouterr() == ("hello out | said\n", f"{run_id} has ended: SUCCESS\n")
    assert main(["cancel", "hello"]) == 1
    assert main(["doctor"]) == 0
    assert {"https://storage.azure.com", "https://batch.core.windows.net/"} <= set(deployed.azure.tokens.resources)


def test_a_run_that_is_not_waited_for_is_cancelled(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    Path("sleeper.yaml").write_text("commands: [sleep 600]")
    assert main(["run", "sleeper.yaml", "--no-wait"]) == 0
    printed, told = capsys.readouterr()
    assert f"To cancel it: batchrun cancel {printed.strip()}\n" in told.replace("python -m batchrun", "batchrun")
    runs = deployed.azure.blobs.get_container_client(deployed.azure.container("runs"))
    wait_for(lambda: runs.get_blob_client(f"{printed.strip()}.json").exists())
    assert main(["cancel", printed.strip()]) == 0
    assert capsys.readouterr().out == f"{printed.strip()} is cancelled: KILLED.\n"


def test_every_other_verb_works_by_token(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """By the roles of docs/batchrun.md, which no key helps out."""
    Path("src").mkdir()
    Path("src/lib.txt").write_text("from the namespace")
    Path("past.yaml").write_text(
        "id: past\nnamespace: acme.team\ntasks: [{id: t, type: io.kestra.plugin.scripts.shell.Commands,"
        " namespaceFiles: {enabled: true}, commands: [cat lib.txt]}]"
    )

    def said(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        printed = capsys.readouterr()
        return printed.out + printed.err

    assert "1 file put into acme.team" in said("ns", "put", "acme.team", "src")
    assert "acme.team" in said("ns", "ls")
    assert "lib.txt" in said("ns", "ls", "acme.team")
    assert "no errors found" in (checked := said("check", "past.yaml"))
    assert "whether there is a pool" not in checked
    run_id = said("run", "past.yaml", "--no-wait").split()[0]
    assert "t out | from the namespace" in said("logs", run_id, "-f")
    assert run_id in said("ls")
    assert "SUCCESS" in said("show", "-")
    assert "files fetched" in said("get", run_id)
    assert "1 file fetched" in said("ns", "get", "acme.team")
    assert "removed lib.txt" in said("ns", "rm", "acme.team", "**")
    assert (Path(run_id) / "logs/t/stdout.txt").read_text() == Path("acme.team/lib.txt").read_text()
    assert {"https://storage.azure.com", "https://batch.core.windows.net/"} <= set(deployed.azure.tokens.resources)


def test_values_stored_flows_and_retries_by_token(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """A file goes to the container of the app's card, and only the app can read what it may not be shown."""
    uploads = deployed.azure.container("uploads")
    Path("data.csv").write_text("a,b\n")
    Path("etl.yaml").write_text(
        "id: etl\nnamespace: acme.team\ninputs: [{id: data, type: FILE}, {id: code, type: INT}]\n"
        "tasks: [{id: t, type: io.kestra.plugin.scripts.shell.Commands, inputFiles: {in: '{{ inputs.data }}'},"
        " namespaceFiles: {enabled: true}, commands: [cat in, 'test {{ inputs.code }} = 0 || test -e ok']}]\n"
    )

    def said(code: int, *arguments: str) -> str:
        assert main(list(arguments)) == code
        printed = capsys.readouterr()
        return printed.out + printed.err

    assert said(0, "run", "etl.yaml", "-i", "data=@data.csv", "-i", "code=0", "--out", "one")
    assert json.loads(Path("one/record.json").read_text())["inputs"]["data"].startswith(f"blob://{uploads}/")
    assert said(0, "flows", "put", "etl.yaml") == "acme.team/etl stored\n"
    assert "acme.team/etl" in said(0, "flows", "ls")
    assert "no errors found" in said(0, "check", "acme.team/etl", "-i", "data=@data.csv", "-i", "code=1")
    assert "FAILED" in said(1, "run", "acme.team/etl", "-i", "data=@data.csv", "-i", "code=1", "--out", "two")
    assert said(0, "flows", "get", "acme.team/etl", "--out", "down") == "down/etl.yaml\n"
    assert said(0, "flows", "rm", "acme.team/etl") == "removed acme.team/etl\n"
    assert Path("down/etl.yaml").read_text() == Path("etl.yaml").read_text()
    Path("ok").touch()
    said(0, "ns", "put", "acme.team", "ok")
    run_id = json.loads(Path("two/record.json").read_text())["runId"]
    assert "SUCCESS" in said(0, "retry", run_id, "--task", "t", "--out", "three")
    assert Path("three/logs/t/stdout.txt").read_text() == "a,b\n"
    assert {"https://storage.azure.com", "https://batch.core.windows.net/"} <= set(deployed.azure.tokens.resources)


def test_a_pool_that_is_not_there_is_told_before_the_drop(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the app would say it."""
    Path("pool.yaml").write_text("commands: [echo]\ntaskRunner: {poolId: none}")
    for verb in ("check", "run"):
        assert main([verb, "pool.yaml"]) == 1
        told = capsys.readouterr().err
        assert "pool.yaml:2:22: error: taskRunner.poolId: there is no pool 'none' in the Batch account" in told
        assert "; its pools are: local\n" in told
    runs = deployed.azure.blobs.get_container_client(deployed.azure.container("results")).list_blob_names()
    assert [name for name in runs if not name.startswith("_")] == []


def test_accounts_that_a_manifest_names_by_secrets_are_left_to_the_app(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kestra's documented example does that; an account that stands there is compared."""
    deployed.azure.settings["SECRET_ACCOUNT"] = "local"
    Path("named.yaml").write_text("commands: [echo]\ntaskRunner: {account: '{{ secret(\"ACCOUNT\") }}'}")
    Path("other.yaml").write_text("commands: [echo]\ntaskRunner: {account: another}")
    assert main(["check", "named.yaml"]) == 0
    assert main(["check", "other.yaml"]) == 1
    assert "runs use the app's own account, local; name it, or leave it out" in capsys.readouterr().err


def test_secrets_that_only_the_app_knows_do_not_keep_a_manifest_from_being_dropped(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its errors do; what the app alone can know is left to the app."""
    deployed.azure.settings["SECRET_TOKEN"] = "known to the app"
    Path("secret.yaml").write_text("commands: ['{{ secret(\"TOKEN\") }}']")
    Path("wrong.yaml").write_text("commands: ['{{ nothing }}']")
    assert main(["check", "secret.yaml"]) == 0
    assert main(["run", "wrong.yaml"]) == 1
    assert capsys.readouterr().err.endswith("Nothing has been dropped.\n")


@pytest.mark.usefixtures("deployed")
def test_variables_that_only_the_app_knows_are_not_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """A manifest that uses them is checked as far as it goes, and dropped."""
    text = "commands: ['echo {{ envs.name | upper }}']\ntaskRunner: {poolId: '{{ globals.pool }}'}"
    Path("m.yaml").write_text(text)
    Path("wrong.yaml").write_text("commands: ['{{ envs.name | nosuch }}']")
    assert main(["check", "m.yaml"]) == 0
    assert "not known before it runs: which pool it is, and whether its nodes" in capsys.readouterr().err
    assert main(["check", "wrong.yaml"]) == 1
    assert "there is no filter 'nosuch'" in capsys.readouterr().err
    assert main(["run", "m.yaml", "--no-wait"]) == 0
    assert main(["run", "wrong.yaml", "--no-wait"]) == 1


@pytest.mark.usefixtures("azure")
@pytest.mark.parametrize("verb", [["ls"], ["run", "m.yaml"], ["logs", "x"], ["cancel", "x"], ["doctor"]])
def test_storage_that_refuses_names_the_role(
    certificate: Certificate,
    verb: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text("commands: [echo]")
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
    with refusing(certificate, 403, DENIED, DENIED_XML) as port:
        monkeypatch.setenv("BATCHRUN_STORAGE", f"https://127.0.0.1:{port}/devstoreaccount1")
        assert main(verb) == 3
    where = "the container 'results' of the storage account devstoreaccount1"
    assert f"you need the role 'Storage Blob Data Reader' on {where}" in capsys.readouterr().err


@pytest.mark.usefixtures("azure")
def test_an_app_that_is_gone_or_nobody_is_logged_in_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("batchrun.client._connections.RETRIES", 0)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("BATCHRUN_STORAGE", "https://127.0.0.1:1/devstoreaccount1")
    assert main(["ls"]) == 3
    assert "does not answer" in capsys.readouterr().err
    monkeypatch.setenv("AZURE_CLIENT_ID", "somebody else")
    assert main(["ls"]) == 3
    assert "log in with `az login`" in capsys.readouterr().err


@pytest.mark.usefixtures("azure")
def test_a_card_that_names_another_server_gets_no_token(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may write to the results must not be able to collect tokens for Batch."""
    card = {
        "schemaVersion": "1",
        "version": "0.2.0",
        "batchEndpoint": "https://batch.azure.com.example.com",
        "batchAccount": "a",
        "defaultPool": None,
        "containers": {name: name for name in ("inbox", "runs", "staging", "results", "namespaces")},
        "lastTick": datetime.now(UTC).isoformat(),
    }
    azure.put("results", CARD_BLOB, json.dumps(card))
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
    storage_url = azure.settings["RunStorage__blobServiceUri"]
    monkeypatch.setenv("BATCHRUN_STORAGE", f"{storage_url}/{azure.container('results')}")
    azure.tokens.resources.clear()
    assert main(["ls"]) == 1
    assert "nothing is sent there" in capsys.readouterr().err
    assert set(azure.tokens.resources) == {"https://storage.azure.com"}
