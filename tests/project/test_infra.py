"""The templates in `infra/` agree with the app, with each other, and with Azure's types as far as a file can tell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from batchrun.client import _faults
from local import event_subscriptions as local_subscriptions
from shared import settings
from shared.documents.manifest_blob import MAX_BYTES
from shared.documents.names import MANIFEST_SUFFIXES
from shared.events import JOB_ENDED
from shared.settings import Containers, Settings, TriggerSettings
from tests.support.pure import ENVIRON

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
BATCHRUN = (ROOT / "docs" / "batchrun.md").read_text()
CHECKER = ROOT.parent / "shared" / "bicep" / "check.py"
IDENTITY = {"RunStorage__blobServiceUri": "https://s.x", "RunStorage__queueServiceUri": "https://s.x"}
KEYS = {"RunStorage", "BATCH_ACCOUNT_KEY", "EVENTGRID_TOPIC_KEY"}
OF_A_REGISTRY = {"NODE_IDENTITY_RESOURCE_ID"}


def template(name: str) -> str:
    return (INFRA / f"{name}.bicep").read_text()


def subscription(name: str) -> str:
    """The resource of one event subscription."""
    (found,) = [each for each in template("subscriptions").split("\nresource ") if f"  name: '{name}'\n" in each]
    return found.partition("\n}")[0]


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
    assert names_in(template("function_app"), "var appSettings = {") == names_read() - KEYS - OF_A_REGISTRY


def test_spot_nodes_are_had_in_place_of_dedicated_ones_and_only_by_choice() -> None:
    """The formula names both targets: the one that it left out would stay as it was, with its nodes."""
    text = template("batch")
    assert "param spotNodes bool = false" in template("main")
    assert "var kinds = spotNodes ? ['LowPriority', 'Dedicated'] : ['Dedicated', 'LowPriority']" in text
    assert "format(formula, maximumNodes, taskSlotsPerNode, kinds[0], kinds[1])" in text
    formula = text.partition("var formula = )[2].partition(")[0]
    assert re.findall(r"\$Target(.*)Nodes = (.*);", formula) == [
        ("{2}", "min(maximumNodes, ceil(pending / slots))"),
        ("{3}", "0"),
    ]


def test_nodes_have_an_identity_only_for_a_registry_or_by_choice() -> None:
    """Every task can obtain its token, and it is in the settings only then."""
    assert "var usesRegistry = !empty(registryId)" in template("main")
    assert "param stagingAccess string = 'sas'" in template("main")
    assert "hasNodeIdentity: usesRegistry || stagesByIdentity" in template("main")
    assert "stagingPrincipalId: stagesByIdentity ? identities.outputs.nodePrincipalId : ''" in template("main")
    identities = template("identities")
    assert (
        "resource nodes 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (hasNodeIdentity) {"
        in identities
    )
    assert "output nodeIdentityId string = hasNodeIdentity ? nodes.id : ''" in identities
    assert re.search(r"identity: empty\(nodeIdentityId\)\s+\? \{ type: 'None' \}", template("batch"))
    app = template("function_app")
    assert "var nodeSettings = empty(nodeIdentityId) ? {} : { NODE_IDENTITY_RESOURCE_ID: nodeIdentityId }" in app
    assert "nodeSettings," in app.partition("resource settings 'config'")[2]


def test_secrets_are_references_under_the_name_that_the_app_reads() -> None:
    assert f"'{settings.SECRET_PREFIX}${{secret.key}}'" in template("function_app")


def test_the_host_reads_storage_by_identity_too() -> None:
    host = names_in(template("function_app"), "var hostSettings = {")
    services = {f"AzureWebJobsStorage__{each}ServiceUri" for each in ("blob", "queue", "table")}
    assert services | {"AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId"} <= host
    assert not {name for name in host if "Key" in name or name in KEYS}


def test_the_containers_are_made() -> None:
    made = re.search(r"^var containers = \[(.*)\]", template("storage"), re.MULTILINE)
    assert made is not None
    assert set(re.findall(r"'([\w-]+)'", made[1])) == {
        getattr(Containers, name) for name in Containers.__dataclass_fields__
    }


def test_settings_name_the_containers_that_are_made() -> None:
    text = template("function_app").partition("var appSettings = {")[2].partition("\n}")[0]
    named = {name.lower(): value for name, value in re.findall(r"(\w+)_CONTAINER: '([\w-]+)'", text)}
    assert named == asdict(Containers())


def test_what_storage_removes_by_age_is_of_staging_and_uploads_alone() -> None:
    """A prefix without a slash would be that of other containers too. Nobody's flows or results go by age."""
    text = template("storage")
    days = dict(re.findall(r"^param (\w+Days) int = (\d+)", text, re.MULTILINE))
    removed = re.findall(r"prefixMatch: \[(.*)\].*\n.*\{ daysAfterModificationGreaterThan: (\w+) \}", text)
    assert [(prefix, days[age]) for prefix, age in removed] == [("'staging/'", "14"), ("'uploads/'", "30")]
    assert text.count("type: 'Lifecycle'") == len(removed)


