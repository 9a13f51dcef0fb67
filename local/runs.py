"""The verbs of `batchrun` as verbs of `python -m local`: they use the stack of this machine.

`run` starts a stack of its own if none is up, what only reads starts its storage, `check` asks one that is up.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module

from batchrun.cli.options import READING_VERBS, add_data_dir
from batchrun.client.apps import LOCAL_PROGRAM, App, command_line, storage_is_started
from batchrun.errors import UsageError
from local.errors import LocalError
from local.stack.data_dir import DataDir, running_stack
from local.stack.options import add_containers, add_tick_and_pools, stack_options
from local.stack.ports import AUTO
from local.stack.settings import default_settings
from local.stack.stack import Stack
from local.stack.storage_alone import storage_alone

PROGRAM = LOCAL_PROGRAM


class VerbOfRuns:
    """A verb of `batchrun` on the stack of this machine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._verb = import_module(f"batchrun.cli.{name}")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The options of the verb, and those that name the stack or describe the one to start."""
        self._verb.add_arguments(parser)
        add_data_dir(parser)
        if self._name == "run":
            own = parser.add_argument_group("if no stack is up in D, `run` starts one of its own, with")
            add_tick_and_pools(own)
            add_containers(own)

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the verb. Raises ClientError or LocalError if it cannot be done."""
        return int(self._verb.run(arguments, _APPS.get(self._name, _app_of_running_stack)(arguments)))


@contextlib.contextmanager
def _app_of_running_stack(arguments: argparse.Namespace) -> Iterator[App]:
    yield _app(arguments, running_stack(arguments.data_dir).settings)


@contextlib.contextmanager
def _app_of_storage(arguments: argparse.Namespace) -> Iterator[App]:
    """The app of the stack that is up, or what is left of the last one."""
    running = DataDir(arguments.data_dir).running_stack()
    if running:
        yield _app(arguments, running.settings)
        return
    with storage_alone(arguments.data_dir) as settings:
        print(storage_is_started(arguments.data_dir), file=sys.stderr, flush=True)
        yield _app(arguments, settings)


@contextlib.contextmanager
def _app_to_check_for(arguments: argparse.Namespace) -> Iterator[App]:
    """The app of the stack that is up, or that of a stack with default settings."""
    running = None
    with contextlib.suppress(LocalError):
        running = DataDir(arguments.data_dir).running_stack()
    app = _app(arguments, running.settings if running else default_settings(os.environ))
    yield replace(app, is_there=running is not None)


@contextlib.contextmanager
def _app_of_any_stack(arguments: argparse.Namespace) -> Iterator[App]:
    """The app of the stack that is up, or of a new one. Raises UsageError for options that the former cannot follow."""
    running = DataDir(arguments.data_dir).running_stack()
    if running:
        if arguments.tick or arguments.pools or arguments.containers:
            raise UsageError(
                f"A stack is up in {arguments.data_dir}: --tick, --pool and --containers are for a stack of the run's"
                " own. Leave them out, or choose another directory with --data-dir."
            )
        print(f"Using the stack that is up in {arguments.data_dir}", flush=True)
        yield _app(arguments, running.settings)
        return
    if arguments.no_wait:
        how = command_line(PROGRAM, arguments.data_dir, "up")
        raise UsageError(f"--no-wait needs a stack that stays up. Start one with: {how}")
    how = "in containers" if arguments.containers else "as plain processes"
    print(f"Starting the stack (container tasks run {how}) …", flush=True)
    with Stack(stack_options(arguments, ports=AUTO, private=True)) as stack:
        yield _app(arguments, stack.settings, check=stack.check, ends_with_command=True)
        print("Stopping the stack …", flush=True)


def _app(
    arguments: argparse.Namespace,
    settings: Mapping[str, str],
    *,
    check: Callable[[], None] = lambda: None,
    ends_with_command: bool = False,
) -> App:
    command = functools.partial(command_line, PROGRAM, arguments.data_dir)
    results = arguments.data_dir / "results"
    return App(settings, command, check=check, ends_with_command=ends_with_command, results=results)


_APPS: Mapping[str, Callable[[argparse.Namespace], AbstractContextManager[App]]] = {
    "run": _app_of_any_stack,
    "check": _app_to_check_for,
    **dict.fromkeys(READING_VERBS, _app_of_storage),
}
