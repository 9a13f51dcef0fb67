"""The services of a stack, as programs to run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from batchrun.loopback import bypass_proxies
from local.batch.node.engine_variables import READ_BY_ENGINES
from local.eventgrid import STORAGE_PATH
from local.stack import azurite
from local.stack.child import Program
from local.stack.data_dir import DataDir
from local.stack.options import StackOptions
from local.stack.ports import Ports
from local.stack.settings import azurite_endpoints

AZURITE = "azurite"
BATCH = "batch"
EVENTGRID = "eventgrid"
FUNCTIONS = "functions"
EVENT_HANDLER = "record_run"
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""The variables that services get from the environment of the caller: none that is set for other programs."""


class Services:
    """The programs that make up a stack."""

    def __init__(self, options: StackOptions, data_dir: DataDir, ports: Ports, settings: Mapping[str, str]) -> None:
        self._options = options
        self._data_dir = data_dir
        self._ports = ports
        self._settings = settings
        self._environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        bypass_proxies(self._environ)  # also if the environment names no proxy: macOS has a system-wide setting

    def all(self) -> list[Program]:
        """All programs, each after those that it uses."""
        services = [self._azurite(), self._eventgrid(), self._batch()]
        return [*services, self._functions()] if self._options.functions else services

    def _azurite(self) -> Program:
        endpoints = azurite_endpoints(self._ports)
        command = azurite.start_command(endpoints, self._data_dir.folder("azurite"))
        return self._program(AZURITE, command, f"http://127.0.0.1:{endpoints.table_port}/", self._environ)

    def _batch(self) -> Program:
        pools = [argument for pool in self._options.pools for argument in ("--container-pool", pool)]
        events = f"http://127.0.0.1:{self._ports.eventgrid}{STORAGE_PATH}"
        arguments = ["--data-dir", str(self._data_dir.folder("batch")), "--events", events, *pools]
        if identity := self._settings.get("NODE_IDENTITY_RESOURCE_ID"):
            arguments += ["--node-identity", identity]
        if not self._options.containers:
            return self._python(BATCH, self._ports.batch, "/_local/health", arguments, self._environ)
        engine = {name: os.environ[name] for name in READ_BY_ENGINES if name in os.environ}
        arguments.append("--containers")
        return self._python(BATCH, self._ports.batch, "/_local/health", arguments, {**self._environ, **engine})

    def _eventgrid(self) -> Program:
        webhook = f"http://127.0.0.1:{self._ports.functions}/runtime/webhooks/eventgrid?functionName={EVENT_HANDLER}"
        folder = str(self._data_dir.folder("eventgrid"))
        arguments = ["--data-dir", folder, "--endpoint", webhook, "--retry-scale", str(self._options.retry_scale)]
        arguments += [argument for url in self._options.subscribers for argument in ("--subscribe", url)]
        return self._python(EVENTGRID, self._ports.eventgrid, "/_local/health", arguments, self._environ)

    def _functions(self) -> Program:
        arguments = ["--app-root", str(self._options.app_root)]
        environ = {**self._environ, **self._settings}
        return self._python(FUNCTIONS, self._ports.functions, "/admin/host/status", arguments, environ)

    def _python(
        self, name: str, port: int, health: str, arguments: Sequence[str], environ: Mapping[str, str]
    ) -> Program:
        command = [sys.executable, "-m", f"local.{name}", "--port", str(port), *arguments]
        return self._program(name, command, f"http://127.0.0.1:{port}{health}", environ)

    def _program(self, name: str, command: Sequence[str], ready_url: str, environ: Mapping[str, str]) -> Program:
        return Program(name, tuple(command), environ, self._data_dir.folder("logs") / f"{name}.log", ready_url)
