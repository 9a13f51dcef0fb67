"""Passes blobs to functions: each message of the host's queue at least once, after five failures to the poison queue.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#poison-blobs
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum

from local.functions.app_index import IndexedFunction
from local.functions.background import BackgroundTasks
from local.functions.blob_message import BlobMessage, trigger_metadata
from local.functions.invocation import Invoker
from local.functions.storage import POISON_QUEUE, blob_service, queue_client
from local.functions.triggers import BlobTrigger

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

BATCH_SIZE = 16
NEW_BATCH_THRESHOLD = 8
MAX_DEQUEUE_COUNT = 5
VISIBILITY_SECONDS = 6
"""10 minutes in Azure; short here, so that a restarted host soon gets the messages of a killed one. Not shorter: while
many messages wait for a thread, each is kept invisible by a request every half of this."""
IDLE_POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class BlobQueue:
    """The queue of found blobs, for all blob triggers of the app."""

    def __init__(
        self,
        functions: Iterable[IndexedFunction],
        host_queue: QueueClient,
        invoker: Invoker,
        background: BackgroundTasks,
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._queue = host_queue
        self._invoker = invoker
        self._background = background
        self._under_way = 0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def notify(self) -> None:
        """Wake up the queue's reader: there may be a new message. Can be called from any thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    async def run(self) -> None:
        """Process messages until cancelled; those in progress continue as background tasks."""
        while True:
            self._changed.clear()
            messages = await self._receive() if self._under_way <= NEW_BATCH_THRESHOLD else []
            for message in messages:
                self._under_way += 1
                self._background.start(self._process(message))
            if not messages:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), IDLE_POLL_SECONDS)

    async def _receive(self) -> list[QueueMessage]:
        try:
            return await asyncio.to_thread(_receive_batch, self._queue)
        except AzureError as error:
            _log.debug("The queue cannot be read, trying again: %s", error)
            return []

    async def _process(self, message: QueueMessage) -> None:
        try:
            async with _kept_invisible(self._queue, message):
                done = await self._hand_over(message)
            await asyncio.to_thread(self._conclude, message, done)
        except AzureError as error:
            _log.warning("Message %s will be delivered again, because storage failed: %s", message.id, error)
        finally:
            self._under_way -= 1
            self._changed.set()

    async def _hand_over(self, queued: QueueMessage) -> bool:
        """Invoke the function for a message; whether the message is done."""
        if (queued.dequeue_count or 0) > MAX_DEQUEUE_COUNT:
            return False  # the host has died at each delivery
        message = BlobMessage.from_json(queued.content)
        function = self._functions.get(message.function)
        if function is None or not isinstance(function.trigger, BlobTrigger):
            return True  # the function has been removed
        blob = blob_service(function.trigger.connection).get_blob_client(message.container, message.blob)
        try:
            download = await asyncio.to_thread(blob.download_blob)
            content = await asyncio.to_thread(download.readall)
        except ResourceNotFoundError:
            return True  # the blob is gone
        if download.properties.etag != message.etag:
            return True  # the scan will find the new version
        metadata = trigger_metadata(message, download.properties, blob.url)
        reason = f"New blob detected: {message.container}/{message.blob}"
        return (await self._invoker.invoke(function, reason, Datum(content, "bytes"), metadata)).succeeded

    def _conclude(self, message: QueueMessage, done: bool) -> None:
        if not done and (message.dequeue_count or 0) < MAX_DEQUEUE_COUNT:
            self._queue.update_message(message, visibility_timeout=0)
            return
        if not done:
            self._poison(message)
        self._queue.delete_message(message)

    def _poison(self, queued: QueueMessage) -> None:
        """Copy the message to the poison queue, in the account of the blob."""
        message = BlobMessage.from_json(queued.content)
        trigger = self._functions[message.function].trigger
        assert isinstance(trigger, BlobTrigger)  # noqa: S101 - only blob triggers have messages
        poison = queue_client(trigger.connection, POISON_QUEUE)
        with contextlib.suppress(ResourceExistsError):
            poison.create_queue()
        poison.send_message(queued.content)
        _log.error(
            "Message has reached MaxDequeueCount of %d. Moving message to queue '%s': %s/%s",
            MAX_DEQUEUE_COUNT,
            POISON_QUEUE,
            message.container,
            message.blob,
        )


def _receive_batch(queue: QueueClient) -> list[QueueMessage]:
    pages = queue.receive_messages(messages_per_page=BATCH_SIZE, visibility_timeout=VISIBILITY_SECONDS).by_page()
    return list(next(pages, ()))


@contextlib.asynccontextmanager
async def _kept_invisible(queue: QueueClient, message: QueueMessage) -> AsyncIterator[None]:
    """Keep the message invisible to other readers, and its pop receipt up to date."""
    finished = asyncio.Event()

    async def renew() -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(finished.wait(), VISIBILITY_SECONDS / 2)
                return
            renewed = await asyncio.to_thread(queue.update_message, message, visibility_timeout=VISIBILITY_SECONDS)
            message.pop_receipt = renewed.pop_receipt

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        finished.set()
        await renewing
