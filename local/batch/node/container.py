"""A task's container: pulled, created, started, waited for, removed."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Mapping
from typing import Any

from local.batch.failures import FailureCode
from local.batch.machine.commands import RunTask
from local.batch.models.node_task import ContainerExecutionInfo, ContainerRegistry, ContainerSettings
from local.batch.models.pool import Pool
from local.batch.models.usage import Usage
from local.batch.node.cgroups import make_cgroup, remove_cgroup, usage_in
from local.batch.node.container_arguments import NewContainer, bind_mounts, handed_over, user_in_container
from local.batch.node.container_engine import ContainerEngine, EngineError
from local.batch.node.directories import TaskDirectories
from local.batch.node.leftovers import Leftovers
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.task_user import TaskUser, own, service_is_root, unprivileged_user

NEVER_STARTED = frozenset({"created", "configured", "initialized"})
"""The states, in Docker's words and Podman's, of a container whose program could not be started."""
KILL_AGAIN_SECONDS = 0.2


class Container:
    """The running container of a task."""

    def __init__(self, engine: ContainerEngine, name: str, attached: asyncio.subprocess.Process) -> None:
        self._engine = engine
        self._name = name
        self._attached = attached
        self._killing: asyncio.Task[None] | None = None

    async def wait(self) -> int:
        """Wait for the container to end, and return its exit code."""
        return await self._attached.wait()

    def kill(self) -> None:
        """End the container's processes at once."""
        if self._killing is None:
            self._killing = asyncio.ensure_future(self._kill_until_ended())

    async def _kill_until_ended(self) -> None:
        """Kill again and again: an engine refuses to kill a container that it is just starting."""
        ended = asyncio.ensure_future(self._attached.wait())
        while not ended.done():
            await self._engine.kill(self._name)
            await asyncio.wait({ended}, timeout=KILL_AGAIN_SECONDS)


class ContainerRun:
    """One run of a task in a container of its own."""

    def __init__(self, engine: ContainerEngine, command: RunTask, settings: ContainerSettings) -> None:
        self._engine = engine
        self._command = command
        self._settings = settings
        self._name = f"batch-{uuid.uuid4().hex}"
        self.used: Usage | None = None
        """What the container has used, once it is removed, with what it took to start it; None if that is not known."""

    async def pull(self) -> None:
        """Have the image on this machine; PreProcessingError if it cannot be had."""
        image = self._settings.image_name
        if await self._engine.has_image(image):
            return
        try:
            await self._engine.pull(image, registry_of(self._settings, self._command.pool))
        except EngineError as error:
            failure = FailureCode.CONTAINER_INVALID_IMAGE.info(ContainerImage=image, Message=str(error))
            raise PreProcessingError(failure) from error

    async def start(
        self, variables: Mapping[str, str], directories: TaskDirectories, leftovers: Leftovers
    ) -> Container:
        """Create and start the container; PreProcessingError if the engine refuses to create it."""
        user = user_in_container(self._command.task, _unprivileged())
        if service_is_root():
            await asyncio.to_thread(own, directories.task, user)
        leftovers.note_container(self._engine.program, self._name)
        has_cgroup = self._engine.takes_cgroups and make_cgroup(self._name)
        container = NewContainer(
            name=self._name,
            task=self._command.task,
            settings=self._settings,
            user=user,
            mounts=bind_mounts(self._settings, directories, self._command.job),
            working_directory=directories.working,
            placing=self._engine.within(self._name) if has_cgroup else (),
        )
        try:
            await self._engine.create(container.arguments(variables), handed_over(variables))
        except EngineError as error:
            raise PreProcessingError(FailureCode.CONTAINER_INVALID_SETTINGS.info(Message=str(error))) from error
        return Container(self._engine, self._name, await self._engine.start(self._name, directories.task))

    async def ended(self, directories: TaskDirectories) -> ContainerExecutionInfo:
        """Describe the container that has ended.

        PreProcessingError if its program could never be started, or the container is no more.
        """
        try:
            info = _described(await self._engine.inspect(self._name))
        except EngineError as error:
            raise PreProcessingError(FailureCode.CONTAINER_MISC_ERROR.info(Message=str(error))) from error
        if info.state in NEVER_STARTED:
            message = info.error or directories.stderr.read_text(errors="replace").strip()
            raise PreProcessingError(FailureCode.CONTAINER_INVALID_SETTINGS.info(Message=message))
        return info

    async def remove(self, leftovers: Leftovers) -> None:
        """End the container if it still runs, and remove it; what it has used is known then."""
        await self._engine.remove(self._name)
        self.used = usage_in(self._name)
        if await asyncio.to_thread(remove_cgroup, self._name):
            leftovers.forget_container(self._name)


def registry_of(settings: ContainerSettings, pool: Pool) -> ContainerRegistry | None:
    """Return the registry that an image is pulled from with a password: the task's own, else the pool's."""
    if settings.registry is not None:
        return settings.registry
    registries = pool.container_configuration.container_registries if pool.container_configuration else ()
    server = settings.image_name.partition("/")[0]
    return next((registry for registry in registries if registry.registry_server == server), None)


def _unprivileged() -> TaskUser:
    return unprivileged_user() if service_is_root() else TaskUser(os.getuid(), os.getgid())


def _described(found: dict[str, Any]) -> ContainerExecutionInfo:
    state = found["State"]
    return ContainerExecutionInfo(container_id=found["Id"], state=state["Status"], error=state.get("Error") or "")
