"""A stack: starts storage, Batch, Event Grid and the Functions host, checks that they run, and stops them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from types import TracebackType
from typing import NoReturn, Self

from local.batch.node.container_engine import find_engine
from local.errors import LocalError
from local.stack.child import Child, Program
from local.stack.data_dir import DataDir, RunningStack
from local.stack.options import StackOptions
from local.stack.ports import DEFAULT_FUNCTIONS_PORT, Ports
from local.stack.services import AZURITE, BATCH, FUNCTIONS, Services
from local.stack.settings import stack_settings

WATCH_POLL_SECONDS = 0.2


class Stack:
    """A stack that runs while it is entered with `with`; at the end no process is left."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.data_dir = DataDir(options.data_dir)
        self.settings: dict[str, str] = {}
        self.functions_port = DEFAULT_FUNCTIONS_PORT
        self._programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Start all services; returns once they answer and the containers exist.

        Raises LocalError if the data directory or a port is in use, a tool is missing, or a service does not start.
        """
        self.data_dir.lock(private=self.options.private)
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
        """Start a service again after it was killed, and wait until it answers."""
        self._launch(name)
        self._children[name].wait_ready()

    def kill(self, name: str) -> None:
        """End a service and its whole process group with SIGKILL."""
        self._children.pop(name).kill()

    def check(self) -> None:
        """Raise LocalError if a service has ended by itself."""
        for child in self._children.values():
            child.raise_if_ended()

    def watch(self) -> NoReturn:
        """Wait until a service ends by itself, and raise LocalError then."""
        while True:
            self.check()
            time.sleep(WATCH_POLL_SECONDS)

    def _start_all(self) -> None:
        if self.options.containers:
            find_engine()  # fails here with its message, rather than in the log of a service
        previous = self.data_dir.last_ports()
        ports = Ports.choose(self.options.ports, previous)
        self.data_dir.remember_ports(ports)
        self.functions_port = ports.functions
        self.settings = stack_settings(ports, self.options)
        services = Services(self.options, self.data_dir, ports, self.settings)
        self._programs = {program.name: program for program in services.all()}
        last = {FUNCTIONS}
        if previous is not None:
            last.add(BATCH)  # as soon as it starts it continues the tasks of the previous stack, which need storage
        for name in self._programs.keys() - last:
            self._launch(name)
        self._children[AZURITE].wait_ready()
        if BATCH in last:
            self._launch(BATCH)
        self._create_containers()
        for child in self._children.values():
            child.wait_ready()
        if FUNCTIONS in self._programs:  # last: the app needs the other services
            self.start(FUNCTIONS)
        if not self.options.private:
            self.data_dir.describe(self._description(ports))

    def _description(self, ports: Ports) -> RunningStack:
        endpoints = {name: f"http://127.0.0.1:{port}" for name, port in asdict(ports).items()}
        if not self.options.functions:
            del endpoints["functions"]
        return RunningStack(endpoints, self.settings, {name: child.pid for name, child in self._children.items()})

    def _launch(self, name: str) -> None:
        self._children[name] = Child(self._programs[name])

    def _create_containers(self) -> None:
        from azure.core.exceptions import AzureError, ResourceExistsError  # noqa: PLC0415 - slow to load; Azurite starts meanwhile
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415

        from shared.settings import Settings  # noqa: PLC0415

        with BlobServiceClient.from_connection_string(self.settings["RunStorage"]) as blobs:
            for container in asdict(Settings.from_environ(self.settings).containers).values():
                try:
                    with contextlib.suppress(ResourceExistsError):
                        blobs.create_container(container)
                except AzureError as error:
                    log = self._programs[AZURITE].log
                    raise LocalError(f"Storage did not create the container {container}: {error} See {log}.") from error

    def _stop_all(self) -> None:
        """Stop the services in reverse order, so that each can use the ones it needs until it has stopped."""
        for name in reversed(self._programs):
            if name in self._children:
                self._children.pop(name).stop()
        self.data_dir.unlock()
