"""How requests reach a service: connections that calls in parallel can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.parallel import AT_ONCE

if TYPE_CHECKING:
    from azure.core.pipeline.transport import RequestsTransport

KEPT_CONNECTIONS = AT_ONCE * AT_ONCE
"""Calls in parallel make calls in parallel. By default ten connections to a service are kept, and others are closed
with the warning `Connection pool is full`: then nearly every call of a burst makes a new one, with TLS."""
SERVICES = 10  # as by default: each client has one, or two where requests are redirected
CONNECT_SECONDS = 20
READ_SECONDS = 60
"""As the SDK has them for storage; for all other services its default is five minutes, as long as an invocation."""


def transport(*, connect_seconds: int = CONNECT_SECONDS, read_seconds: int = READ_SECONDS) -> RequestsTransport:
    """Make the transport of one client, as the SDK makes it but for the number of connections that it keeps.

    The client of an Event Grid topic takes none: it passes no options on (azure-eventgrid 4.22, `_patch.py`).
    """
    from azure.core.pipeline.transport import RequestsTransport

    made = RequestsTransport(connection_timeout=connect_seconds, read_timeout=read_seconds)
    made.open()
    for adapter in made.session.adapters.values():
        adapter.init_poolmanager(SERVICES, KEPT_CONNECTIONS)
    return made
