"""The asynchronous Batch client, called as the synchronous one is: the same test drives both."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Self

from azure.batch.aio import BatchClient
from azure.core.polling import AsyncLROPoller
from azure.core.rest import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from azure.core.credentials import AzureNamedKeyCredential


def send(client: Any, method: str, path: str, **more: Any) -> HttpResponse:
    """Send a signed request as it is, by either client."""
    request = HttpRequest(method, path, params={"api-version": "2025-06-01"}, **more)
    return client.send_request(request)


class BlockingClient:
    """Every call runs to its end on an event loop of its own: pages are read, pollers wait when they are asked to."""

    def __init__(self, endpoint: str, credential: AzureNamedKeyCredential) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._connect(endpoint, credential))

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._client, name)
        return lambda *arguments, **more: self._loop.run_until_complete(self._settle(target(*arguments, **more)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()

    async def _connect(self, endpoint: str, credential: AzureNamedKeyCredential) -> BatchClient:
        return BatchClient(endpoint, credential, retry_total=0)

    async def _settle(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, AsyncLROPoller):
            return _BlockingPoller(self._loop, value)
        if hasattr(value, "__aiter__"):
            return [item async for item in value]
        return value


class _BlockingPoller:
    def __init__(self, loop: asyncio.AbstractEventLoop, poller: AsyncLROPoller[Any]) -> None:
        self._loop = loop
        self._poller = poller

    def wait(self) -> None:
        """Wait for the operation to end."""
        self._loop.run_until_complete(self._poller.wait())
