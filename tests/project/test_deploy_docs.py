"""`docs/deploy.md`: its commands are complete, in an order that works, and make the same as the templates.

That every `az` command and flag exists is checked by `make az-flags` (`tests/support/az_flags.py`) with an installed
Azure CLI.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.documents.run import Run
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of
from shared.settings import Containers, Settings
from tests.project.test_infra import names_in

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
SHELL = "\n".join(BLOCKS)
OF_THE_SHELL = {"RANDOM"}
BASH = ["bash", "-n"]


def batch_bicep() -> str:
    return (ROOT / "infra" / "batch.bicep").read_text()


def variables_in_order() -> list[tuple[str, bool]]:
    """Every use and assignment of a shell variable, in order; True where it is assigned."""
    token = re.compile(
        r"(?<![\w$\\])(?P<new>[A-Z][A-Z_]*)=|\bfor (?P<each>[A-Z_]+) in|(?<!\\)\$\{?(?P<used>[A-Z][A-Z_]*)"
    )
    found = []
    for line in SHELL.splitlines():
        on_line = [
            (match["new"] or match["each"] or match["used"], match["used"] is None) for match in token.finditer(line)
        ]
        assigned = [each for each in on_line if each[1] and not is_app_setting(each[0], line)]
        used = [each for each in on_line if not each[1]]
        found += used + assigned
    return found


def is_app_setting(name: str, line: str) -> bool:
    """`"NAME=value"` in quotes is an argument of `az`, not an assignment."""
    return f'"{name}=' in line


def test_every_variable_is_assigned_before_it_is_used() -> None:
    known = set(OF_THE_SHELL)
    for name, is_assignment in variables_in_order():
        if is_assignment:
            known.add(name)
        assert name in known, f"${name} is used before it is assigned"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n", 1)[0][:40] for block in BLOCKS])
def test_blocks_parse(block: str) -> None:
    done = subprocess.run(BASH, input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


STUB = """\
#!/bin/sh
case "$*" in
"functionapp function list"*) echo 3 ;;
"functionapp keys list"*) echo true ;;
*system-topic*list*) ;;
*--query*) echo "/value" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The repository, as far as the commands use it, with programs that do nothing."""
    for name in ("infra", "samples", "shared", "function_app.py", "host.json", "requirements.txt", ".funcignore"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    for name in ("az", "batchrun", "func", "pipx"):
        (tmp_path / "bin" / name).write_text(STUB)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def removal_by_age(rule: dict[str, Any]) -> tuple[str, list[str], list[str], int]:
    """The name of a lifecycle rule, of which blobs it is, and after how many days it removes them."""
    filters, actions = rule["definition"]["filters"], rule["definition"]["actions"]
    assert (rule["type"], rule["enabled"], list(filters), list(actions)) == (
        "Lifecycle",
        True,
        ["blobTypes", "prefixMatch"],
        ["baseBlob"],
    )
    days = actions["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
    return rule["name"], filters["blobTypes"], filters["prefixMatch"], days


def removals_of_template() -> list[tuple[str, list[str], list[str], int]]:
    text = (ROOT / "infra" / "storage.bicep").read_text()
    days = dict(re.findall(r"^param (\w+Days) int = (\d+)", text, re.MULTILINE))
    rules = re.findall(
        r"name: '([\w-]+)'\s+type: 'Lifecycle'\s+enabled: true\s+definition: \{\s+"
        r"filters: \{ blobTypes: (\[.*?\]), prefixMatch: (\[.*?\]) \}\s+"
        r"actions: \{ baseBlob: \{ delete: \{ daysAfterModificationGreaterThan: (\w+) \} \} \}\s",
        text,
    )
    return [(name, yaml.safe_load(types), yaml.safe_load(of), int(days[age])) for name, types, of, age in rules]


def test_all_steps_by_hand_run_in_one_shell(folder: Path) -> None:
    """To the end, with no variable unset; and the JSON that they write is that of the template."""
    steps = "\n".join(
        ["set -euo pipefail", *re.findall(r"```sh\n(.*?)```", DOCUMENT.partition("## By hand")[2], re.DOTALL)]
    )
    environ = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash"], input=steps, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rules = json.loads((folder / "lifecycle.json").read_text())["rules"]
    assert [removal_by_age(rule) for rule in rules] == removals_of_template()
    pool = json.loads((folder / "pool.json").read_text())
    formula = pool["properties"]["scaleSettings"]["autoScale"]["formula"]
    template = re.search(r"var formula = '''\n(.*?)'''", batch_bicep(), re.DOTALL)
    assert template is not None
    expected = (
        template[1]
        .replace("maximumNodes = {0};\nslots = {1};\n", "")
        .replace("maximumNodes", "4")
        .replace("slots", "2")
        .format(None, None, "Dedicated", "LowPriority")
    )
    assert formula == expected.strip().replace("\n", " ")
    assert "containerImageNames" not in json.dumps(pool), "empty properties are left out, as in the template"
    assert pool["identity"] == {"type": "None"}
    with_registry = json.loads((folder / "pool-with-registry.json").read_text())
    assert with_registry["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"/value": {}}}
    machine = with_registry["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert machine["containerConfiguration"]["containerRegistries"] == [
        {"registryServer": "/value", "identityReference": {"resourceId": "/value"}}
    ]
    assert "poolId: pool" in (folder / "environment-info.yaml").read_text()
    assert not (folder / "keys.json").exists()


def test_steps_are_in_an_order_that_works() -> None:
    """Code before subscriptions, roles before the app that needs them at its first start."""
    steps = ["az group create", "az storage account create", "az identity create", "az batch account create"]
    steps += ["/pools/pool?", "az eventgrid topic create", 'grant "$APP_PRINCIPAL"', "az functionapp create"]
    steps += ["basicPublishingCredentialsPolicies", "func azure functionapp publish", "infra/hooks/postdeploy.sh"]
    steps += ["batchrun run environment-info.yaml", "AcrPull"]
    places = [SHELL.index(step) for step in steps]
    assert places == sorted(places)


def app_settings(*blocks: str) -> dict[str, str]:
    return dict(re.findall(r'"([A-Za-z_]+)=([^"]*)"', "\n".join(blocks)))


@pytest.fixture
def by_hand() -> Settings:
    """The settings of step 8, with what Azure puts in."""
    (block,) = [block for block in BLOCKS if "RunStorage__blobServiceUri" in block]
    values = {"$BLOBS": "https://st1.blob.core.windows.net/", "$QUEUES": "https://st1.queue.core.windows.net/"}
    values |= {"$BATCH_ENDPOINT": "https://ba1.westeurope.batch.azure.com", "$TOPIC_ENDPOINT": "https://t/api/events"}
    values |= {"$BATCH_ID": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/ba1"}
    values |= {"$BATCH": "ba1", "AccountName=$STORAGE": "AccountName=st1"}
    return Settings.from_environ({name: values.get(value, value) for name, value in app_settings(block).items()})


def test_settings_by_hand_are_enough(by_hand: Settings) -> None:
    assert by_hand.identity.is_managed
    assert (by_hand.storage.account_name, by_hand.batch.account_name) == ("st1", "ba1")
    assert (by_hand.node_identity, by_hand.batch.pool_id) == (None, "pool")


def test_settings_by_hand_are_those_of_the_template() -> None:
    """But for those whose defaults the template says again."""
    (block,) = [block for block in BLOCKS if "RunStorage__blobServiceUri" in block]
    text = (ROOT / "infra" / "function_app.bicep").read_text()
    names = {name for each in ("host", "app", "kestra") for name in names_in(text, f"var {each}Settings = {{")}
    defaults = {f"{name}_CONTAINER" for name in map(str.upper, Containers.__dataclass_fields__)}
    defaults |= {"INBOX_SOURCE", "POLL_SCHEDULE", "BATCH_ACCOUNT_NAME", "STAGING_ACCESS"}
    of_insights = {"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"}
    assert set(app_settings(block)) == names - defaults - of_insights


def test_what_storage_removes_is_gone_by_hand_too() -> None:
    """Soft delete is of the whole account, and would keep scripts with secrets for days."""
    (command,) = re.findall(r"az storage account blob-service-properties update (.*?)--output", SHELL, re.DOTALL)
    assert "--enable-delete-retention false --enable-versioning false" in command
    assert "--enable-container-delete-retention true" in command
    assert "--container-delete-retention-days 7" in command


def test_publishing_by_hand_needs_a_token_too() -> None:
    (loop,) = [each for each in re.findall(r"^for .*?^done$", SHELL, re.DOTALL | re.MULTILINE) if "sites/" in each]
    assert loop.startswith("for SITE in ftp scm; do")
    assert "--resource-type basicPublishingCredentialsPolicies --set properties.allow=false" in loop


def test_diagnostic_settings_by_hand_are_those_of_the_templates() -> None:
    """The queries of docs/operate.md find no table otherwise. Storage's own topic gets its own by the hook."""
    made = re.findall(r"az monitor diagnostic-settings create (.*?)--output", SHELL, re.DOTALL)
    assert [re.findall(r'--resource "\$(\w+)"', each) for each in made] == [["BATCH_ID"], ["TOPIC_ID"]]
    assert ["--export-to-resource-specific true" in each for each in made] == [False, True]
    templates = {name: (ROOT / "infra" / f"{name}.bicep").read_text() for name in ("batch", "events", "subscriptions")}
    dedicated = {name: "logAnalyticsDestinationType: 'Dedicated'" in text for name, text in templates.items()}
    assert dedicated == {"batch": False, "events": True, "subscriptions": True}
    assert all("categoryGroup: 'allLogs'" in text for text in templates.values())


