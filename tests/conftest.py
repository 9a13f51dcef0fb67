"""What tests share: Azurite, a whole stack, and what becomes of a test whose tools are missing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

from local.errors import LocalError
from local.stack import azurite as azurite_service
from local.stack.azurite import AzuriteEndpoints
from local.stack.child import Child, Program
from local.stack.options import StackOptions
from local.stack.ports import AUTO, Ports
from local.stack.stack import Stack
from tests.support.busybox_image import NoEngineError, busybox_image
from tests.support.pure import environ, run_of, settings

__all__ = ["environ", "run_of", "settings"]


ONE_STACK = {"tests/batchrun", "tests/e2e", "tests/integration", "tests/local/batch"}
"""Folders whose tests share services: to start these takes as long as some tests, so one worker runs all of them."""


class _ByServices(LoadScopeScheduling):
    """Hands out files to workers, or folders of files that share services."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in ONE_STACK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByServices | None:
    """In place of xdist's own for `--dist loadfile`."""
    return _ByServices(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a sampled file the first test is its sample: all others are slow."""
    sampled: set[Path] = set()
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("chaos"):
            if item.path in sampled:
                item.add_marker(pytest.mark.slow)
            sampled.add(item.path)


def unavailable(reason: str) -> NoReturn:
    """End a test that cannot run here: skipped on a person's machine, failed where `CI=true`."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def require_azurite() -> None:
    """Install Azurite and Node where they are missing; without them the test cannot run."""
    try:
        azurite_service.install()
    except LocalError as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def busybox() -> Iterator[str]:
    """An image that holds busybox, in the container engine of this machine; it never was in any registry."""
    with contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(busybox_image())
        except NoEngineError as error:
            unavailable(str(error))
        yield image


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteEndpoints]:
    """An Azurite for all tests; each takes containers of its own. It has a `connection_string`."""
    require_azurite()
    ports = Ports.choose(AUTO)
    folder = tmp_path_factory.mktemp("azurite")
    endpoints = AzuriteEndpoints(ports.blob, ports.queue, ports.table)
    command = tuple(azurite_service.start_command(endpoints, folder))
    ready = f"http://127.0.0.1:{ports.table}/"
    child = Child(Program("azurite", command, dict(os.environ), folder / "azurite.log", ready))
    child.wait_ready()
    yield endpoints
    child.stop()


def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack for all tests of a folder, as `python -m local up` starts it; each takes blob names of its own."""
    require_azurite()
    with Stack(StackOptions(data_dir=tmp_path_factory.mktemp("stack"), ports=AUTO)) as running:
        yield running


@pytest.fixture
def launch() -> Iterator[Callable[[Program], Child]]:
    """Start programs that are killed at the end of the test."""
    children: list[Child] = []

    def start(program: Program) -> Child:
        child = Child(program)
        children.append(child)
        child.wait_ready()
        return child

    yield start
    for child in children:
        child.kill()
