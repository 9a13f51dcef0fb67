"""`taskRunner`: Kestra's Azure Batch task runner. Everything is optional: the app's settings are the defaults."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from shared.manifest_kestra import KestraRunner
from shared.manifest_values import Credential, Duration, Properties, Text

RUNNER_TYPE = "io.kestra.plugin.ee.azure.runner.Batch"
_OLD_TYPES = (
    "io.kestra.plugin.azure.runner.Batch",
    "io.kestra.plugin.azure.runner.AzureBatchTaskRunner",
    "io.kestra.plugin.azure.ee.runner.Batch",
)


def canonical_runner_type(value: str) -> str:
    """The task runner's type for one of the names that it has had in Kestra; any other value as it is."""
    return RUNNER_TYPE if value in _OLD_TYPES else value


def _runner_type(value: str) -> str:
    if canonical_runner_type(value) != RUNNER_TYPE:
        raise ValueError(f"unknown task runner {value!r}; there is {RUNNER_TYPE}")
    return RUNNER_TYPE


class BlobStorage(Properties):
    """Where files pass between the app and the nodes."""

    container_name: Text | None = None
    connection_string: Credential | None = None
    endpoint: Text | None = None
    shared_key_account_name: Text | None = None
    shared_key_account_access_key: Credential | None = None


class IdentityReference(Properties):
    """A user-assigned identity of the pool."""

    resource_id: Text


class Registry(Properties):
    """The private registry that the image comes from."""

    registry_server: Text | None = None
    user_name: Text | None = None
    password: Credential | None = None
    identity_reference: IdentityReference | None = None


class TaskRunner(KestraRunner):
    """The Azure Batch account, the pool and the storage that a task uses."""

    type: Annotated[str, AfterValidator(_runner_type)] = RUNNER_TYPE
    account: Text | None = None
    access_key: Credential | None = None
    endpoint: Text | None = None
    pool_id: Text | None = None
    blob_storage: BlobStorage = BlobStorage()
    registry: Registry | None = None
    wait_until_completion: Duration = timedelta(hours=1)
    delete: bool = True
    sync_working_directory: bool = False
    """Bring the whole working directory back, not only what `outputFiles` names."""
