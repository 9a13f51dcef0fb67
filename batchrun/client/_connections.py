"""The SDK's clients of an app's services, with the rights of whoever calls: a key, or `DefaultAzureCredential`.

They are made when they are first used. Unlike those of the app, they are for a person who waits: what does not answer
is tried again for seconds, and then told.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from batchrun.client._services import Services, batch_scope
from shared.transport import transport

if TYPE_CHECKING:
    from types import TracebackType

    from azure.batch import BatchClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient

CONNECT_SECONDS = 10
READ_SECONDS = 60
RETRIES = 2
PAUSE_SECONDS = 1
FIRST_CHUNK_BYTES = 4 * 1024 * 1024
"""The SDK's default is 32 MiB in memory, for each of the files that are downloaded at the same time."""


class Connections:
    """The clients of an app's services, closed at the end of `with`: open ones would keep Azurite from stopping."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def __enter__(self) -> Self:
        """Nothing is opened before it is used."""
        logging.getLogger("azure").addHandler(logging.NullHandler())  # its errors are told in our words
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        for name in ("blobs", "batch"):
            if client := self.__dict__.get(name):
                client.close()

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """The client of the storage account."""
        from azure.storage.blob import BlobServiceClient, LinearRetry  # noqa: PLC0415 - slow to load

        storage = self.services.storage
        retry = LinearRetry(backoff=PAUSE_SECONDS, retry_total=RETRIES, random_jitter_range=0)
        options: dict[str, Any] = {
            "retry_policy": retry,
            "max_single_get_size": FIRST_CHUNK_BYTES,
            "transport": _transport(),
        }
        if storage.connection_string:
            return BlobServiceClient.from_connection_string(storage.connection_string, **options)
        return BlobServiceClient(storage.blob_endpoint, credential=self._identity, **options)

    @cached_property
    def batch(self) -> BatchClient | None:
        """The client of the Batch account; None where there is no Batch service."""
        from azure.batch import BatchClient  # noqa: PLC0415 - slow to load
        from azure.core.credentials import AzureNamedKeyCredential  # noqa: PLC0415
        from azure.core.pipeline.policies import RetryPolicy  # noqa: PLC0415

        batch = self.services.batch
        if batch is None:
            return None
        key = AzureNamedKeyCredential(batch.account_name, batch.account_key) if batch.account_key else None
        retry: RetryPolicy[Any, Any] = RetryPolicy(
            retry_total=RETRIES, retry_connect=RETRIES, retry_read=RETRIES, retry_backoff_factor=PAUSE_SECONDS
        )
        scopes = [batch_scope(batch.endpoint)]
        return BatchClient(
            batch.endpoint, key or self._identity, retry_policy=retry, credential_scopes=scopes, transport=_transport()
        )

    @cached_property
    def _identity(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - not needed where keys are used

        return DefaultAzureCredential()


def _transport() -> RequestsTransport:
    return transport(connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
