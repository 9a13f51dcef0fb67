"""What goes out of one process of the app, call by call, and how it goes wrong at a chosen call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceResponseError

from shared.app import App
from shared.documents.run_ended import RunEnded
from shared.events import JobEnded
from tests.integration.conftest import Outbox, World

Answer = TypeVar("Answer")


class Death(BaseException):
    """The process is gone: nothing in it can catch that, and nothing more goes out."""


class Fault(Enum):
    """What goes wrong with a call."""

    DIES_BEFORE = "the process dies right before the call"
    DIES_AFTER = "the process dies right after the call"
    ANSWER_LOST = "the call is carried out, but its answer is lost"


@dataclass
class Wire:
    """The outgoing calls of one process, in the order in which they begin; the one with number `at` goes wrong."""

    fault: Fault | None = None
    at: int = 0
    calls: list[str] = field(default_factory=list)
    is_dead: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, what: str, send: Callable[[], Answer]) -> Answer:
        """Make a call, unless the process dies of it or is dead already."""
        with self._lock:
            self._live()
            self.calls.append(what)
            fault = self.fault if len(self.calls) == self.at else None
            self.is_dead = fault is Fault.DIES_BEFORE
            self._live()
        answer = send()
        if fault is Fault.DIES_AFTER:
            self.is_dead = True
        self._live()
        if fault is Fault.ANSWER_LOST:
            raise ServiceResponseError(f"the connection broke before the answer to {what} came")
        return answer

    @property
    def has_failed(self) -> bool:
        """Whether there were so many calls."""
        return len(self.calls) >= self.at

    def _live(self) -> None:
        if self.is_dead:
            raise Death


@dataclass(frozen=True)
class Topic:
    """The topic, at the end of a process's wire."""

    wire: Wire
    outbox: Outbox

    def publish(self, events: Sequence[JobEnded]) -> None:
        """Publish, unless the process dies of it."""
        self.wire.call("PUBLISH", lambda: self.outbox.publish(events))

    def publish_end(self, ended: RunEnded) -> None:
        """Tell others of the end, unless the process dies of it."""
        self.wire.call("PUBLISH RunEnded", lambda: self.outbox.publish_end(ended))


def process(world: World, wire: Wire) -> App:
    """A new process of the app: all that it sends to storage, Batch and the topic goes over the wire."""
    app = App.of(world.settings)
    for transport in (app.staging._blobs._pipeline._transport, app.batch._client._client._pipeline._transport):
        _intercept(transport, wire)
    app.results._masker = world.app.results._masker  # for it the templates of the report are compiled already
    return replace(app, events=Topic(wire, world.outbox))


def _intercept(transport, wire: Wire) -> None:
    send = transport.send

    def sent(request, **options):
        what = f"{request.method} {urlsplit(request.url).path}"
        return wire.call(what, lambda: send(request, **options))

    transport.send = sent
