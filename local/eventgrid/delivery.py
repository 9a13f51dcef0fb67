"""A subscription at work: validates its endpoint, then delivers every event that waits for it, at least once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import httpx

from local.event_subscriptions import EventSubscription
from local.eventgrid import retry_policy
from local.eventgrid.event_store import Attempts, EventStore, StoredEvent
from local.eventgrid.events import webhook_request
from local.eventgrid.retry_policy import DeadLetter, DeadLetterReason, Delivered, NoResponse, Outcome, RetryAt

CONCURRENT_DELIVERIES = 16
NOT_THERE_YET = timedelta(seconds=0.1)
"""How long an endpoint that does not answer is left alone at first: it may be starting. Each time a little longer."""
LEFT_ALONE = timedelta(seconds=1)
"""How long an endpoint is left alone that has refused, or not answered for some time."""
ORIGIN = "eventgrid.azure.net"
REFUSAL = "%s gets no events: it must answer OPTIONS, which it answers with %d, with WebHook-Allowed-Origin: %s"

_log = logging.getLogger(__name__)


class Delivery:
    """Delivers the stored events of one subscription to its webhook, whatever becomes of other subscriptions."""

    def __init__(self, subscription: EventSubscription, store: EventStore, endpoint: str, retry_scale: float) -> None:
        self.subscription = subscription
        self._store = store
        self._endpoint = endpoint
        self._retry_scale = retry_scale
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def look_again(self) -> None:
        """Notice that events have been stored for the subscription."""
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
        told = False
        pause = NOT_THERE_YET
        while True:
            try:
                answer = await client.options(self._endpoint, headers={"WebHook-Request-Origin": ORIGIN})
            except httpx.HTTPError:
                answer = None
            if answer and answer.is_success and answer.headers.get("WebHook-Allowed-Origin") in {ORIGIN, "*"}:
                _log.info("Endpoint of %s validated: %s", self.subscription.name, self._endpoint)
                return
            if answer and not told:
                _log.warning(REFUSAL, self._endpoint, answer.status_code, ORIGIN)
                told = True
            self._give_up_expired()
            pause = LEFT_ALONE if answer else min(pause * 1.1, LEFT_ALONE)
            await asyncio.sleep(pause.total_seconds())

    def _give_up_expired(self) -> None:
        """Give up what has waited too long for an endpoint that is not validated."""
        for stored in self._store.due_first(self.subscription.name, CONCURRENT_DELIVERIES):
            if self._has_expired(stored):
                self._give_up(stored, stored.attempts, DeadLetterReason.TIME_TO_LIVE)

    def _start_due(self, client: httpx.AsyncClient, deliveries: asyncio.TaskGroup) -> float | None:
        """Start the deliveries that are due, within the limit; returns the seconds to the next one, None if unknown."""
        now = datetime.now(UTC)
        first = self._store.due_first(self.subscription.name, 2 * CONCURRENT_DELIVERIES)
        waiting = [stored for stored in first if stored.number not in self._under_way]
        free = CONCURRENT_DELIVERIES - len(self._under_way)
        for stored in waiting[:free]:
            if stored.due > now:
                return (stored.due - now).total_seconds()
            self._under_way[stored.number] = deliveries.create_task(self._deliver(client, stored))
        return None

    async def _deliver(self, client: httpx.AsyncClient, stored: StoredEvent) -> None:
        try:
            if self._has_expired(stored):
                self._give_up(stored, stored.attempts, DeadLetterReason.TIME_TO_LIVE)
            else:
                self._conclude(stored, await self._attempt(client, stored))
        finally:
            del self._under_way[stored.number]
            self._changed.set()

    def _has_expired(self, stored: StoredEvent) -> bool:
        policy, now = self.subscription.retry_policy, datetime.now(UTC)
        return retry_policy.has_expired(stored.published, policy, now=now, scale=self._retry_scale)

    async def _attempt(self, client: httpx.AsyncClient, stored: StoredEvent) -> Outcome:
        request = webhook_request(stored.event, self.subscription.name, stored.attempts.count)
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
        made = Attempts(stored.attempts.count + 1, now, retry_policy.outcome_name(outcome))
        policy = self.subscription.retry_policy
        match retry_policy.after_attempt(outcome, policy, attempts=made.count, now=now, scale=self._retry_scale):
            case Delivered():
                self._store.remove(stored)
                _log.info("%s: event %s delivered (attempt %d)", self.subscription.name, stored.event.id, made.count)
            case RetryAt(time):
                self._store.retry(stored, made, time)
                message = "%s: event %s not delivered (attempt %d: %s); next %s"
                _log.warning(message, self.subscription.name, stored.event.id, made.count, made.outcome, time)
            case DeadLetter(reason):
                self._give_up(stored, made, reason)

    def _give_up(self, stored: StoredEvent, made: Attempts, reason: DeadLetterReason) -> None:
        file = self._store.dead_letter(stored, made, reason)
        message = "%s: event %s given up after %d attempts (%s, the last: %s): %s"
        _log.error(message, self.subscription.name, stored.event.id, made.count, reason, made.outcome, file)
