"""What stands in front of a service of Azure, and passes requests on: as they are, late, or not at all."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.identity import Certificate, serving

LATE_SECONDS = 0.3
READING = ("GET", "HEAD")


class Weather(Enum):
    """How a service behaves towards those who come through the gateway."""

    FAIR = "answers"
    REFUSES_READS = "refuses reads"
    REFUSES_WRITES = "refuses writes"
    LATE = "answers late"
    SILENT = "does not answer"
    GONE = "goes away in the middle"


@dataclass
class Gateway:
    """A gateway in front of one service: both behind TLS, if it has a certificate.

    `refusal` is the body of a 403. Reads are refused, and requests not answered, if `until` says so of them; `reached`
    says that one was not answered. GONE begins with the first request that `until` says is too much: of the answer to a
    read half is given, a write is carried out and not answered; from then on every connection is closed.
    """

    service: int
    refusal: tuple[str, str]
    weather: Weather = Weather.FAIR
    until: Callable[[str, str], bool] = lambda _method, _path: True
    is_gone: bool = False
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    has_tls: bool = True

    def change(self, weather: Weather, until: Callable[[str, str], bool] = lambda _method, _path: True) -> None:
        """Let the service behave so from now on."""
        self.over.set()  # lets go of those who were not answered
        self.weather, self.until, self.is_gone, self.over = weather, until, False, threading.Event()
        self.seen.clear()
        self.reached.clear()

    @contextlib.contextmanager
    def run(self, certificate: Certificate | None) -> Iterator[int]:
        """Serve until the end of `with`; the port."""
        handler = type("Handler", (_Handler,), {"gateway": self})
        server = _Server(("127.0.0.1", 0), handler)
        self.has_tls = certificate is not None
        if certificate:
            server.socket = certificate.server_context().wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        with serving(server) as port:
            try:
                yield port
            finally:
                self.change(Weather.FAIR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A client has gone."""


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        gateway = self.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        gateway.seen.append(f"{self.command} {self.path}")
        reads = self.command in READING
        match gateway.weather:
            case Weather.REFUSES_READS if reads and gateway.until(self.command, self.path):
                self._refuse()
            case Weather.REFUSES_WRITES if not reads:
                self._refuse()
            case Weather.SILENT if gateway.until(self.command, self.path):
                over = gateway.over
                gateway.reached.set()
                over.wait()
            case Weather.GONE if gateway.is_gone:
                return
            case Weather.GONE if gateway.until(self.command, self.path):
                gateway.is_gone = True
                self._pass_on(body, share=0.5 if reads else 0)
            case weather:
                time.sleep(LATE_SECONDS if weather is Weather.LATE else 0)
                self._pass_on(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815 - as http.server calls them

    def _refuse(self) -> None:
        kind, text = self.gateway.refusal
        self.send_response(403)
        self.send_header("Content-Type", kind)
        self.send_header("x-ms-error-code", "AuthorizationPermissionMismatch")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def _pass_on(self, body: bytes, share: float = 1) -> None:
        """Let the service answer; of that, the client gets the head and this share of the body, or nothing."""
        service = http.client.HTTPConnection("127.0.0.1", self.gateway.service)
        if self.gateway.has_tls:
            context = ssl._create_unverified_context()
            service = http.client.HTTPSConnection("127.0.0.1", self.gateway.service, context=context)
        with contextlib.closing(service):
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            service.request(self.command, self.path, body or None, headers)
            answer = service.getresponse()
            content = answer.read()
        if not share:
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if length is not None and answer.status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content[: int(len(content) * share)])
