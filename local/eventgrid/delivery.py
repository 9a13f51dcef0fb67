"""The subscription: validates its endpoint, then delivers every stored event at least once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import httpx

from local.eventgrid import retry_policy
from local.eventgrid.event_store import EventStore, StoredEvent
from local.eventgrid.events import webhook_request
from local.eventgrid.retry_policy import DeadLetter, Delivered, NoResponse, Outcome, RetryAt

CONCURRENT_DELIVERIES = 16
VALIDATION_INTERVAL = timedelta(seconds=0.1)
ORIGIN = "eventgrid.azure.net"

_log = logging.getLogger(__name__)


class Subscription:
    """Delivers the events in the store to one webhook."""

    def __init__(self, store: EventStore, endpoint: str, retry_scale: float) -> None:
        self._store = store
        self._endpoint = endpoint
        self._retry_scale = retry_scale
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wake up the delivery: the store has new events."""
        self._changed.set()

    async def run(self) -> None:
        """Validate the endpoint, as soon as it answers, then deliver until cancelled."""
        timeout = retry_policy.RESPONSE_TIMEOUT.total_seconds()
        async with httpx.AsyncClient(timeout=timeout) as client, asyncio.TaskGroup() as deliveries:
            await self._validate_endpoint(client)
            while True:
                self._changed.clear()
                wait = self._start_due(client, deliveries)
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue  # the next event is due

    async def _validate_endpoint(self, client: httpx.AsyncClient) -> None:
        """Do the handshake of CloudEvents.

        https://learn.microsoft.com/azure/event-grid/end-point-validation-cloud-events-schema
        """
        while True:
            try:
                answer = await client.options(self._endpoint, headers={"WebHook-Request-Origin": ORIGIN})
            except httpx.HTTPError:
                answer = None
            if answer and answer.is_success and answer.headers.get("WebHook-Allowed-Origin") in {ORIGIN, "*"}:
                _log.info("Endpoint validated: %s", self._endpoint)
                return
            await asyncio.sleep(VALIDATION_INTERVAL.total_seconds())

    def _start_due(self, client: httpx.AsyncClient, deliveries: asyncio.TaskGroup) -> float | None:
        """Start the deliveries that are due, within the limit; returns the seconds to the next one, None if unknown."""
        now = datetime.now(UTC)
        waiting = [e for e in self._store.due_first(2 * CONCURRENT_DELIVERIES) if e.number not in self._under_way]
        free = CONCURRENT_DELIVERIES - len(self._under_way)
        for stored in waiting[:free]:
            if stored.due > now:
                return (stored.due - now).total_seconds()
            self._under_way[stored.number] = deliveries.create_task(self._deliver(client, stored))
        return None

    async def _deliver(self, client: httpx.AsyncClient, stored: StoredEvent) -> None:
        try:
            outcome = await self._attempt(client, stored)
            self._conclude(stored, outcome)
        finally:
            del self._under_way[stored.number]
            self._changed.set()

    async def _attempt(self, client: httpx.AsyncClient, stored: StoredEvent) -> Outcome:
        request = webhook_request(stored.event, stored.attempts)
        try:
            async with asyncio.timeout(retry_policy.RESPONSE_TIMEOUT.total_seconds()):
                answer = await client.post(self._endpoint, content=request.body, headers=request.headers)
        except (TimeoutError, httpx.TimeoutException):
            return NoResponse.TIMED_OUT
        except httpx.HTTPError:
            return NoResponse.NOT_REACHED
        return answer.status_code

    def _conclude(self, stored: StoredEvent, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        attempts = stored.attempts + 1
        name = retry_policy.outcome_name(outcome)
        step = retry_policy.after_attempt(
            outcome, attempts=attempts, published=stored.published, now=now, scale=self._retry_scale
        )
        match step:
            case Delivered():
                self._store.remove(stored)
                _log.info("Event %s delivered (attempt %d)", stored.event.id, attempts)
            case RetryAt(time):
                self._store.retry(stored, time)
                _log.warning("Event %s not delivered (attempt %d: %s); next %s", stored.event.id, attempts, name, time)
            case DeadLetter(reason):
                file = self._store.dead_letter(stored, reason, name, now)
                _log.error("Event %s given up (attempt %d: %s, %s): %s", stored.event.id, attempts, name, reason, file)
