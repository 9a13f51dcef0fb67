"""`taskRunner`: Kestra's Azure Batch task runner. Everything is optional: the app's settings are the defaults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from shared.errors import did_you_mean
from shared.manifest.types import Credential, Duration, NoEffect, Properties, PropertyPath, Text, Unsupported

RUNNER_TYPE = "io.kestra.plugin.ee.azure.runner.Batch"
_OLD_TYPES = (
    "io.kestra.plugin.azure.runner.Batch",
    "io.kestra.plugin.azure.runner.AzureBatchTaskRunner",
    "io.kestra.plugin.azure.ee.runner.Batch",
)


OTHER_TYPES = (
    "io.kestra.plugin.core.runner.Process",
    "io.kestra.plugin.scripts.runner.docker.Docker",
    "io.kestra.plugin.scripts.runner.docker.DockerTaskRunner",
    "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner",
    *(
        f"io.kestra.plugin.{edition}{cloud}"
        for edition in ("", "ee.")
        for cloud in ("kubernetes.runner.Kubernetes", "aws.runner.Batch", "gcp.runner.Batch", "gcp.runner.CloudRun")
    ),
)
"""Kestra's other task runners. They do the same elsewhere, so a task that names one runs on Azure Batch."""


def canonical_runner_type(value: str) -> str:
    """The task runner's type for any of the names that it has had in Kestra; other values stay as they are."""
    return RUNNER_TYPE if value in _OLD_TYPES else value


def _runner_type(value: str) -> str:
    if canonical_runner_type(value) != RUNNER_TYPE:
        near = did_you_mean(value, (RUNNER_TYPE, *_OLD_TYPES, *OTHER_TYPES))
        raise ValueError(
            f"tasks run on Azure Batch, and {value!r} is no task runner of Kestra's: leave `taskRunner` out, "
            f"or set its type to {RUNNER_TYPE}{near}"
        )
    return RUNNER_TYPE


class BlobStorage(Properties):
    """The storage through which files pass between the app and the nodes."""

    container_name: Text | None = None
    """The container; without it, the app's staging container."""
    connection_string: Credential | None = None
    """The connection string of the app's own storage account, as a `secret()`."""
    endpoint: Annotated[Text | None, Field(examples=["https://account.blob.core.windows.net"])] = None
    """The blob endpoint of the app's own storage account."""
    shared_key_account_name: Text | None = None
    """The name of the app's own storage account."""
    shared_key_account_access_key: Credential | None = None
    """Its key, as a `secret()`; the app uses its own credentials."""


class IdentityReference(Properties):
    """A user-assigned identity of the pool."""

    resource_id: Text
    """`/subscriptions/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…`"""


class Registry(Properties):
    """The private registry that the image comes from."""

    registry_server: Annotated[Text | None, Field(examples=["myregistry.azurecr.io"])] = None
    """The registry's host; without it, Docker Hub."""
    user_name: Text | None = None
    """The user, if no identity is used."""
    password: Credential | None = None
    """The password, as a `secret()`."""
    identity_reference: IdentityReference | None = None
    """The identity of the pool that may pull the image."""


class TaskRunner(Properties):
    """The Azure Batch account, the pool and the storage that a task uses."""

    type: Annotated[
        str, AfterValidator(_runner_type), Field(json_schema_extra={"enum": [RUNNER_TYPE, *_OLD_TYPES]})
    ] = RUNNER_TYPE
    """Kestra's type; one of its old names is allowed too."""
    account: Text | None = None
    """The Batch account: the app's own, or left out."""
    access_key: Credential | None = None
    """Its key, as a `secret()`; the app uses its own credentials."""
    endpoint: Annotated[Text | None, Field(examples=["https://account.westeurope.batch.azure.com"])] = None
    """The account's endpoint: the app's own, or left out."""
    pool_id: Annotated[Text | None, Field(examples=["{{ vars.poolId }}"])] = None
    """The pool, which must exist; without it, the app setting BATCH_POOL_ID."""
    blob_storage: BlobStorage = BlobStorage()
    """The storage through which files pass between the app and the nodes."""
    registry: Registry | None = None
    """The private registry that the image comes from."""
    wait_until_completion: Duration = timedelta(hours=1)
    """How long the commands may run, from the task's start; the task's `timeout` wins."""
    delete: bool = True
    """Delete the run's jobs from Batch once the run is recorded."""
    sync_working_directory: bool = False
    """Keep the whole working directory, not only the files that `outputFiles` names; files with a leading dot
    included."""
    version: Annotated[str | None, NoEffect("there is only one version of the task runner")] = None
    completion_check_interval: Annotated[
        Duration | None, NoEffect("the app setting POLL_SCHEDULE decides how often runs are checked")
    ] = None
    stream_logs: Annotated[bool, NoEffect("logs are stored once the task has ended")] = False
    resume: Annotated[bool, NoEffect("a run is always resumed, never started twice")] = True
    plugin_defaults_ref: Annotated[None, Unsupported("`pluginDefaults` apply by type")] = None


class OtherTaskRunner(TaskRunner):
    """Another task runner of Kestra's, in whose place Azure Batch runs the task."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(json_schema_extra={"enum": list(OTHER_TYPES)})]
    """Kestra's type."""

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """What is not done of it."""
        runner = self.type.rpartition(".")[2]
        ignored = ", ".join(f"`{name}`" for name in self.model_extra or ())
        message = f"the task runs on Azure Batch, in its `containerImage`, and not on {runner}"
        yield (), f"{message}; without effect: {ignored}" if ignored else message


def _runner_kind(value: object) -> str:
    runner_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "<OtherTaskRunner>" if runner_type in OTHER_TYPES else "<TaskRunner>"


AnyTaskRunner = Annotated[
    Annotated[TaskRunner, Tag("<TaskRunner>")] | Annotated[OtherTaskRunner, Tag("<OtherTaskRunner>")],
    Discriminator(_runner_kind),
]
