"""The container engine of this machine, Docker or Podman, through its command line."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.batch.models.node_task import ContainerRegistry
from local.errors import LocalError

ENGINES = ("docker", "podman")
DOCKER_HUB = ("https://index.docker.io/v1/", "docker.io")
"""What Docker and Podman call Docker Hub in their files of credentials."""
CHECK_SECONDS = 30
CGROUP_MANAGER = {
    "docker": "{{.CgroupDriver}} {{.Name}}",
    "podman": "{{.Host.CgroupManager}} {{.Host.Hostname}}",
}
"""What `info` formats as: who makes the cgroups of containers, on which machine."""


class EngineError(Exception):
    """The engine refused a command; the message is what it said."""


@dataclass(frozen=True)
class ContainerEngine:
    """An engine that works, by the name of its program.

    With `takes_cgroups` it puts containers into cgroups that others have made on this machine.
    """

    program: str
    takes_cgroups: bool = False

    def within(self, cgroup: str) -> tuple[str, ...]:
        """Return the arguments of `create` that put a container into a cgroup, and Podman's own processes not."""
        return (f"--cgroup-parent=/{cgroup}", *(("--cgroups=no-conmon",) if self.program == "podman" else ()))

    async def has_image(self, image: str) -> bool:
        """Whether an image need not be pulled."""
        with contextlib.suppress(EngineError):
            await self._run("image", "inspect", image)
            return True
        return False

    async def pull(self, image: str, registry: ContainerRegistry | None) -> None:
        """Fetch an image; EngineError if it cannot be had. The registry's password is on no command line."""
        if registry is None or registry.username is None:
            await self._run("pull", "--quiet", image)
            return
        with _credentials_of(registry) as folder:
            if self.program == "podman":
                await self._run("pull", "--quiet", "--authfile", str(folder / "config.json"), image)
            else:
                host = await self._run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
                await self._run("--config", str(folder), "--host", host.strip(), "pull", "--quiet", image)

    async def create(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> None:
        """Create a container; variables that arguments name without a value are taken from `variables`."""
        await self._run("create", *arguments, variables=variables)

    async def start(self, name: str, directory: Path) -> asyncio.subprocess.Process:
        """Start a container; the process that is returned ends with it, its output in stdout.txt and stderr.txt."""
        with (directory / "stdout.txt").open("wb") as stdout, (directory / "stderr.txt").open("wb") as stderr:
            return await asyncio.create_subprocess_exec(
                *(self.program, "start", "--attach", name),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    async def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of a container."""
        found: list[dict[str, Any]] = json.loads(await self._run("container", "inspect", name))
        return found[0]

    async def kill(self, name: str) -> None:
        """End a container's processes; nothing if it does not run."""
        with contextlib.suppress(EngineError):
            await self._run("kill", name)

    async def remove(self, name: str) -> None:
        """End and remove a container; nothing if there is none."""
        for arguments in removal(name):
            with contextlib.suppress(EngineError):
                await self._run(*arguments)

    async def _run(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        process = await asyncio.create_subprocess_exec(
            *(self.program, *arguments),
            env={**os.environ, **(variables or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        stdout, stderr = await process.communicate()
        if process.returncode:
            raise EngineError(stderr.decode(errors="replace").strip() or f"{self.program} ended with no message.")
        return stdout.decode(errors="replace")


def removal(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands with which an engine ends and removes a container, each of which may fail.

    Podman's `rm --force` alone asks the container to stop, and waits for ten seconds.
    """
    return (("kill", name), ("rm", "--force", "--volumes", name))


def find_engine() -> ContainerEngine:
    """Return the first engine that works; LocalError says what was tried."""
    tried = []
    for program in ENGINES:
        said = _complaint_of(program)
        if said is None:
            return ContainerEngine(program, _takes_cgroups(program))
        tried.append(f"{program}: {said}")
    raise LocalError(
        f"No container engine works here ({'; '.join(tried)}). Install or start Docker or Podman, or leave out "
        "--containers."
    )


def _takes_cgroups(program: str) -> bool:
    """Whether cgroups are directories to an engine, on this machine, and not what it asks systemd for."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        ended = _info(program, "--format", CGROUP_MANAGER[program])
        return ended.returncode == 0 and ended.stdout.split() == ["cgroupfs", socket.gethostname()]
    return False


def _info(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [program, "info", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)


def _complaint_of(program: str) -> str | None:
    """Return why an engine does not work; None if it does."""
    try:
        ended = _info(program)
    except FileNotFoundError:
        return "not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if ended.returncode == 0 else (ended.stderr.strip() or "it gives no reason").splitlines()[-1]


@contextlib.contextmanager
def _credentials_of(registry: ContainerRegistry) -> Iterator[Path]:
    """Write a registry's user and password into a file that engines read, and that nobody else can."""
    pair = base64.b64encode(f"{registry.username}:{registry.password or ''}".encode()).decode()
    servers = (registry.registry_server,) if registry.registry_server else DOCKER_HUB
    with tempfile.TemporaryDirectory(prefix="batch-registry-") as folder:
        file = Path(folder, "config.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": {server: {"auth": pair} for server in servers}}))
        yield Path(folder)
