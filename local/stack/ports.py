"""The ports of a stack on the loopback interface."""

from __future__ import annotations

import random
import socket
from dataclasses import asdict, dataclass

from local.errors import LocalError

DEFAULT_BASE = 10000
DEFAULT_FUNCTIONS_PORT = 7071  # that of `func start`
AUTO = "auto"
HIGHEST_PORT = 65535
_AUTO_RANGE = range(20000, 32000)  # below the ports that the system gives to outgoing connections


@dataclass(frozen=True)
class Ports:
    """One port for each service."""

    blob: int
    queue: int
    table: int
    batch: int
    eventgrid: int
    functions: int

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for a value that is not a port: the file it comes from may be damaged."""
        for name, port in asdict(self).items():
            if not isinstance(port, int):
                raise TypeError(f"{name} is not a port: {port!r}.")
            if not 0 < port <= HIGHEST_PORT:
                raise ValueError(f"{name} is not a port: {port}.")

    @classmethod
    def choose(cls, ports: str | None, previous: Ports | None = None) -> Ports:
        """The ports that the option `--ports` stands for: None for the defaults, a base, or `auto`.

        With `auto` the ports of the `previous` stack are used again if they are free, so that the URLs that its open
        tasks have remain valid.

        Raises LocalError if a port is in use, ValueError if the option is neither a base nor `auto`.
        """
        if ports == AUTO:
            return previous if previous and not previous.in_use() else cls(*_free_ports(6))
        chosen = cls.default() if ports is None else cls._from(base_port(ports), base_port(ports) + 5)
        for name, port in chosen.in_use():
            raise LocalError(
                f"Port {port} ({name}) is in use. Choose other ports with --ports BASE, or --ports {AUTO}."
            )
        return chosen

    @classmethod
    def default(cls) -> Ports:
        """The default ports, whether or not they are in use."""
        return cls._from(DEFAULT_BASE, DEFAULT_FUNCTIONS_PORT)

    @classmethod
    def _from(cls, base: int, functions: int) -> Ports:
        return cls(base, base + 1, base + 2, base + 3, base + 4, functions)

    def in_use(self) -> list[tuple[str, int]]:
        """The services whose port is in use, and the port."""
        return [(name, port) for name, port in asdict(self).items() if not _is_free(port)]


def base_port(ports: str) -> int:
    """The first of six ports. Raises ValueError with the valid values."""
    highest = HIGHEST_PORT - 5
    if not (ports.isascii() and ports.isdecimal()) or not 1 <= int(ports) <= highest:
        raise ValueError(f"'{ports}' is not the first of six ports, from 1 to {highest}, or {AUTO}")
    return int(ports)


def _free_ports(count: int) -> list[int]:
    """Consecutive ports: two stacks that start at the same moment then hardly ever choose the same ones."""
    for base in random.sample(_AUTO_RANGE[::count], len(_AUTO_RANGE[::count])):
        ports = list(range(base, base + count))
        if all(map(_is_free, ports)):
            return ports
    raise LocalError("There are no free ports on this machine.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
