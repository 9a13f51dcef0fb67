"""Everything of a stack is on the loopback interface, which no proxy reaches."""

from __future__ import annotations

from collections.abc import MutableMapping

LOOPBACK_HOSTS = "127.0.0.1,localhost"
_NO_PROXY = ("NO_PROXY", "no_proxy")  # some programs read the one, some the other


def bypass_proxies(environ: MutableMapping[str, str]) -> None:
    """Let HTTP clients that go by an environment reach the loopback interface directly, whatever proxy it names."""
    for name in _NO_PROXY:
        others = environ.get(name)
        environ[name] = f"{LOOPBACK_HOSTS},{others}" if others else LOOPBACK_HOSTS
