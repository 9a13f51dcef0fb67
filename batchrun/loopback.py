"""A local stack is on the loopback interface, which no proxy can reach."""

from __future__ import annotations

from collections.abc import MutableMapping

_LOOPBACK_HOSTS = "127.0.0.1,localhost"
_NO_PROXY = ("NO_PROXY", "no_proxy")  # some programs read one, some the other


def bypass_proxies(environ: MutableMapping[str, str]) -> None:
    """Make HTTP clients that follow `environ` connect to the loopback interface directly, whatever proxy it names."""
    for name in _NO_PROXY:
        others = environ.get(name)
        environ[name] = f"{_LOOPBACK_HOSTS},{others}" if others else _LOOPBACK_HOSTS
