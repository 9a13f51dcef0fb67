"""Settings → SDK clients; the only module that uses credentials.

Each client is made when it is first used and kept as long as the process lives, so that invocations reuse connections.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AzureKeyCredential, AzureNamedKeyCredential

from shared.settings import Settings
from shared.transport import transport

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.policies import RetryPolicy
    from azure.eventgrid import EventGridPublisherClient
    from azure.storage.blob import BlobServiceClient

BATCH_RETRIES = 3
LONGEST_BATCH_PAUSE_SECONDS = 3
STORAGE_CHUNK_BYTES = 4 * 1024 * 1024
"""Size of the first chunk of a download. The SDK's default is 32 MiB in memory, and 16 logs are read in parallel."""

STORAGE_RETRIES = 2
STORAGE_PAUSE_SECONDS = 2
"""The SDK's default of three retries takes 80 s, even if only a token cannot be obtained. That is longer than an
invocation may last, and every tick tries again anyway."""


def _short_retry() -> RetryPolicy[Any, Any]:
    """Make a policy that retries only after short pauses; after longer ones a later tick tries again.

    By default the SDK waits as long as Batch asks for, which may be longer than an invocation may last.
    """
    from azure.core.pipeline.policies import RetryPolicy

    class ShortRetry(RetryPolicy[Any, Any]):
        def is_retry(self, settings: dict[str, Any], response: Any) -> bool:  # noqa: ANN401 - of any transport
            pause = self.get_retry_after(response) or 0
            return pause <= LONGEST_BATCH_PAUSE_SECONDS and super().is_retry(settings, response)

    return ShortRetry(retry_total=BATCH_RETRIES)


class Clients:
    """The clients of the three services, made from settings.

    SDK packages are imported when a client is first used, so that a trigger loads only the packages that it uses.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """The client of the storage account, which has all seven containers."""
        from azure.storage.blob import BlobServiceClient, LinearRetry

        storage = self._settings.storage
        retry = LinearRetry(backoff=STORAGE_PAUSE_SECONDS, retry_total=STORAGE_RETRIES, random_jitter_range=1)
        options: dict[str, Any] = {
            "retry_policy": retry,
            "max_single_get_size": STORAGE_CHUNK_BYTES,
            "transport": transport(),
        }
        if storage.connection_string:
            return BlobServiceClient.from_connection_string(storage.connection_string, **options)
        return BlobServiceClient(storage.blob_endpoint, credential=self._identity, **options)

    @cached_property
    def batch(self) -> BatchClient:
        """The client of the Batch account."""
        from azure.batch import BatchClient

        batch = self._settings.batch
        key = AzureNamedKeyCredential(batch.account_name, batch.account_key) if batch.account_key else None
        return BatchClient(batch.endpoint, key or self._identity, retry_policy=_short_retry(), transport=transport())

    @cached_property
    def topic(self) -> EventGridPublisherClient:
        """The client of the Event Grid topic to which JobEnded is published."""
        from azure.eventgrid import EventGridPublisherClient

        topic = self._settings.topic
        return EventGridPublisherClient(topic.endpoint, AzureKeyCredential(topic.key) if topic.key else self._identity)

    @cached_property
    def _identity(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        identity = self._settings.identity
        if identity.is_managed:  # no other credential is tried: neither environment variables nor a login
            return ManagedIdentityCredential(client_id=identity.client_id)
        return DefaultAzureCredential(managed_identity_client_id=identity.client_id)
