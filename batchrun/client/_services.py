"""Where the services of an app are: the few of its settings that a client needs, from its stack or its card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchrun.errors import ClientError, UsageError, printable
from shared.errors import SettingsError
from shared.settings import (
    BatchSettings,
    Containers,
    StorageSettings,
    account_of,
    batch_of,
    containers_of,
    storage_by_key,
)

if TYPE_CHECKING:
    from shared.documents.card import AppCard

BATCH_AUDIENCES = {
    "batch.azure.com": "https://batch.core.windows.net/",
    "batch.usgovcloudapi.net": "https://batch.core.usgovcloudapi.net/",
    "batch.chinacloudapi.cn": "https://batch.chinacloudapi.cn/",
}
"""The domains of Batch accounts, and for whom a token is meant that they take: in Azure, in Azure for the US government
(https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure) and in Azure in China
(https://learn.microsoft.com/azure/china/resources-developer-guide). The audiences are those of Azure PowerShell,
`AzureEnvironmentConstants.cs`."""
LOCAL_BATCH_ACCOUNT = "devbatchaccount1"
LOCAL_BATCH_KEY = "bG9jYWwtYmF0Y2gtYWNjb3VudC1rZXktZm9yLWRldmVsb3BtZW50LW9ubHktbm90LWEtc2VjcmV0LWF0LWFsbA=="
"""The account of every local Batch service, docs/local-batch.md; its key protects nothing."""
_DOMAINS = "|".join(map(re.escape, BATCH_AUDIENCES))
_BATCH_ACCOUNT = re.compile(
    rf"https://[a-z0-9-]+(\.[a-z0-9-]+)*\.(?P<domain>{_DOMAINS})(:443)?/?", re.ASCII | re.IGNORECASE
)
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/\S*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Services:
    """An app's storage, its containers and its Batch account; `batch` is None where nothing answers for it."""

    storage: StorageSettings
    batch: BatchSettings | None
    containers: Containers

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Services:
        """The services that app settings name. Raises UsageError if one is missing or malformed."""
        try:
            batch = batch_of(settings) if "BATCH_ACCOUNT_ENDPOINT" in settings else None
            return cls(_storage(settings), batch, containers_of(settings))
        except SettingsError as error:
            raise UsageError(str(error)) from error


def _storage(settings: Mapping[str, str]) -> StorageSettings:
    if connection_string := settings.get("RunStorage"):
        return storage_by_key(connection_string)
    endpoint = settings.get("RunStorage__blobServiceUri")
    if not endpoint:
        raise SettingsError("The app setting RunStorage is missing: it says where the storage account is.")
    return StorageSettings(None, account_of(endpoint), endpoint)


def settings_of_card(card: AppCard) -> dict[str, str]:
    """What a card says of the app's settings, by their names.

    Raises ClientError if its Batch account is not one of Azure Batch, or of this machine: whoever can write a card must
    not be able to collect the tokens of those who read it.
    """
    settings = {f"{name.upper()}_CONTAINER": value for name, value in card.containers.model_dump().items()}
    if card.default_pool:
        settings["BATCH_POOL_ID"] = card.default_pool
    settings |= {"BATCH_ACCOUNT_ENDPOINT": card.batch_endpoint.rstrip("/"), "BATCH_ACCOUNT_NAME": card.batch_account}
    if _BATCH_ACCOUNT.fullmatch(card.batch_endpoint):
        return settings
    if is_loopback(card.batch_endpoint):
        return settings | {"BATCH_ACCOUNT_NAME": LOCAL_BATCH_ACCOUNT, "BATCH_ACCOUNT_KEY": LOCAL_BATCH_KEY}
    raise ClientError(
        f"The app's card names {printable(card.batch_endpoint)!r} as its Batch account, which is no address of Azure"
        f" Batch (it would end in {' or '.join(BATCH_AUDIENCES)}): nothing is sent there. Find out who has written"
        f" {card.containers.results}/_app.json in the app's storage account."
    )


def is_loopback(url: str) -> bool:
    """Whether a URL is of this machine."""
    return bool(_LOOPBACK.fullmatch(url))


def batch_scope(endpoint: str) -> str:
    """The scope of a token for the Batch account at an endpoint."""
    account = _BATCH_ACCOUNT.fullmatch(endpoint)
    domain = account["domain"].lower() if account else "batch.azure.com"
    return f"{BATCH_AUDIENCES[domain]}.default"
