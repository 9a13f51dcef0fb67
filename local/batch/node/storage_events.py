"""What storage would say of the blobs that tasks create: no emulator of it raises events, so the node does.

A `BlobCreated` of Event Grid's own schema for each blob, posted to an address that the service was given:
https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage. Nothing waits for it, and what cannot be
delivered is logged and lost. Storage itself loses no event, so that whoever listens must do without more of them here.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from local.event_subscriptions import blob_created

EVENTS_IN_A_REQUEST = 100
"""Names have up to 1,024 characters, which are up to nine each in a URL: so many events stay below 1 MiB."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between the tries."""
TRY_SECONDS = 5.0
CLOSE_SECONDS = 3.0
LARGEST_PUT_BLOB = 64 * 1024 * 1024  # `max_single_put_size` of the SDK, which sends larger ones in blocks
NOT_ENCODED = "/~#"
"""What stays as it is in `data.url`; `#` too: https://github.com/Azure/azure-sdk-for-net/issues/23634."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CreatedBlob:
    """A blob that a node has created or replaced, and what storage answered."""

    container_url: str
    container: str
    name: str
    length: int
    content_type: str
    answer: Mapping[str, object]


class StorageEvents:
    """Posts events in the background, each request until it is taken or all tries have failed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TRY_SECONDS)
        self._posts: set[asyncio.Task[None]] = set()

    def tell(self, blobs: Iterable[CreatedBlob]) -> None:
        """Begin to post what storage would say of these blobs; returns at once."""
        events = [_event(blob) for blob in blobs]
        for start in range(0, len(events), EVENTS_IN_A_REQUEST):
            post = asyncio.ensure_future(self._post(events[start : start + EVENTS_IN_A_REQUEST]))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)

    async def close(self) -> None:
        """Wait a bounded time for what is being posted; what is not taken by then is lost."""
        if self._posts:
            _, late = await asyncio.wait(self._posts, timeout=CLOSE_SECONDS)
            for post in late:
                post.cancel()
            if late:
                log.error("Stopping: %d requests with events of blobs were not taken by %s.", len(late), self._url)
                await asyncio.wait(late)
        await self._client.aclose()

    async def _post(self, events: list[dict[str, object]]) -> None:
        problem = await self._try(events)
        for pause in PAUSES:
            if problem is None:
                return
            await asyncio.sleep(pause)
            problem = await self._try(events)
        if problem is None:
            return
        log.error("Lost: %d events of blobs, the first of %s: %s", len(events), events[0]["subject"], problem)

    async def _try(self, events: list[dict[str, object]]) -> str | None:
        """Post once; return why the events were not taken, None if they were."""
        try:
            answer = await self._client.post(self._url, json=events)
        except httpx.HTTPError as error:
            return f"{self._url} does not answer ({error!r})"
        return None if answer.is_success else f"{self._url} answers {answer.status_code}: {answer.text[:200]}"


def _event(blob: CreatedBlob) -> dict[str, object]:
    answer = blob.answer
    seen = blob_created(blob.container, blob.name, blob.length)
    data = {
        "api": "PutBlob" if blob.length <= LARGEST_PUT_BLOB else "PutBlockList",
        "clientRequestId": answer.get("client_request_id"),
        "requestId": answer.get("request_id"),
        "eTag": str(answer.get("etag", "")).strip('"'),
        "contentType": blob.content_type,
        "contentLength": blob.length,
        "blobType": "BlockBlob",
        "url": _url_of(blob),
        "sequencer": f"{time.time_ns():032X}",
    }
    time_of_event = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {**seen, "id": str(uuid.uuid4()), "eventTime": time_of_event, "dataVersion": "", "data": data}


def _url_of(blob: CreatedBlob) -> str:
    """The address of a blob, without the signature that it was created with."""
    account = urlsplit(blob.container_url)
    path = f"{account.path.rstrip('/')}/{quote(blob.name, safe=NOT_ENCODED)}"
    return urlunsplit((account.scheme, account.netloc, "", "", "")) + path