def test_a_person_writes_what_people_write() -> None:
    """Not runs, staging or results: those are the app's."""
    of_user = re.findall(r"guid\(account::blobs::(\w+)\.id, userPrincipalId, role\.(\w+)\)", template("roles"))
    written = {container for container, role in of_user if role != "storageBlobDataReader"}
    assert written == {"inbox", "namespaces", "flows", "uploads"}


def test_what_storage_removes_is_gone() -> None:
    """Soft delete of blobs, and versions, are of the whole account: they would keep scripts with secrets for days."""
    blobs = template("storage").partition("resource blobs 'blobServices'")[2].partition("resource container ")[0]
    assert re.findall(r"^      (\w+): (.+)$", blobs, re.MULTILINE) == [
        ("deleteRetentionPolicy", "{ enabled: false }"),
        ("isVersioningEnabled", "false"),
        ("containerDeleteRetentionPolicy", "{ enabled: true, days: 7 }"),
    ]


def test_empty_properties_of_the_pool_are_left_out() -> None:
    """The service gives them back as absent, and refuses the difference while there are nodes."""
    text = re.sub(r"//.*", "", template("batch"))
    pool = text.partition("resource pool 'pools'")[2].partition("\n}")[0]
    assert "[]" not in pool
    assert "null" not in pool
    assert "empty(prefetchedImages) ? {} : { containerImageNames: prefetchedImages }" in text
    assert re.search(r"empty\(registryServer\)\s+\? \{\}", text)
    assert "union(isPrivate ? { networkConfiguration: { subnetId: nodeSubnetId } } : {}, {" in text


def test_the_host_is_told_of_manifests_and_requests_only() -> None:
    """It loads what it is told of into memory: nothing large, nothing else. What is kept back is the tick's."""
    text = template("subscriptions")
    (endings,) = re.findall(r"^var endings = \[(.*)\]", text, re.MULTILINE)
    assert re.findall(r"'([^']+)'", endings) == [*MANIFEST_SUFFIXES, ".cancel", ".retry"]
    (largest,) = re.findall(r"^var largestBytes = (\d+)", text, re.MULTILINE)
    assert int(largest) == MAX_BYTES + 64 * 1024
    filters = re.findall(r"\{ operatorType: '(\w+)', key: '([\w.]+)', values?: (\w+) \}", subscription("submit-run"))
    assert filters == [
        ("StringEndsWith", "Subject", "endings"),
        ("NumberLessThanOrEquals", "data.contentLength", "largestBytes"),
    ]
    assert "isSubjectCaseSensitive" not in text


def test_the_local_stack_delivers_as_the_deployed_subscriptions_do() -> None:
    """The same attempts, life, event types, endings and bytes: what waits or is kept back there waits here too."""
    text, inbox = template("subscriptions"), subscription("submit-run")
    (policy,) = re.findall(r"maxDeliveryAttempts: (\d+), eventTimeToLiveInMinutes: (\d+)", text)
    assert text.count("retryPolicy: retryPolicy") == text.count("/eventSubscriptions@") == 3
    local_policy = local_subscriptions.RECORD_RUN.retry_policy
    assert tuple(map(int, policy)) == (
        local_policy.max_delivery_attempts,
        local_policy.event_time_to_live.total_seconds() / 60,
    )
    assert local_subscriptions.RECORD_RUN.filter == local_subscriptions.EventFilter((JOB_ENDED,))
    assert f"name: '{local_subscriptions.RECORD_RUN.name}'" in text
    assert f"includedEventTypes: ['{local_subscriptions.BLOB_CREATED}']" in inbox
    (endings,) = re.findall(r"^var endings = \[(.*)\]", text, re.MULTILINE)
    assert re.findall(r"'([^']+)'", endings) == list(local_subscriptions.INBOX_ENDINGS)
    assert f"var largestBytes = {local_subscriptions.INBOX_LARGEST_BYTES} " in text
    begins = local_subscriptions.inbox_filter(Containers.inbox).subject_begins_with
    assert f"subjectBeginsWith: '{begins}'" in inbox
    (advanced,) = re.findall(r"advancedFilters: \[(.*?)\n      \]", inbox, re.DOTALL)
    of_the_host = local_subscriptions.inbox_filter(Containers.inbox).advanced_filters
    assert re.findall(r"operatorType: '(\w+)', key: '([\w.]+)'", advanced) == [
        (type(each).__name__, each.key) for each in of_the_host
    ]


