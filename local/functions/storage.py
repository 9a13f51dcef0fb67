"""How the host uses storage: clients that do not retry, and the names of its container and queues.

The loops of the host try again soon; an SDK that waits for seconds would only hide that storage does not answer.
"""

from __future__ import annotations

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

HOST_ID = "local"
HOSTS_CONTAINER = "azure-webjobs-hosts"
BLOB_TRIGGER_QUEUE = f"azure-webjobs-blobtrigger-{HOST_ID}"
POISON_QUEUE = "webjobs-blobtrigger-poison"


def blob_service(connection_string: str) -> BlobServiceClient:
    """A client for blobs."""
    return BlobServiceClient.from_connection_string(connection_string, retry_total=0)


def queue_client(connection_string: str, queue: str) -> QueueClient:
    """A client for a queue with messages in base64, as the host writes them."""
    return QueueClient.from_connection_string(
        connection_string,
        queue,
        retry_total=0,
        message_encode_policy=TextBase64EncodePolicy(),
        message_decode_policy=TextBase64DecodePolicy(),
    )
