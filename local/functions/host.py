"""The host: runs the listeners for all triggers of an app until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceExistsError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.functions.app_index import IndexedFunction
from local.functions.background import BackgroundTasks
from local.functions.blob_queue import BlobQueue
from local.functions.blob_scan import BlobScan
from local.functions.event_grid_webhook import event_grid_route
from local.functions.invocation import Invoker
from local.functions.storage import BLOB_TRIGGER_QUEUE, HOST_ID, HOSTS_CONTAINER, blob_service, queue_client
from local.functions.timer_listener import run_timer
from local.functions.triggers import BlobTrigger, TimerTrigger
from local.http_server import serve_until, stop_requested

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueClient
    from starlette.requests import Request
    from starlette.responses import Response

STATUS_PATH = "/admin/host/status"
DRAIN_SECONDS = 10
STORAGE_THREADS = 32
STORAGE_RETRY_SECONDS = 0.1

_log = logging.getLogger(__name__)


class Host:
    """Serves the functions of one app."""

    def __init__(self, functions: Sequence[IndexedFunction], storage: str, thread_count: int | None) -> None:
        """`storage` is the connection string of the host's own storage account, AzureWebJobsStorage."""
        self._functions = functions
        self._storage = storage
        self._invoker = Invoker(thread_count)
        self._background = BackgroundTasks()

    async def run(self, listener: socket.socket) -> bool:
        """Serve until SIGTERM or SIGINT, then wait for invocations; whether all have finished in time."""
        stop = stop_requested()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(STORAGE_THREADS, "storage"))
        _log.info("Found the functions: %s", ", ".join(function.name for function in self._functions) or "none")
        async with asyncio.TaskGroup() as tasks:
            listeners = [tasks.create_task(listener) for listener in self._listeners()]
            draining = tasks.create_task(self._drain(stop, listeners))
            await serve_until(stop, self._http_app(), listener, grace_seconds=DRAIN_SECONDS)
        return draining.result()

    async def _drain(self, stop: asyncio.Event, listeners: Sequence[asyncio.Task[None]]) -> bool:
        """Wait for the request to stop, then accept no more work, and wait for invocations; whether all have ended."""
        await stop.wait()
        _log.info("Stopping: waiting up to %d s for invocations that still run.", DRAIN_SECONDS)
        for listener in listeners:
            listener.cancel()
        drained = await self._background.finished(DRAIN_SECONDS)
        if not drained:
            _log.warning("Invocations still run after %d s: they are abandoned.", DRAIN_SECONDS)
            self._invoker.abandon()
        return drained

    def _listeners(self) -> list[Coroutine[None, None, None]]:
        timers = [
            run_timer(function, function.trigger, self._invoker, self._background)
            for function in self._functions
            if isinstance(function.trigger, TimerTrigger)
        ]
        has_blob_triggers = any(isinstance(function.trigger, BlobTrigger) for function in self._functions)
        return [*timers, self._listen_for_blobs()] if has_blob_triggers else timers

    async def _listen_for_blobs(self) -> None:
        host_blobs, host_queue = blob_service(self._storage), queue_client(self._storage, BLOB_TRIGGER_QUEUE)
        await _create_when_available(host_blobs, host_queue)
        queue = BlobQueue(self._functions, host_queue, self._invoker, self._background)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(queue.run())
            for function in self._functions:
                if isinstance(function.trigger, BlobTrigger):
                    scan = BlobScan(function.name, function.trigger, host_blobs, host_queue, queue.notify)
                    tasks.create_task(scan.run())

    def _http_app(self) -> Starlette:
        async def status(_request: Request) -> Response:
            return JSONResponse({"id": HOST_ID, "state": "Running"})

        return Starlette(
            routes=[Route(STATUS_PATH, status), event_grid_route(self._functions, self._invoker, self._background)]
        )


async def _create_when_available(blobs: BlobServiceClient, queue: QueueClient) -> None:
    """Create the container and the queue of the host, as soon as storage answers."""
    while True:
        try:
            await asyncio.to_thread(_create, blobs, queue)
        except AzureError as error:
            _log.debug("Storage does not answer yet: %s", error)
            await asyncio.sleep(STORAGE_RETRY_SECONDS)
        else:
            return


def _create(blobs: BlobServiceClient, queue: QueueClient) -> None:
    with contextlib.suppress(ResourceExistsError):
        blobs.create_container(HOSTS_CONTAINER)
    with contextlib.suppress(ResourceExistsError):
        queue.create_queue()
