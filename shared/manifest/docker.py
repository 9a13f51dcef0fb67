"""`runner` and `docker`: how flows said where their commands run before there was `taskRunner`.

Kestra 1.x still takes them, 2.0 does not: `AbstractExecScript`, `CommandsWrapper.getTaskRunner` and `DockerOptions` in
https://github.com/kestra-io/kestra, script/src/main/java/io/kestra/plugin/scripts/exec.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from shared.manifest.types import NoEffect, Properties, Text

_LOGIN = NoEffect("the login to a registry is that of `taskRunner.registry`")
_NODE = NoEffect("the container runs on a node of the pool, with the node's Docker and network")


def _by_option(option: str) -> NoEffect:
    return NoEffect(f"write `containerRunOptions: {option}`")


class Runner(StrEnum):
    """Where Kestra ran the commands: in a container, or as a process of its own."""

    DOCKER = "DOCKER"
    PROCESS = "PROCESS"


class Docker(Properties):
    """`docker` of old flows, of which only the image counts.

    Logins that stand in it are cut out of the copy of the manifest in the results.
    """

    image: Annotated[Text | None, Field(examples=["python:3.13-slim"])] = None
    """The image of the container; it wins over `containerImage`, as in Kestra. Beside a `taskRunner` it has no effect,
    unless there is a `runner` too."""
    host: Annotated[Any, _NODE] = None
    docker_host: Annotated[Any, _NODE] = None
    config: Annotated[Any, _LOGIN] = None
    docker_config: Annotated[Any, _LOGIN] = None
    credentials: Annotated[Any, _LOGIN] = None
    user: Annotated[Any, NoEffect("`runAs` says who the user in the container is")] = None
    entry_point: Annotated[Any, NoEffect("the entry point is the shell that runs the task's commands")] = None
    extra_hosts: Annotated[Any, _NODE] = None
    network_mode: Annotated[Any, _NODE] = None
    volumes: Annotated[Any, NoEffect("nothing is mounted; files come by `inputFiles`, and go by `outputFiles`")] = None
    pull_policy: Annotated[Any, NoEffect("a node pulls the images that it does not have")] = None
    device_requests: Annotated[Any, _by_option("--gpus=all")] = None
    cpu: Annotated[Any, _by_option("--cpus=2")] = None
    memory: Annotated[Any, _by_option("--memory=4g")] = None
    shm_size: Annotated[Any, _by_option("--shm-size=1g")] = None
    privileged: Annotated[Any, NoEffect("no container has more rights than another")] = None
