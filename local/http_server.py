"""Serves an ASGI app on the loopback interface until the process is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

from local.errors import LocalError

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to its caller: uvicorn raises them again before the caller can clean up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def stop_requested() -> asyncio.Event:
    """An event that is set on the next SIGTERM or SIGINT."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, event.set)
    return event


def listen(port: int) -> socket.socket:
    """Listen on a port of the loopback interface. Raises LocalError if it is in use."""
    # Naming TCP matters: asyncio turns off Nagle's algorithm only for sockets that do, which saves 40 ms a request.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise LocalError(f"Port {port} is in use. Choose another one with --port.") from None
    return listener


async def serve_until(stop: asyncio.Event, app: ASGIApp, listener: socket.socket, *, grace_seconds: int) -> None:
    """Serve `app` until `stop` is set; then wait up to `grace_seconds` for requests in progress."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,
        timeout_graceful_shutdown=grace_seconds,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        await stop.wait()
        server.should_exit = True
