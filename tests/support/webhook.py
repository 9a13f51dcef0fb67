"""A webhook that does what a test tells it."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import WAIT_SECONDS


@dataclass(frozen=True)
class Delivery:
    """A request that the webhook got."""

    path: str
    headers: dict[str, str]
    body: Any


class Webhook:
    """A webhook; it waits for `released`, then answers with the first of `statuses` or, if there is none, `status`.

    The handshake allows whoever asks, unless it has an `allowed_origin`.
    """

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.allowed_origin: str | None = None
        self.statuses: list[int] = []
        self.released = threading.Event()
        self.released.set()
        self.validations: list[dict[str, str]] = []
        self._deliveries: queue.Queue[Delivery] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def next_delivery(self) -> Delivery:
        """Wait for the next request."""
        return self._deliveries.get(timeout=WAIT_SECONDS)

    def nothing_more(self) -> bool:
        """Whether nothing has come that the test has not asked for."""
        return self._deliveries.empty()

    def close(self) -> None:
        """Answer what waits, and stop listening."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(webhook) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_OPTIONS(self) -> None:
                webhook.validations.append(dict(self.headers))
                self.send_response(200)
                origin = webhook.allowed_origin or self.headers["WebHook-Request-Origin"]
                self.send_header("WebHook-Allowed-Origin", origin)
                self.end_headers()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                webhook._deliveries.put(Delivery(self.path, headers, body))
                webhook.released.wait(WAIT_SECONDS)
                self.send_response(webhook.statuses.pop(0) if webhook.statuses else webhook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
