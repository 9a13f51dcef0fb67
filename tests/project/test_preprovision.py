"""The hook that looks, before a deployment, if the pool takes its settings; with an `az` that answers from files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
POOL_PATH = "/subscriptions/s/resourceGroups/rg-prod/providers/Microsoft.Batch/batchAccounts/ba1/pools/"
AZ = """\
#!/bin/sh
echo "$*" >> "$NOTES"
answer() { [ -f "$ANSWERS/$1" ] || { /bin/cat "$ANSWERS/$1.error" >&2; exit 1; }; /bin/cat "$ANSWERS/$1"; }
case "$*" in
"account show"*) answer login ;;
"batch location list-skus"*) answer sizes ;;
"rest --method get"*) answer pool ;;
"resource show"*) answer registry ;;
esac
"""
AZD = {
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_RESOURCE_GROUP": "rg-prod",
    "AZURE_LOCATION": "westeurope",
    "BATCH_ACCOUNT_NAME": "ba1",
}
SIZES = [
    {"name": "Standard_D4s_v5", "capabilities": [{"name": "vCPUs", "value": "4"}]},
    {
        "name": "Standard_D2s_v5",
        "capabilities": [{"name": "MaxResourceVolumeMB", "value": "1"}, {"name": "vCPUs", "value": "2"}],
    },
]


def deployed(**changes: Any) -> dict[str, Any]:
    """The pool that the template's defaults make, as ARM gives it back, with two nodes."""
    machine = {
        "imageReference": {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2404", "version": "latest"},
        "nodeAgentSkuId": "batch.node.ubuntu 24.04",
        "containerConfiguration": {"type": "DockerCompatible", **changes.pop("containers", {})},
    }
    pool = {
        "vmSize": "STANDARD_D2S_V5",
        "taskSlotsPerNode": 2,
        "currentDedicatedNodes": 2,
        "currentLowPriorityNodes": 0,
        "allocationState": "Steady",
        "deploymentConfiguration": {"virtualMachineConfiguration": machine},
        "networkConfiguration": {"publicIPAddressConfiguration": {"provision": "BatchManaged"}},
    }
    return {**pool, **changes}


class Hook:
    """The hook beside templates of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "bin").mkdir()
        (folder / "bin" / "az").write_text(AZ)
        (folder / "bin" / "az").chmod(0o755)
        (folder / "bin" / "python3").symlink_to(sys.executable)
        self.answer("login", {})
        self.answer("sizes", SIZES)
        self.answer("pool", {"properties": deployed()})

    def answer(self, question: str, answer: object) -> None:
        """What `az` says."""
        (self._folder / "bin" / question).write_text(json.dumps(answer))

    def fails(self, question: str, message: str) -> None:
        """What `az` complains of."""
        (self._folder / "bin" / question).unlink(missing_ok=True)
        (self._folder / "bin" / f"{question}.error").write_text(message)

    def parameters(self, **values: object) -> None:
        """Settings that a person has chosen."""
        file = self._folder / "infra" / "main.parameters.json"
        document = json.loads(file.read_text())
        document["parameters"].update({name: {"value": value} for name, value in values.items()})
        file.write_text(json.dumps(document))

    def run(self, environ: dict[str, str] = AZD) -> subprocess.CompletedProcess[str]:
        """Run it, as azd does."""
        own = {"PATH": str(self._folder / "bin"), "ANSWERS": str(self._folder / "bin")}
        own["NOTES"] = str(self._folder / "notes")
        command = ["/bin/sh", "infra/hooks/preprovision.sh"]
        return subprocess.run(
            command, cwd=self._folder, env={**own, **environ}, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> list[str]:
        """How `az` was called."""
        return (self._folder / "notes").read_text().splitlines()


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path)


def assert_silent(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unchanged_pool_is_nothing_to_speak_of(hook: Hook) -> None:
    """Though ARM gives its size back in capitals, and settings that nobody made."""
    assert_silent(hook.run())
    assert hook.calls[-1].startswith(f"rest --method get --url {POOL_PATH}pool?api-version=2025-06-01")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"nodeSize": "Standard_D4s_v5"}, "nodeSize (STANDARD_D2S_V5 to Standard_D4s_v5)"),
        ({"taskSlotsPerNode": 4}, "taskSlotsPerNode (2 to 4)"),
        ({"prefetchedImages": ["python:3.13-slim"]}, "prefetchedImages (none to python:3.13-slim)"),
        ({"privateNetwork": True}, "privateNetwork (False to True)"),
        ({"registryId": "/subscriptions/s/registries/r"}, "registryId (none to r.azurecr.io)"),
        (
            {"nodeSize": "Standard_D4s_v5", "taskSlotsPerNode": 4},
            "nodeSize (STANDARD_D2S_V5 to Standard_D4s_v5) and taskSlotsPerNode (2 to 4)",
        ),
    ],
)
def test_a_changed_setting_stops_the_deployment_while_there_are_nodes(
    hook: Hook, parameters: dict[str, object], said: str
) -> None:
    hook.parameters(**parameters)
    hook.answer("registry", "r.azurecr.io")
    done = hook.run()
    assert done.returncode == 1
    assert done.stderr == (
        f"The pool 'pool' has 2 nodes, and Azure Batch changes {said} only while it has none: wait until it is empty, "
        "or give another poolId (docs/deploy.md, 'Changing it later').\n"
    )


def test_another_image_in_the_templates_stops_it_too(hook: Hook) -> None:
    """A newer version of the templates may bring one."""
    pool = deployed()
    pool["deploymentConfiguration"]["virtualMachineConfiguration"]["imageReference"]["sku"] = "2204"
    hook.answer("pool", {"properties": pool})
    assert (
        "nodeImage (microsoft-dsvm:ubuntu-hpc:2204:latest to microsoft-dsvm:ubuntu-hpc:2404:latest)"
        in hook.run().stderr
    )


def test_what_was_taken_away_is_a_change(hook: Hook) -> None:
    registries = [{"registryServer": "r.azurecr.io", "identityReference": {"resourceId": "/i"}}]
    containers = {"containerImageNames": ["a"], "containerRegistries": registries}
    network = {"subnetId": "/subscriptions/s/subnets/nodes"}
    hook.answer("pool", {"properties": deployed(containers=containers, networkConfiguration=network)})
    said = hook.run().stderr
    assert all(each in said for each in ("(a to none)", "(r.azurecr.io to none)", "(True to False)"))


@pytest.mark.parametrize(
    "parameters", [{"maximumNodes": 100}, {"instanceMemoryMB": 512}, {"pollSchedule": "0 * * * * *"}]
)
def test_what_may_change_at_any_time_is_nothing_to_speak_of(hook: Hook, parameters: dict[str, object]) -> None:
    hook.parameters(**parameters)
    assert_silent(hook.run())


def test_an_empty_pool_takes_everything(hook: Hook) -> None:
    hook.parameters(nodeSize="Standard_D4s_v5")
    hook.answer("pool", {"properties": deployed(currentDedicatedNodes=0)})
    assert_silent(hook.run())


def test_a_pool_that_is_about_to_have_nodes_is_not_empty(hook: Hook) -> None:
    hook.parameters(nodeSize="Standard_D4s_v5")
    hook.answer("pool", {"properties": deployed(currentDedicatedNodes=0, allocationState="Resizing")})
    done = hook.run()
    assert done.returncode == 1
    assert "The pool 'pool' is being resized, and" in done.stderr


def test_another_pool_id_is_a_new_pool(hook: Hook) -> None:
    hook.parameters(nodeSize="Standard_D4s_v5", poolId="large")
    hook.fails("pool", 'ERROR: Not Found({"error": {\n"code": "ResourceNotFound"}})')
    assert_silent(hook.run())
    assert f"{POOL_PATH}large?" in hook.calls[-1]


def test_the_first_deployment_is_silent(hook: Hook) -> None:
    """Nothing is there, and the subscription may not know Batch yet."""
    hook.fails("sizes", "ERROR: (MissingSubscriptionRegistration)")
    assert_silent(hook.run({"AZURE_LOCATION": "westeurope", "AZURE_SUBSCRIPTION_ID": "s"}))
    assert_silent(hook.run({}))
    assert not any(call.startswith("rest") for call in hook.calls)


def test_values_of_azds_environment_are_put_in(hook: Hook) -> None:
    hook.parameters(nodeSize="${NODE_SIZE=Standard_D2s_v5}", taskSlotsPerNode="${SLOTS=2}")
    assert_silent(hook.run())
    assert "nodeSize (STANDARD_D2S_V5 to Standard_D4s_v5)" in hook.run({**AZD, "NODE_SIZE": "Standard_D4s_v5"}).stderr


@pytest.mark.parametrize("problem", ["not logged in", "not installed"])
def test_without_a_login_it_says_what_it_could_not_check(hook: Hook, problem: str, tmp_path: Path) -> None:
    hook.parameters(nodeSize="Standard_D4s_v5")
    hook.fails("login", "ERROR: Please run 'az login' to setup account.")
    if problem == "not installed":
        (tmp_path / "bin" / "az").unlink()
    done = hook.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Not checked: how many tasks a node of Standard_D4s_v5 may run at a time, and whether the pool 'pool' can take "
        "its settings now. If it has nodes and they have changed, this deployment fails with PropertyCannotBeUpdated. "
        "(az is not logged in, or not installed: run 'az login')\n"
    )


def test_a_pool_that_cannot_be_read_is_not_an_error(hook: Hook) -> None:
    hook.fails("pool", "ERROR: Forbidden({\n  AuthorizationFailed\n})")
    done = hook.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Not checked: whether the pool 'pool' can take its settings now.")
    assert done.stdout.endswith("(ERROR: Forbidden({ AuthorizationFailed }))\n")


@pytest.mark.parametrize(("slots", "is_refused"), [(8, False), (9, True)])
def test_slots_are_held_against_the_cores_of_the_size(hook: Hook, slots: int, is_refused: bool) -> None:
    """The service allows four times the cores; a template cannot know how many there are."""
    hook.parameters(taskSlotsPerNode=slots)
    hook.answer("pool", {"properties": deployed(taskSlotsPerNode=slots)})
    done = hook.run()
    assert done.returncode == is_refused
    assert (
        "a node of Standard_D2s_v5 has 2 cores, and Azure Batch allows 4 tasks for each: 8 at most" in done.stderr
    ) == (is_refused)


def test_the_hook_for_windows_runs_the_same_program() -> None:
    hooks = ROOT / "infra" / "hooks"
    assert "infra/hooks/preprovision.py" in (hooks / "preprovision.ps1").read_text()
    assert "infra/hooks/preprovision.py" in (hooks / "preprovision.sh").read_text()
