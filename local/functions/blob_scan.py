"""Finds new blobs: lists a container repeatedly, and queues a message for every new version of a blob.

For a trigger with the source `EventGrid`, it queues only the blobs that the deployed subscription would deliver. The
app finds the others by its own sweep, or never, as in Azure.

The message is queued before the receipt is written: a host that dies in between queues it again, and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

from local.event_subscriptions import blob_created, inbox_filter
from local.functions.blob_message import BlobMessage
from local.functions.storage import HOSTS_CONTAINER, blob_service
from local.functions.triggers import BlobTrigger

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, BlobServiceClient
    from azure.storage.queue import QueueClient

SCAN_INTERVAL_SECONDS = 0.2
QUEUED_AT_ONCE = 16
LARGEST_SHARE_OF_TIME = 0.05  # listing many blobs takes Azurite long, and it does one thing at a time

_log = logging.getLogger(__name__)


class BlobScan:
    """The scan of one trigger's container."""

    def __init__(
        self,
        function: str,
        trigger: BlobTrigger,
        host_blobs: BlobServiceClient,
        host_queue: QueueClient,
        notify: Callable[[], None],
    ) -> None:
        """`notify` is called, from another thread, after a message was queued."""
        self._function = function
        self._path = trigger.path
        self._filter = inbox_filter(trigger.path.container) if trigger.by_events else None
        self._container = blob_service(trigger.connection).get_container_client(trigger.path.container)
        self._receipts = host_blobs.get_container_client(HOSTS_CONTAINER)
        self._queue = host_queue
        self._notify = notify
        self._queued: set[BlobMessage] = set()

    async def run(self) -> None:
        """Scan until cancelled; if storage does not answer, try again."""
        available = True
        while True:
            listing_seconds = 0.0
            try:
                listing_seconds = await asyncio.to_thread(self.scan)
                available = True
            except AzureError as error:
                if available:
                    _log.warning("Scanning the container %s failed, trying again: %s", self._path.container, error)
                available = False
            await asyncio.sleep(max(SCAN_INTERVAL_SECONDS, listing_seconds / LARGEST_SHARE_OF_TIME))

    def scan(self) -> float:
        """Queue a message for every version of a blob without a receipt. Returns the seconds that the listing took."""
        started = time.monotonic()
        try:
            listed = {
                BlobMessage(self._function, self._path.container, blob.name, f'"{blob.etag}"')
                for blob in self._container.list_blobs()
                if self._is_delivered(blob)
            }
        except ResourceNotFoundError:
            listed = set()  # the container does not exist yet
        seconds = time.monotonic() - started
        with ThreadPoolExecutor(QUEUED_AT_ONCE) as threads:
            list(threads.map(self._queue_once, listed - self._queued))
        self._queued = listed
        return seconds

    def _is_delivered(self, blob: BlobProperties) -> bool:
        if self._filter and not self._filter.matches(blob_created(self._path.container, blob.name, blob.size)):
            return False
        return self._path.match(blob.name) is not None

    def _queue_once(self, message: BlobMessage) -> None:
        receipt = self._receipts.get_blob_client(message.receipt)
        if receipt.exists():
            return
        self._queue.send_message(message.to_json())
        self._notify()
        try:
            receipt.upload_blob(b"")
        except ResourceExistsError:
            _log.debug("Another host has queued %s too", message.blob)
