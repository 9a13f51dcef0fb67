"""App settings → `Settings`; the only reader of the environment.

Importing the app must work without any setting, because an exception at import would leave the Functions host without
functions. Therefore the settings of triggers have defaults, and all others are read when a function first runs.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum

from shared.errors import SettingsError
from shared.prices import Prices

SECRET_PREFIX = "SECRET_"  # noqa: S105 - the prefix of setting names, not a secret
ENV_PREFIX, GLOBAL_PREFIX = "ENV_", "GLOBAL_"
DEFAULT_SCHEDULE = "*/15 * * * * *"
MANAGED_IDENTITY = "managedidentity"
PORTAL = "https://portal.azure.com"


class InboxSource(StrEnum):
    """How the host learns of new blobs in the inbox."""

    EVENT_GRID = "EventGrid"
    SCAN = "LogsAndContainerScan"


@dataclass(frozen=True)
class TriggerSettings:
    """The settings that the decorators of `function_app.py` need at import. Reading them never fails."""

    inbox: str
    source: InboxSource
    schedule: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> TriggerSettings:
        """Read the settings, with their defaults; an unknown source means Event Grid, as in Azure."""
        scan = environ.get("INBOX_SOURCE") == InboxSource.SCAN.value
        return cls(
            inbox=environ.get("INBOX_CONTAINER") or "inbox",
            source=InboxSource.SCAN if scan else InboxSource.EVENT_GRID,
            schedule=environ.get("POLL_SCHEDULE") or DEFAULT_SCHEDULE,
        )


class StagingBy(StrEnum):
    """How nodes reach the staging container: by SAS without delete, or by an identity of their own."""

    SAS = "sas"
    IDENTITY = "identity"


@dataclass(frozen=True)
class StorageSettings:
    """The storage account of all containers: by connection string, or by identity."""

    connection_string: str | None = field(repr=False)
    account_name: str
    blob_endpoint: str


@dataclass(frozen=True)
class IdentitySettings:
    """The app's identity for all services of which it has no key; the settings are those of the triggers' bindings.

    `is_managed`: only the managed identity is used, user-assigned if there is a `client_id`. Otherwise any credential
    of a developer's machine is used, for example a login with `az`.
    """

    is_managed: bool
    client_id: str | None


@dataclass(frozen=True)
class BatchSettings:
    """The Batch account; without a key the identity is used."""

    endpoint: str
    account_name: str
    account_key: str | None = field(repr=False)
    pool_id: str | None
    resource_id: str | None = None

    @property
    def portal_url(self) -> str | None:
        """The account's page in the Azure portal, which shows its jobs; None if its resource id is unknown."""
        return f"{PORTAL}/#@/resource{self.resource_id}" if self.resource_id else None


@dataclass(frozen=True)
class TopicSettings:
    """The Event Grid custom topic; without a key the identity is used."""

    endpoint: str
    key: str | None = field(repr=False)


@dataclass(frozen=True)
class Containers:
    """The names of the seven containers."""

    inbox: str = "inbox"
    runs: str = "runs"
    staging: str = "staging"
    results: str = "results"
    namespaces: str = "namespaces"
    flows: str = "flows"
    uploads: str = "uploads"


