"""Settings → SDK clients; the only place that knows credentials.

Each client is made when it is first used and kept as long as the process lives: connections are reused between
invocations.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from azure.core.credentials import AzureKeyCredential, AzureNamedKeyCredential

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.core.credentials import TokenCredential
    from azure.eventgrid import EventGridPublisherClient
    from azure.storage.blob import BlobServiceClient

    from shared.settings import Settings


class Clients:
    """The clients of the three services, made from settings.

    SDK packages are imported when a client is first needed: a trigger then loads only what it uses.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """Blob storage: the account of all five containers."""
        from azure.storage.blob import BlobServiceClient

        storage = self._settings.storage
        if storage.connection_string:
            return BlobServiceClient.from_connection_string(storage.connection_string)
        return BlobServiceClient(storage.blob_endpoint, credential=self._identity)

    @cached_property
    def batch(self) -> BatchClient:
        """Azure Batch."""
        from azure.batch import BatchClient

        batch = self._settings.batch
        if batch.account_key:
            return BatchClient(batch.endpoint, AzureNamedKeyCredential(batch.account_name, batch.account_key))
        return BatchClient(batch.endpoint, self._identity)

    @cached_property
    def topic(self) -> EventGridPublisherClient:
        """The Event Grid topic to which JobEnded is published."""
        from azure.eventgrid import EventGridPublisherClient

        topic = self._settings.topic
        return EventGridPublisherClient(topic.endpoint, AzureKeyCredential(topic.key) if topic.key else self._identity)

    @cached_property
    def _identity(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        identity = self._settings.identity
        if identity.is_managed:  # nothing else is tried: neither what the environment says nor a login
            return ManagedIdentityCredential(client_id=identity.client_id)
        return DefaultAzureCredential(managed_identity_client_id=identity.client_id)
