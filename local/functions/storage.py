"""How the host uses storage: clients that do not retry, and the names of its container and queues.

The loops of the host try again soon; an SDK that waits for seconds would only hide that storage does not answer.
"""

from __future__ import annotations

from functools import cache

from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

HOST_ID = "local"
HOSTS_CONTAINER = "azure-webjobs-hosts"
BLOB_TRIGGER_QUEUE = f"azure-webjobs-blobtrigger-{HOST_ID}"
POISON_QUEUE = "webjobs-blobtrigger-poison"
CONNECTIONS = 64
"""The connections that a client keeps: all threads of the host together use fewer. The SDK's default is ten."""


@cache
def blob_service(connection_string: str) -> BlobServiceClient:
    """The client for the blobs of an account; it is made once, so that its connections are used again."""
    return BlobServiceClient.from_connection_string(connection_string, retry_total=0, transport=_transport())


@cache
def queue_client(connection_string: str, queue: str) -> QueueClient:
    """The client for a queue with messages in base64, as the host writes them."""
    return QueueClient.from_connection_string(
        connection_string,
        queue,
        retry_total=0,
        transport=_transport(),
        message_encode_policy=TextBase64EncodePolicy(),
        message_decode_policy=TextBase64DecodePolicy(),
    )


def _transport() -> RequestsTransport:
    made = RequestsTransport()
    made.open()
    for adapter in made.session.adapters.values():
        adapter.init_poolmanager(CONNECTIONS, CONNECTIONS)
    return made