def test_key_vault_references_are_read_with_the_apps_identity() -> None:
    assert '"{\\"properties\\": {\\"keyVaultReferenceIdentity\\": \\"$APP_IDENTITY\\"}}"' in SHELL
    assert "keyVaultReferenceIdentity: identityId" in (ROOT / "infra" / "function_app.bicep").read_text()


@pytest.mark.parametrize("resource", ["BATCH_ID", "TOPIC_ID", "APP_ID"])
def test_resources_are_patched_not_put(resource: str) -> None:
    """`az resource update` reads all, and writes all of it back, with what can only be read."""
    assert re.search(rf'az rest --method patch --url "\${resource}\?api-version=', SHELL)
    assert not re.search(rf'az resource update --ids "\${resource}"', SHELL)


def test_what_is_not_verified_is_said_to_be() -> None:
    """Until somebody has seen it. The first page says so too."""
    assert "No deployment has been verified yet" in (ROOT / "README.md").read_text()
    assert "Nobody has deployed this yet" in DOCUMENT
    private = DOCUMENT.partition("### A private network")[2].partition("\n## ")[0]
    assert private.strip().startswith("**Not verified.**")
    assert "CannotVerifyCopySource" in private


def test_what_azd_needs_is_named() -> None:
    (azd,) = yaml.safe_load((ROOT / "azure.yaml").read_text())["requiredVersions"].values()
    assert f"{azd.removeprefix('>= ')} or newer" in DOCUMENT
    assert "Python 3.9 or newer" in DOCUMENT


