"""docs/local-batch.md: what it says is served is, what it says is not is not, and its lines work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.batch.__main__ import main
from local.batch.api.app import OPERATIONS
from local.stack.ports import AUTO, Ports
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "local-batch.md").read_text(encoding="utf-8")
SERVED, NOT_SERVED = TEXT.split("## What is not")
OPERATION = re.compile(r"`([A-Z][a-z]\w+_\w+)`")


def test_every_operation_is_named_where_it_belongs():
    """All are served; that these are all there are is in the contract."""
    assert set(OPERATION.findall(SERVED)) == {operation.name for operation in OPERATIONS}
    assert OPERATION.findall(NOT_SERVED) == []


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/jobs", {"poolInfo": {"poolId": "p"}, "jobManagerTask": {}}, "jobManagerTask"),
        (
            "/pools",
            {"vmSize": "m", "enableAutoScale": True, "autoScaleFormula": "x = $CPUPercent;"},
            "$CPUPercent in autoScaleFormula",
        ),
        ("/jobs/{job}/tasks", {"multiInstanceSettings": {}}, "multiInstanceSettings"),
        ("/jobs/{job}/tasks", {"authenticationTokenSettings": {"access": ["job"]}}, "authenticationTokenSettings"),
        (
            "/jobs/{job}/tasks",
            {"resourceFiles": [{"autoStorageContainerName": "c"}]},
            "autoStorageContainerName",
        ),
    ],
)
def test_properties_that_are_not_served_are_named(client, new_job, path, body, name):
    """And refused by name rather than ignored."""
    assert f"`{name.partition(' in ')[0]}`" in NOT_SERVED
    body = {"id": "x", **({"commandLine": "true"} if "tasks" in path else {}), **body}
    request = HttpRequest("POST", path.format(job=new_job()), params={"api-version": "2025-06-01"}, json=body)
    with pytest.raises(HttpResponseError) as refusal:
        client.send_request(request)
    assert refusal.value.status_code == 501
    assert refusal.value.model["values"] == [{"key": "Operation", "value": name}]


def test_three_lines_are_enough_for_another_project(tmp_path):
    """As they stand, but for the port and where the service keeps its data."""
    setup, start, connect = re.search(r"another project\n+```\n(.*?)```", TEXT, re.DOTALL)[1].splitlines()
    assert setup.startswith("cd azure-batch-task-runner && make setup ")
    port = str(Ports.choose(AUTO).batch)
    python, *arguments = shlex.split(start, comments=True)
    assert python == ".venv/bin/python"
    service = subprocess.Popen(
        [sys.executable, *arguments, "--port", port, "--data-dir", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = service.stdout.readline()
        names = {"BatchClient": BatchClient, "AzureNamedKeyCredential": AzureNamedKeyCredential}
        exec(connect.replace("10003", port), names)
        wait_for(lambda: [pool.id for pool in names["client"].list_pools()] == ["local"])
    finally:
        service.terminate()
        assert service.wait() == 0
    for value in re.findall(r'"(.*?)"', connect.replace("10003", port)):
        assert value in printed


def test_every_option_is_described(capsys):
    """And no other."""
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)", TEXT))


def test_every_local_endpoint_is_described(service):
    """By its path: what is not described is not there."""
    described = set(re.findall(r"(/_local/[a-z-]+)", TEXT))
    assert described == {
        f"/_local/{name}" for name in ("faults", "health", "node-faults", "pools", "requests", "settings")
    }
    assert service.send("GET", "/_local/settings")[0] == 200