@dataclass(frozen=True)
class Settings:
    """All settings of the app, checked.

    `envs` and `globals` are what all flows can use, by names in lower case; None where only the app itself knows them.
    """

    storage: StorageSettings
    identity: IdentitySettings
    batch: BatchSettings
    topic: TopicSettings
    containers: Containers
    allowed_containers: tuple[str, ...]
    node_identity: str | None
    staging_identity: str | None
    secrets: Mapping[str, str] = field(repr=False)
    prices: Prices = field(default_factory=Prices)
    envs: Mapping[str, str] | None = field(default_factory=dict, repr=False)
    globals: Mapping[str, str] | None = field(default_factory=dict, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read and check the settings.

        Raises SettingsError, which names the first setting that is missing or malformed.
        """
        return cls(
            storage=_storage(environ),
            identity=_identity(environ),
            batch=batch_of(environ),
            topic=TopicSettings(_url(environ, "EVENTGRID_TOPIC_ENDPOINT"), environ.get("EVENTGRID_TOPIC_KEY") or None),
            containers=_different(containers_of(environ)),
            allowed_containers=tuple(filter(None, environ.get("ALLOWED_CONTAINERS", "").replace(",", " ").split())),
            node_identity=environ.get("NODE_IDENTITY_RESOURCE_ID") or None,
            staging_identity=_staging_identity(environ),
            secrets=_with_prefix(environ, SECRET_PREFIX),
            prices=Prices.from_environ(environ),
            envs={name.lower(): value for name, value in _with_prefix(environ, ENV_PREFIX).items()},
            globals={name.lower(): value for name, value in _with_prefix(environ, GLOBAL_PREFIX).items()},
        )

    @property
    def origin(self) -> str:
        """Identifies this app among those that share a Batch account: `<storage account>/<runs container>`."""
        return f"{self.storage.account_name}/{self.containers.runs}"

    def container_is_allowed(self, container: str) -> bool:
        """Whether a manifest may name this container as its `blobStorage.containerName`; of the app's own, staging."""
        return container == self.containers.staging or self._is_allowed_by_glob(container)

    def container_is_readable(self, container: str) -> bool:
        """Whether a manifest may name this container in `blob://`; of the app's own, only uploads."""
        return container == self.containers.uploads or self._is_allowed_by_glob(container)

    def container_is_own(self, container: str) -> bool:
        """Whether this is one of the app's own containers, which no glob allows."""
        return container in astuple(self.containers)

    def _is_allowed_by_glob(self, container: str) -> bool:
        globs = () if self.container_is_own(container) else self.allowed_containers
        return any(fnmatch.fnmatchcase(container, glob) for glob in globs)


def _with_prefix(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The settings whose names begin with a prefix, by what is after it."""
    return {name.removeprefix(prefix): value for name, value in environ.items() if name.startswith(prefix)}


def _required(environ: Mapping[str, str], name: str, meaning: str) -> str:
    value = environ.get(name)
    if not value:
        raise SettingsError(f"The app setting {name} is missing. Set it to {meaning}.")
    return value


def _url(environ: Mapping[str, str], name: str) -> str:
    value = _required(environ, name, "the endpoint, beginning with https://")
    if not value.startswith(("https://", "http://")):
        raise SettingsError(f"The app setting {name} must begin with https://.")
    return value.rstrip("/")


def _storage(environ: Mapping[str, str]) -> StorageSettings:
    connection_string = environ.get("RunStorage")
    if connection_string:
        return storage_by_key(connection_string)
    if not environ.get("RunStorage__blobServiceUri"):
        raise SettingsError(
            "The app setting RunStorage is missing. Set it to the connection string of the storage account, or set "
            "RunStorage__blobServiceUri and RunStorage__queueServiceUri to use an identity."
        )
    endpoint = _url(environ, "RunStorage__blobServiceUri")
    _url(environ, "RunStorage__queueServiceUri")  # for the blob trigger: blobs that it gives up go to a queue
    return StorageSettings(None, account_of(endpoint), endpoint)


def storage_by_key(connection_string: str) -> StorageSettings:
    """The storage account of a connection string. Raises SettingsError if it is not one with a key."""
    parts = connection_parts(connection_string)
    if "AccountName" not in parts or "AccountKey" not in parts:
        raise SettingsError("The app setting RunStorage must be a connection string with AccountName and AccountKey.")
    account, suffix = parts["AccountName"], parts.get("EndpointSuffix", "core.windows.net")
    endpoint = (
        parts.get("BlobEndpoint") or f"{parts.get('DefaultEndpointsProtocol', 'https')}://{account}.blob.{suffix}"
    )
    return StorageSettings(connection_string, account, endpoint.rstrip("/"))


def connection_parts(connection_string: str) -> dict[str, str]:
    """The parts of a connection string of Azure Storage by name, such as `AccountName`."""
    return dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)


def account_of(endpoint: str) -> str:
    """The account of an endpoint: the first label of its host; or its path, which emulators use."""
    host, _, path = endpoint.split("//", 1)[1].partition("/")
    return path or host.split(".", 1)[0]


def _identity(environ: Mapping[str, str]) -> IdentitySettings:
    credential = environ.get("RunStorage__credential", "").lower()
    if credential not in ("", MANAGED_IDENTITY):
        raise SettingsError(f"The app setting RunStorage__credential must be {MANAGED_IDENTITY}, or be left out.")
    return IdentitySettings(credential == MANAGED_IDENTITY, environ.get("RunStorage__clientId") or None)


def _staging_identity(environ: Mapping[str, str]) -> str | None:
    """The identity by which nodes reach staging; None where they get SAS."""
    access = environ.get("STAGING_ACCESS") or StagingBy.SAS
    if access not in set(StagingBy):
        raise SettingsError(f"The app setting STAGING_ACCESS must be {' or '.join(StagingBy)}, or be left out.")
    if access == StagingBy.SAS:
        return None
    return _required(environ, "NODE_IDENTITY_RESOURCE_ID", "the identity by which nodes reach staging")


def batch_of(environ: Mapping[str, str]) -> BatchSettings:
    """The Batch account that settings name. Raises SettingsError."""
    endpoint = _url(environ, "BATCH_ACCOUNT_ENDPOINT")
    key = environ.get("BATCH_ACCOUNT_KEY") or None
    name = environ.get("BATCH_ACCOUNT_NAME") or ""
    if key and not name:
        raise SettingsError(
            "The app setting BATCH_ACCOUNT_NAME is missing: BATCH_ACCOUNT_KEY needs the account's name."
        )
    host = endpoint.split("//", 1)[1]
    resource_id = environ.get("BATCH_ACCOUNT_RESOURCE_ID") or None
    if resource_id and not resource_id.startswith("/subscriptions/"):
        raise SettingsError("The app setting BATCH_ACCOUNT_RESOURCE_ID must begin with /subscriptions/.")
    pool_id = environ.get("BATCH_POOL_ID") or None
    return BatchSettings(endpoint, name or host.split(".", 1)[0], key, pool_id, resource_id)


def containers_of(environ: Mapping[str, str]) -> Containers:
    """The names of the containers."""
    names = {
        name: environ.get(f"{name.upper()}_CONTAINER") or getattr(Containers, name)
        for name in Containers.__dataclass_fields__
    }
    return Containers(**names)


def _different(containers: Containers) -> Containers:
    names = astuple(containers)
    if len(set(names)) < len(names):
        raise SettingsError(f"The seven containers must differ, but the app settings name {sorted(names)}.")
    return containers
