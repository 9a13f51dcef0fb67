"""App settings."""

from dataclasses import replace

import pytest

from shared.errors import SettingsError
from shared.prices import NodeKind
from shared.settings import Containers, Settings, TriggerSettings


@pytest.mark.parametrize(
    "name", ["RunStorage", "BATCH_ACCOUNT_ENDPOINT", "BATCH_ACCOUNT_NAME", "EVENTGRID_TOPIC_ENDPOINT"]
)
def test_a_missing_setting_is_named(environ, name: str) -> None:
    del environ[name]
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        Settings.from_environ(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_ACCOUNT_ENDPOINT", "batch1"),
        ("RunStorage", "nonsense"),
        ("BATCH_ACCOUNT_RESOURCE_ID", "x"),
    ],
)
def test_a_malformed_setting_is_an_error(environ, name: str, value: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environ({**environ, name: value})


def test_the_accounts_page_in_the_portal_is_known_by_its_resource_id(environ) -> None:
    assert Settings.from_environ(environ).batch.portal_url is None
    resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/batch1"
    settings = Settings.from_environ({**environ, "BATCH_ACCOUNT_RESOURCE_ID": resource})
    assert settings.batch.portal_url == f"https://portal.azure.com/#@/resource{resource}"


BY_IDENTITY = {
    "RunStorage__blobServiceUri": "https://store1.blob.core.windows.net/",
    "RunStorage__queueServiceUri": "https://store1.queue.core.windows.net/",
    "RunStorage__credential": "managedidentity",
    "RunStorage__clientId": "c",
}


@pytest.fixture
def by_identity(environ) -> dict[str, str]:
    del environ["RunStorage"]
    return {**environ, **BY_IDENTITY}


def test_storage_by_identity(by_identity) -> None:
    settings = Settings.from_environ(by_identity)
    storage, identity = settings.storage, settings.identity
    assert (storage.account_name, storage.blob_endpoint) == ("store1", "https://store1.blob.core.windows.net")
    assert (identity.is_managed, identity.client_id) == (True, "c")


def test_an_emulators_account_is_in_its_path(by_identity) -> None:
    by_identity["RunStorage__blobServiceUri"] = "https://127.0.0.1:10000/devstoreaccount1"
    assert Settings.from_environ(by_identity).storage.account_name == "devstoreaccount1"


def test_an_identity_needs_the_queue_service_too(by_identity) -> None:
    """Without it the host cannot start the blob trigger."""
    del by_identity["RunStorage__queueServiceUri"]
    with pytest.raises(SettingsError, match="RunStorage__queueServiceUri is missing"):
        Settings.from_environ(by_identity)


def test_a_credential_of_another_kind_is_refused(by_identity) -> None:
    with pytest.raises(SettingsError, match="RunStorage__credential must be managedidentity"):
        Settings.from_environ({**by_identity, "RunStorage__credential": "password"})


def test_nodes_reach_staging_by_sas_unless_the_other_way_is_chosen(environ) -> None:
    """An identity for a registry alone must not be used for storage: it has no role there."""
    environ["NODE_IDENTITY_RESOURCE_ID"] = "/subscriptions/s/nodes"
    assert Settings.from_environ(environ).staging_identity is None
    assert Settings.from_environ({**environ, "STAGING_ACCESS": "sas"}).staging_identity is None
    assert Settings.from_environ({**environ, "STAGING_ACCESS": "identity"}).staging_identity == "/subscriptions/s/nodes"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"STAGING_ACCESS": "identity"}, "NODE_IDENTITY_RESOURCE_ID is missing"),
        ({"STAGING_ACCESS": "key"}, "STAGING_ACCESS must be sas or identity"),
    ],
)
def test_staging_access_is_checked(environ, settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environ({**environ, **settings})


def test_secrets_are_the_settings_with_their_prefix_and_never_shown(settings) -> None:
    assert dict(settings.secrets) == {"TOKEN": "s3cr3t-t0ken"}
    assert "s3cr3t" not in repr(settings)
    assert "AccountKey" not in repr(settings)


OWN = tuple(Containers.__dataclass_fields__)


@pytest.mark.parametrize(
    ("container", "allowed"), [("data-1", True), ("data-", True), ("data", False), ("other", False)]
)
def test_containers_a_manifest_may_name_are_those_of_the_globs(environ, container: str, allowed: bool) -> None:
    settings = Settings.from_environ({**environ, "ALLOWED_CONTAINERS": "data-*, mine"})
    assert settings.container_is_allowed(container) is allowed
    assert settings.container_is_readable(container) is allowed


@pytest.mark.parametrize("globs", ["", "*", "?*", "[a-z]*", " ".join(OWN), "my-*", "other"])
@pytest.mark.parametrize("prefix", ["", "my-"])
def test_the_apps_own_containers_are_out_of_reach_whatever_is_allowed(environ, prefix: str, globs: str) -> None:
    """Files pass through staging, and uploads are there to be read; nothing else, whatever their names are."""
    names = {f"{name.upper()}_CONTAINER": f"{prefix}{name}" for name in OWN}
    settings = Settings.from_environ({**environ, **names, "ALLOWED_CONTAINERS": globs})
    assert [name for name in OWN if settings.container_is_allowed(f"{prefix}{name}")] == ["staging"]
    assert [name for name in OWN if settings.container_is_readable(f"{prefix}{name}")] == ["uploads"]


def test_a_container_that_has_a_default_name_but_is_not_the_apps_is_like_any_other(environ) -> None:
    settings = Settings.from_environ({**environ, "UPLOADS_CONTAINER": "mine", "FLOWS_CONTAINER": "ours"})
    assert not settings.container_is_readable("uploads")
    allowing = replace(settings, allowed_containers=("uploads", "flows"))
    assert allowing.container_is_readable("uploads")
    assert allowing.container_is_allowed("flows")


@pytest.mark.parametrize("name", OWN)
def test_each_container_has_a_setting_and_a_default(environ, name: str) -> None:
    assert getattr(Settings.from_environ(environ).containers, name) == name
    assert getattr(Settings.from_environ({**environ, f"{name.upper()}_CONTAINER": "my"}).containers, name) == "my"


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("other", OWN)
def test_no_two_containers_are_the_same(environ, name: str, other: str) -> None:
    if name != other:
        with pytest.raises(SettingsError, match="The seven containers must differ, but the app settings name"):
            Settings.from_environ({**environ, f"{name.upper()}_CONTAINER": other})


def test_triggers_need_no_setting() -> None:
    triggers = TriggerSettings.from_environ({})
    assert (triggers.inbox, triggers.source.value, triggers.schedule) == ("inbox", "EventGrid", "*/15 * * * * *")


def test_variables_of_all_flows_have_names_in_lower_case(environ) -> None:
    """As in Kestra's RunContextCache."""
    settings = Settings.from_environ({**environ, "ENV_Region_1": "eu", "GLOBAL_URL": "u", "ENVIRONMENT": "x"})
    assert (settings.envs, settings.globals) == ({"region_1": "eu"}, {"url": "u"})


@pytest.mark.parametrize(
    ("text", "size", "kind", "price"),
    [
        ('{"Standard_D2s_v5": 0.112}', "standard_d2s_v5", NodeKind.DEDICATED, 0.112),
        ('{"standard_d2s_v5": 1}', "Standard_D2s_v5", NodeKind.DEDICATED, 1.0),
        ('{"A": 0.112}', "A", NodeKind.SPOT, None),
        ('{"A": {"dedicated": 0.1, "spot": 0.02}}', "A", NodeKind.SPOT, 0.02),
        ('{"A": {"spot": 0}}', "A", NodeKind.SPOT, 0.0),
        ('{"A": {}}', "A", NodeKind.SPOT, None),
        ("{}", "A", NodeKind.SPOT, None),
        ("", "A", NodeKind.SPOT, None),
    ],
)
def test_prices_are_by_vm_size_and_kind_of_node(environ, text: str, size: str, kind: NodeKind, price) -> None:
    assert Settings.from_environ({**environ, "NODE_PRICES": text}).prices.of(size, kind) == price


@pytest.mark.parametrize(
    "text",
    ["0.1", "[]", "{", '{"A": "0.1"}', '{"A": -1}', '{"A": true}', '{"A": null}', '{"A": NaN}', '{"A": Infinity}',
     '{"A": {"low": 1}}', '{"A": {"spot": "x"}}', '{"A": [1]}'],
)  # fmt: skip
def test_prices_that_cannot_be_read_are_an_error(environ, text: str) -> None:
    with pytest.raises(SettingsError, match=r"NODE_PRICES.*for example \{"):
        Settings.from_environ({**environ, "NODE_PRICES": text})


def test_the_currency_is_dollars_unless_it_is_set(environ) -> None:
    assert Settings.from_environ(environ).prices.currency == "USD"
    assert Settings.from_environ({**environ, "PRICE_CURRENCY": "EUR"}).prices.currency == "EUR"
    with pytest.raises(SettingsError, match="PRICE_CURRENCY"):
        Settings.from_environ({**environ, "PRICE_CURRENCY": "<b>"})