def test_markers_are_delivered_here_as_there() -> None:
    """From storage's topic, by the ends of their names alone, as CloudEvents, to the function that JobEnded goes to."""
    deployed, here = subscription(local_subscriptions.TASK_ENDED.name), local_subscriptions.TASK_ENDED
    (markers,) = re.findall(r"^var markers = \[(.*)\]", template("subscriptions"), re.MULTILINE)
    values = tuple(re.findall(r"'([^']+)'", markers))
    types = re.findall(r"includedEventTypes: \['(.*)'\]", deployed)
    advanced = (local_subscriptions.StringEndsWith("Subject", values),)
    assert here.filter == local_subscriptions.EventFilter(tuple(types), advanced_filters=advanced)
    assert re.findall(r"operatorType: '(\w+)', key: '(\w+)', values: (\w+)", deployed) == [
        ("StringEndsWith", "Subject", "markers")
    ]
    assert "subjectBeginsWith" not in deployed
    assert "isSubjectCaseSensitive" not in deployed
    assert "parent: inboxTopic\n" in deployed
    assert "dependsOn: [inboxDeadLetters]" in deployed
    assert values == ("/task.ended", "/job.ended")
    for each in (deployed, subscription(local_subscriptions.RECORD_RUN.name)):
        assert "eventDeliverySchema: 'CloudEventSchemaV1_0'" in each
        assert "destination: recordRun\n" in each
        assert "deadLetterWithResourceIdentity: deadLetters" in each


def test_no_template_makes_the_system_topic_of_the_account() -> None:
    """An account can have one only, and Defender for Storage may have made it: the hook finds it, or makes it."""
    made = re.compile(r"'Microsoft\.EventGrid/systemTopics@[\d-]+' = ")
    assert [file.name for file in INFRA.glob("*.bicep") if made.search(file.read_text())] == []
    assert re.search(r"'Microsoft\.EventGrid/systemTopics@[\d-]+' existing = ", template("subscriptions"))


def test_subscriptions_name_our_functions_event_and_container() -> None:
    text, functions = template("subscriptions"), (ROOT / "function_app.py").read_text()
    for function in ("/functions/record_run'", "functionName=Host.Functions.submit_run&"):
        assert function in text
        assert f"def {re.findall(r'[a-z]+_run', function)[0]}(" in functions
    assert f"includedEventTypes: ['{JOB_ENDED}']" in text
    assert f"/blobServices/default/containers/{Containers.inbox}/'" in text


def test_no_key_can_be_used() -> None:
    assert "allowSharedKeyAccess: false" in template("storage")
    assert "allowedAuthenticationModes: ['AAD']" in template("batch")
    assert "disableLocalAuth: true" in template("events")
    assert "DisableLocalAuth: true" in template("monitoring")


WITH_ROLES = ["roles", "registry_role", "key_vault_role", "subscriptions"]


@pytest.mark.parametrize("file", WITH_ROLES)
def test_each_role_says_why(file: str) -> None:
    """A comment stands above every assignment, or above the only one of a file."""
    text = template(file)
    assignments = re.findall(r"(.*)\nresource \w+ 'Microsoft.Authorization/roleAssignments", text)
    assert assignments
    assert all(above.startswith("//") for above in assignments) or (len(assignments) == 1 and text.startswith("//"))


def test_each_role_is_on_what_its_name_says() -> None:
    """Place, holder and role are said twice; and the place exists, which the offline checker does not see."""
    text = template("roles")
    assignments = re.findall(
        r"  name: guid\(([\w:]+)\.id, (\w+), role\.(\w+)\)\n  scope: ([\w:]+)\n  properties: \{\n"
        r".*roleDefinitions', role\.(\w+)\)\n    principalId: (\w+)\n",
        text,
    )
    assert len(assignments) == text.count("roleAssignments@")
    for place, holder, role, scope, given, principal in assignments:
        assert (place, holder, role) == (scope, principal, given)
    assert len(set(assignments)) == len(assignments)
    declared = set(re.findall(r"^ *resource (\w+) '[^']+' existing = ", text, re.MULTILINE))
    assert {part for each in assignments for part in each[0].split("::")} <= declared


