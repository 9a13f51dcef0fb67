"""`docs/events.md`: its commands run, name what is deployed, and its sample follows runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from local.event_subscriptions import RETRY_POLICY, RUN_ENDED
from tests.support.az_flags import SOURCES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "events.md").read_text()
ON_ONE_MACHINE, IN_AZURE = DOCUMENT.split("## In Azure")
BLOCKS = re.findall(r"```sh\n(.*?)```", IN_AZURE, re.DOTALL)
AZ = '#!/bin/sh\nfor each in "$@"; do printf "%s\\037" "$each"; done >> "$NOTES"; echo >> "$NOTES"\necho "/value"\n'


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """How `az` is called by all blocks, in one shell in which a missing variable is an error."""
    folder = tmp_path_factory.mktemp("az")
    (folder / "az").write_text(AZ)
    (folder / "az").chmod(0o755)
    steps = "\n".join(["set -euo pipefail", *(re.sub(r"=<([a-z ]+)>", r"='a \1'", block) for block in BLOCKS)])
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "NOTES": str(folder / "notes")}
    done = subprocess.run(["bash"], input=steps, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\037")[:-1] for line in (folder / "notes").read_text().splitlines()]


def value(call: list[str], flag: str) -> str:
    return call[call.index(flag) + 1]


def test_every_subscription_is_to_ended_runs_of_the_app_s_topic_as_cloud_events(calls: list[list[str]]) -> None:
    made = [call for call in calls if call[:3] == ["eventgrid", "event-subscription", "create"]]
    assert len(made) == 2
    for call in made:
        assert value(call, "--included-event-types") == RUN_ENDED
        assert value(call, "--event-delivery-schema") == "cloudeventschemav1_0"
        assert value(call, "--source-resource-id") == "/value"
    removed = [value(call, "--name") for call in calls if call[:3] == ["eventgrid", "event-subscription", "delete"]]
    assert removed == [value(call, "--name") for call in made]


def test_the_queue_is_written_by_the_topic_s_identity(calls: list[list[str]]) -> None:
    """The account takes no keys; the role is that queue's alone, and given before the subscription is made."""
    (role,) = [call for call in calls if call[:3] == ["role", "assignment", "create"]]
    (made,) = [call for call in calls if "--delivery-identity" in call]
    assert calls.index(role) < calls.index(made)
    assert value(role, "--role") == "Storage Queue Data Message Sender"
    assert value(role, "--scope") == value(made, "--delivery-identity-endpoint")
    assert value(role, "--scope").endswith("/queueServices/default/queues/ended-runs")
    assert value(made, "--delivery-identity-endpoint-type") == "storagequeue"
    assert "identity: { type: 'SystemAssigned' }" in (ROOT / "infra" / "events.bicep").read_text()


def test_its_commands_are_checked_against_the_azure_cli() -> None:
    """By `make az-flags`."""
    assert "docs/events.md" in SOURCES


def test_links_lead_somewhere() -> None:
    """Those within the repository."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", DOCUMENT) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_events_wait_on_one_machine_as_long_as_it_says() -> None:
    assert RETRY_POLICY.event_time_to_live.total_seconds() == 3600
    assert "for an hour" in ON_ONE_MACHINE


def test_the_sample_is_where_it_says() -> None:
    """And the address that the stack is given is the one that it listens at."""
    sample, stack = (shlex.split(block) for block in re.findall(r"```sh\n(.*?)```", ON_ONE_MACHINE, re.DOTALL))
    assert sample[:2] == ["python", "samples/follow_runs.py"]
    assert (ROOT / sample[1]).exists()
    assert stack == ["python", "-m", "local", "up", "--subscribe", f"http://127.0.0.1:{sample[2]}/"]