def test_settings_that_need_an_empty_pool_are_those_that_the_hook_looks_at() -> None:
    text = DOCUMENT.partition("- **Only while the pool has no nodes**:")[2].partition("\n- ")[0]
    hook = (ROOT / "infra" / "hooks" / "preprovision.py").read_text()
    looked_at = set(re.findall(r'Change\(\s*"(\w+)"', hook)) - {"nodeImage", "nodeAgent"}
    assert set(re.findall(r"`(\w+)`", text.partition(", and\n")[0])) == looked_at
    assert "the image of the nodes" in text


def test_the_sample_for_kestra_runs_with_them(by_hand: Settings, run_of: Callable[[str], Run]) -> None:
    """It names accounts and an access key by `secret()`; the key is not there, and is not asked for."""
    text = (ROOT / "samples" / "environment-info.yaml").read_text()
    run = run_of(text.replace("poolId: local", "poolId: pool").replace("enabled: true", "enabled: false"))
    plan = plan_round(manifest_of(run), run, by_hand)
    assert isinstance(plan, RoundPlan)
    assert (plan.pool_id, [task.name for task in plan.tasks]) == ("pool", ["environment"])


def test_keys_go_by_files() -> None:
    """And their names are those that the app reads."""
    (block,) = [block for block in BLOCKS if "keys.json" in block]
    assert set(re.findall(r"name: '(\w+)'", block)) == {
        "RunStorage",
        "BATCH_ACCOUNT_NAME",
        "BATCH_ACCOUNT_KEY",
        "EVENTGRID_TOPIC_KEY",
    }
    assert block.startswith("umask 077")
    assert not re.search(r"^\w+=\$\(az .*key", SHELL, re.MULTILINE)


def camel(role: str) -> str:
    words = role.removeprefix("Azure ").replace("EventGrid", "event Grid").split()
    return words[0].lower() + "".join(words[1:])


def test_roles_are_those_of_the_templates() -> None:
    """As often as there: nobody gets more, or less, by hand."""
    text = (ROOT / "infra" / "roles.bicep").read_text()
    templates = Counter(re.findall(r"roleDefinitions', role\.(\w+)\)", text))
    by_hand = Counter(camel(role) for role in re.findall(r'^grant "\$\w+" \w+ "([^"]+)"', SHELL, re.MULTILINE))
    assert by_hand == templates


def test_the_pool_is_that_of_the_template() -> None:
    text = batch_bicep()
    for name in ("publisher", "offer", "sku", "version"):
        (value,) = re.findall(rf"^  {name}: '([^']+)'", text, re.MULTILINE)
        assert f'"{name}": "{value}"' in SHELL
    (agent,) = re.findall(r"param nodeAgent string = '([^']+)'", text)
    assert f'"nodeAgentSkuId": "{agent}"' in SHELL


def test_containers_are_those_of_the_template() -> None:
    text = (ROOT / "infra" / "storage.bicep").read_text()
    made = re.findall(r"'([\w-]+)'", "".join(re.findall(r"^var \w*ontainers = \[(.*)\]", text, re.MULTILINE)))
    (by_hand,) = re.findall(r"for CONTAINER in (.*);", SHELL)
    assert by_hand.split() == made