def test_roles_are_assigned_nowhere_else() -> None:
    found = {file.stem for file in INFRA.glob("*.bicep") if "roleAssignments" in file.read_text()}
    assert found == set(WITH_ROLES)


def test_nodes_may_pull_images_and_nothing_else() -> None:
    """Every task can obtain a token of their identity: it has AcrPull on the registry, and no role in storage."""
    holders = {file: text for file in WITH_ROLES if "nodePrincipalId" in (text := template(file))}
    assert set(holders) == {"registry_role"}
    assert re.findall(r"'Microsoft.Authorization/roleDefinitions', (\w+)\)", holders["registry_role"]) == ["acrPull"]
    assert "module registryRole 'registry_role.bicep' = if (usesRegistry) {" in template("main")


def test_a_person_who_deploys_has_the_roles_that_batchrun_needs() -> None:
    """And no others: those of the table in docs/batchrun.md, which `batchrun` names where one is missing."""
    documented = re.findall(r"^\| (.+?) \| the (?:container `(\w+)`|Batch account) \|", BATCHRUN, re.MULTILINE)
    names = {
        "storageBlobDataContributor": _faults.CONTRIBUTOR,
        "storageBlobDataReader": _faults.READER,
        "batchAccountReader": _faults.BATCH_READER,
    }
    of_user = re.findall(r"guid\((?:account::blobs::)?(\w+)\.id, userPrincipalId, role\.(\w+)\)", template("roles"))
    assert {(names[role], place.replace("batch", "")) for place, role in of_user} == set(documented)
    assert len(of_user) == len(documented)


def test_the_app_may_make_the_sas_of_nodes() -> None:
    """`generateUserDelegationKey` is an action on the account: a role on a container does not give it."""
    (assignment,) = [each for each in template("roles").split("\nresource ") if each.startswith("appBlobs")]
    assert "scope: account\n" in assignment
    assert "role.storageBlobDataOwner" in assignment


def test_parameters_of_azd_exist() -> None:
    passed = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    declared = set(re.findall(r"^param (\w+)", template("main"), re.MULTILINE))
    assert set(passed) <= declared


@pytest.mark.parametrize("hook", ["postdeploy.sh", "postdeploy.ps1"])
def test_the_hook_passes_every_parameter_from_what_azd_knows(hook: str) -> None:
    text = (INFRA / "hooks" / hook).read_text()
    declared = set(re.findall(r"^param (\w+)", template("subscriptions"), re.MULTILINE))
    assert set(re.findall(r"(\w+)=\"?\$[\w:(]", text.partition("--parameters")[2].partition("tries")[0])) == declared
    outputs = set(re.findall(r"^output (\w+)", template("main"), re.MULTILINE))
    assert set(re.findall(r"\$(?:env:)?([A-Z]\w+)", text)) - {"ErrorActionPreference", "LASTEXITCODE"} <= {
        *outputs,
        "AZURE_SUBSCRIPTION_ID",
        "Command",
        "Query",
    }


def test_azd_finds_the_hooks() -> None:
    """One before anything is deployed, one after the code is there; each on every system."""
    hooks = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"]
    assert set(hooks) == {"preprovision", "postdeploy"}
    for name, hook in hooks.items():
        runs = {system: each["run"] for system, each in hook.items()}
        assert runs == {"posix": f"infra/hooks/{name}.sh", "windows": f"infra/hooks/{name}.ps1"}
        assert all((ROOT / run).exists() for run in runs.values())


def test_azd_is_new_enough_to_read_what_is_not_published() -> None:
    """Older ones upload the whole repository, or misread .funcignore."""
    assert yaml.safe_load((ROOT / "azure.yaml").read_text())["requiredVersions"] == {"azd": ">= 1.23.13"}


def test_alerts_see_every_line_that_the_app_logs() -> None:
    """A sampled trace is one that an alert of docs/operate.md may miss."""
    sampling = json.loads((ROOT / "host.json").read_text())["logging"]["applicationInsights"]["samplingSettings"]
    assert {"Request", "Exception", "Trace"} <= set(sampling["excludedTypes"].split(";"))


def test_publishing_needs_a_token() -> None:
    app = template("function_app")
    assert re.search(r"'basicPublishingCredentialsPolicies' = \[\s+for name in \['ftp', 'scm'\]", app)
    assert "properties: { allow: false }" in app
