"""Azure on one machine: starts storage, Batch, Event Grid and the Functions host, watches over them and stops them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from local.child import Child, Program
from local.data_dir import DataDir, RunningStack
from local.ports import Ports
from local.services import Services
from local.stack_settings import stack_settings

if TYPE_CHECKING:
    from types import TracebackType

    from local.stack_options import StackOptions

WATCH_POLL_SECONDS = 0.2


class Stack:
    """A stack that runs inside of `with`: everything is up at its beginning, and no process is left at its end."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.data_dir = DataDir(options.data_dir)
        self.settings: dict[str, str] = {}
        self._programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Start everything; returns once all of it answers and the containers are there.

        Raises LocalError if the data directory or a port is in use, a tool is missing, or a service does not start.
        """
        self.data_dir.lock()
        try:
            self._start_all()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._stop_all()

    def start(self, name: str) -> None:
        """Start a service again that was killed, and wait until it answers."""
        self._launch(self._programs[name])
        self._children[name].wait_ready()

    def kill(self, name: str) -> None:
        """End a service with SIGKILL, with all of its process group."""
        self._children.pop(name).kill()

    def watch(self) -> None:
        """Return never. Raises LocalError when a service ends by itself."""
        while True:
            for child in self._children.values():
                child.raise_if_ended()
            time.sleep(WATCH_POLL_SECONDS)

    def _start_all(self) -> None:
        ports = Ports.choose(self.options.ports)
        self.settings = stack_settings(ports, self.options)
        services = Services(self.options, self.data_dir, ports, self.settings)
        self._programs = {program.name: program for program in services.all()}
        for program in self._programs.values():
            self._launch(program)
        self._children["azurite"].wait_ready()
        self._create_containers()
        for child in self._children.values():
            child.wait_ready()
        endpoints = {name: f"http://127.0.0.1:{port}" for name, port in asdict(ports).items()}
        pids = {name: child.pid for name, child in self._children.items()}
        self.data_dir.describe(RunningStack(endpoints, self.settings, pids))

    def _launch(self, program: Program) -> None:
        self._children[program.name] = Child(program)

    def _create_containers(self) -> None:
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415 - slow; Azurite starts meanwhile
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415

        from shared.settings import Settings  # noqa: PLC0415

        blobs = BlobServiceClient.from_connection_string(self.settings["RunStorage"])
        for container in asdict(Settings.from_environ(self.settings).containers).values():
            with contextlib.suppress(ResourceExistsError):
                blobs.create_container(container)

    def _stop_all(self) -> None:
        """In reverse order: whoever is stopped can still use what it needs."""
        for name in reversed(self._programs):
            if name in self._children:
                self._children.pop(name).stop()
        self.data_dir.unlock()
