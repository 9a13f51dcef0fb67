"""Where a client sends the token of its user: to Azure Batch alone, whatever the app's card says."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from batchrun.client import _card as cards
from batchrun.client._services import LOCAL_BATCH_ACCOUNT, LOCAL_BATCH_KEY, Services, batch_scope, settings_of_card
from batchrun.errors import ClientError
from local.batch.api.auth import ACCOUNT_KEY, ACCOUNT_NAME
from shared.documents.card import AppCard, CardContainers
from shared.settings import Containers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def card(endpoint: str = "https://a.westeurope.batch.azure.com", last_tick: datetime = NOW) -> AppCard:
    names = {name: f"my-{name}" for name in Containers.__dataclass_fields__}
    return AppCard(
        version="1",
        batch_endpoint=endpoint,
        batch_account="a",
        default_pool="p",
        containers=CardContainers(**names),
        last_tick=last_tick,
    )


def services(of: AppCard) -> Services:
    storage = {"RunStorage__blobServiceUri": "https://s.blob.core.windows.net"}
    return Services.of(storage | settings_of_card(of))


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("https://a.westeurope.batch.azure.com", "https://batch.core.windows.net/.default"),
        ("https://a.westeurope.batch.azure.com:443/", "https://batch.core.windows.net/.default"),
        ("https://A.WestEurope.Batch.Azure.com", "https://batch.core.windows.net/.default"),
        ("https://a.usgovvirginia.batch.usgovcloudapi.net", "https://batch.core.usgovcloudapi.net/.default"),
        ("https://a.chinanorth2.batch.chinacloudapi.cn", "https://batch.chinacloudapi.cn/.default"),
    ],
)
def test_a_batch_account_in_azure_gets_a_token_that_is_meant_for_it(endpoint, scope):
    found = services(card(endpoint))
    assert found.batch is not None
    assert (found.batch.account_key, found.batch.account_name, found.batch.pool_id) == (None, "a", "p")
    assert batch_scope(found.batch.endpoint) == scope
    assert found.containers.results == "my-results"


OLDER = ("inbox", "runs", "staging", "results", "namespaces")


@pytest.mark.parametrize("results", ["my-results", "uploads", "flows"])
def test_the_card_of_an_app_without_stored_flows_is_read(results: str) -> None:
    """Whatever its containers are called: what it does not have cannot be in the way."""
    told = json.loads(card().to_json())
    told["containers"] = {**{name: told["containers"][name] for name in OLDER}, "results": results}
    read = AppCard.model_validate(told)
    assert (read.containers.flows, read.containers.uploads) == ("flows", "uploads")
    assert read.containers.model_fields_set == set(OLDER)
    assert services(read).containers == Containers(**{**told["containers"], "flows": "flows", "uploads": "uploads"})


def test_a_card_names_all_containers_of_its_app() -> None:
    assert asdict(services(card()).containers) == {name: f"my-{name}" for name in Containers.__dataclass_fields__}


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:10003", "https://localhost:10003/", "http://[::1]:1"])
def test_a_local_batch_service_gets_its_well_known_key_and_no_token(endpoint):
    """Which is what it has on every machine: nothing is given away."""
    found = services(card(endpoint))
    assert found.batch is not None
    assert (found.batch.account_name, found.batch.account_key) == (ACCOUNT_NAME, ACCOUNT_KEY)
    assert (LOCAL_BATCH_ACCOUNT, LOCAL_BATCH_KEY) == (ACCOUNT_NAME, ACCOUNT_KEY)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://example.com",
        "https://batch.azure.com",
        "https://a.batch.azure.com.example.com",
        "https://example.com/.batch.azure.com",
        "https://example.com#a.batch.azure.com",
        "https://example.com?a.batch.azure.com",
        "https://a.batch.azure.com@example.com",
        "https://a.batch.azure.com:pw@example.com",
        "https://example.com\\.batch.azure.com",
        "https://example.com\n.batch.azure.com",
        "https://a.batch.azure.com:8443",
        "https://examplebatch.azure.com",
        "http://a.westeurope.batch.azure.com",
        "https://127.0.0.1.example.com",
        "https://127.0.0.1@example.com",
        "http://127.0.0.2:1",
        "https://a.batch.azure.\u0441om",  # a Cyrillic letter
        "ftp://127.0.0.1",
        "",
    ],
)
def test_any_other_address_on_a_card_is_refused_and_named(endpoint):
    with pytest.raises(ClientError, match="no address of Azure Batch.*nothing is sent there"):
        settings_of_card(card(endpoint))


@pytest.mark.parametrize(("minutes", "dead"), [(0, False), (19, False), (20, False), (21, True)])
def test_an_app_without_a_tick_for_twenty_minutes_is_dead(minutes, dead):
    assert cards.is_dead(card(), NOW + timedelta(minutes=minutes)) is dead
