"""The templates in `infra/` agree with the app, with each other, and with Azure's types as far as a file can tell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from shared import settings
from shared.events import EVENT_TYPE
from shared.settings import Containers, Settings, TriggerSettings
from tests.support.pure import ENVIRON

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
CHECKER = ROOT.parent / "shared" / "bicep" / "check.py"
IDENTITY = {"RunStorage__blobServiceUri": "https://s.x", "RunStorage__queueServiceUri": "https://s.x"}
KEYS = {"RunStorage", "BATCH_ACCOUNT_KEY", "EVENTGRID_TOPIC_KEY"}


def template(name: str) -> str:
    return (INFRA / f"{name}.bicep").read_text()


def names_in(text: str, start: str) -> set[str]:
    """The names of the object or list of declarations that begins with a line."""
    body = text.partition(start)[2].partition("\n}")[0]
    return set(re.findall(r"^  (\w+):", body, re.MULTILINE))


def test_templates_are_correct() -> None:
    """By the offline checker, which knows Azure's types; `az bicep build` is what remains."""
    if not CHECKER.exists():
        pytest.skip("the offline checker is not there")
    command = [sys.executable, str(CHECKER), *map(str, sorted(INFRA.glob("*.bicep")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Read(Mapping[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self):
        """All of them; secrets are found so, by their prefix."""
        return self._values.items()


def names_read() -> set[str]:
    """Every setting that the app reads, with keys and with an identity."""
    with_keys = Read(ENVIRON)
    with_identity = Read({name: value for name, value in {**ENVIRON, **IDENTITY}.items() if name != "RunStorage"})
    for environ in (with_keys, with_identity):
        Settings.from_environ(environ)
        TriggerSettings.from_environ(environ)
    return with_keys.names | with_identity.names


def test_every_setting_is_set_and_none_is_unknown() -> None:
    """All that the app reads, but for the keys of those who do without identities."""
    assert names_in(template("function_app"), "var appSettings = {") == names_read() - KEYS


def test_secrets_are_references_under_the_name_that_the_app_reads() -> None:
    assert f"'{settings.SECRET_PREFIX}${{secret.key}}'" in template("function_app")


def test_the_host_reads_storage_by_identity_too() -> None:
    host = names_in(template("function_app"), "var hostSettings = {")
    services = {f"AzureWebJobsStorage__{each}ServiceUri" for each in ("blob", "queue", "table")}
    assert services | {"AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId"} <= host
    assert not {name for name in host if "Key" in name or name in KEYS}


def test_the_five_containers_are_made() -> None:
    made = re.search(r"^var containers = \[(.*)\]", template("storage"), re.MULTILINE)
    assert made is not None
    assert set(re.findall(r"'([\w-]+)'", made[1])) == {
        getattr(Containers, name) for name in Containers.__dataclass_fields__
    }


def test_what_storage_removes_by_age_is_staging_alone() -> None:
    assert re.findall(r"prefixMatch: (\[.*\])", template("storage")) == ["['staging/']"]


def test_subscriptions_name_our_functions_event_and_container() -> None:
    text, functions = template("subscriptions"), (ROOT / "function_app.py").read_text()
    for function in ("/functions/record_run'", "functionName=Host.Functions.submit_run&"):
        assert function in text
        assert f"def {re.findall(r'[a-z]+_run', function)[0]}(" in functions
    assert f"includedEventTypes: ['{EVENT_TYPE}']" in text
    assert f"/blobServices/default/containers/{Containers.inbox}/'" in text


def test_no_key_can_be_used() -> None:
    assert "allowSharedKeyAccess: false" in template("storage")
    assert "allowedAuthenticationModes: ['AAD']" in template("batch")
    assert "disableLocalAuth: true" in template("events")
    assert "DisableLocalAuth: true" in template("monitoring")


@pytest.mark.parametrize("file", ["roles", "registry_role", "key_vault_role"])
def test_each_role_says_why(file: str) -> None:
    """A comment stands above every assignment, or above the only one of a file."""
    text = template(file)
    assignments = re.findall(r"(.*)\nresource \w+ 'Microsoft.Authorization/roleAssignments", text)
    assert assignments
    assert all(above.startswith("//") for above in assignments) or (len(assignments) == 1 and text.startswith("//"))


def test_roles_are_assigned_nowhere_else() -> None:
    found = {file.stem for file in INFRA.glob("*.bicep") if "roleAssignments" in file.read_text()}
    assert found == {"roles", "registry_role", "key_vault_role"}


def test_nodes_reach_the_staging_container_alone() -> None:
    """Every task can obtain a token of this identity."""
    assignments = template("roles").split("\nresource ")
    scopes = [re.findall(r"scope: (\S+)", each) for each in assignments if "principalId: nodePrincipalId" in each]
    assert scopes == [["account::blobs::staging"]]


def test_parameters_of_azd_exist() -> None:
    passed = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    declared = set(re.findall(r"^param (\w+)", template("main"), re.MULTILINE))
    assert set(passed) <= declared


@pytest.mark.parametrize("hook", ["postdeploy.sh", "postdeploy.ps1"])
def test_the_hook_passes_every_parameter_from_what_azd_knows(hook: str) -> None:
    text = (INFRA / "hooks" / hook).read_text()
    declared = set(re.findall(r"^param (\w+)", template("subscriptions"), re.MULTILINE))
    assert set(re.findall(r"(\w+)=\"?\$(?:env:)?[A-Z]", text)) == declared
    outputs = set(re.findall(r"^output (\w+)", template("main"), re.MULTILINE))
    assert set(re.findall(r"\$(?:env:)?([A-Z]\w+)", text)) - {"ErrorActionPreference", "LASTEXITCODE"} <= {
        *outputs,
        "AZURE_SUBSCRIPTION_ID",
        "Command",
        "Query",
    }


def test_azd_finds_the_hooks() -> None:
    """Both, after the code is there."""
    hooks = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"]
    assert set(hooks) == {"postdeploy"}
    assert all((ROOT / each["run"]).exists() for each in hooks["postdeploy"].values())
    assert set(hooks["postdeploy"]) == {"posix", "windows"}
