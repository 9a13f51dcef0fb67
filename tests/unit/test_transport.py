"""Connections to services: as many are kept as calls are made at once."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from batchrun.client._connections import Connections
from batchrun.client._services import Services
from shared.clients import Clients
from shared.parallel import AT_ONCE, in_parallel
from shared.settings import Settings

SAMPLE = json.loads(Path("local.settings.sample.json").read_text())["Values"]
MOST = AT_ONCE * AT_ONCE  # a tick submits runs in parallel, each of which uploads its files in parallel


class Service(ThreadingHTTPServer):
    """It answers nobody before so many have asked: all their connections are open at the same time."""

    request_queue_size = MOST
    daemon_threads = True

    def __init__(self) -> None:
        self.all_have_asked = threading.Barrier(MOST)
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Any request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer when all have asked."""
        self.server.all_have_asked.wait()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of such a service."""
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


def of_app(settings: dict[str, str]) -> Clients:
    return Clients(Settings.from_environ(settings))


def of_command(settings: dict[str, str]) -> Connections:
    return Connections(Services.of(settings))


def ask_storage(clients: Any) -> Callable[[], object]:
    return clients.blobs.get_container_client("inbox").exists


def ask_batch(clients: Any) -> Callable[[], object]:
    return lambda: clients.batch.send_request(HttpRequest("GET", "/jobs/x"))


@pytest.mark.parametrize(
    ("clients", "ask"),
    [
        (of_app, ask_storage),
        (of_app, ask_batch),
        (of_command, ask_storage),
        (of_command, ask_batch),
    ],
)
def test_a_connection_is_kept_for_each_call_that_is_made_at_once(url: str, clients, ask, caplog) -> None:
    settings = {
        name: value.replace("http://127.0.0.1:1000", f"{url}/").replace(f"{url}/0/", f"{url}/")
        for name, value in SAMPLE.items()
    }
    call = ask(clients(settings))
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        in_parallel(lambda _: call(), range(MOST), at_once=MOST)
    assert [message for message in caplog.messages if "pool is full" in message] == []
    assert sum("Starting new HTTP connection" in message for message in caplog.messages) == MOST
