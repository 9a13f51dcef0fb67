"""`python -m local up`: the stack, until Ctrl-C."""

from __future__ import annotations

import argparse
import functools

from batchrun.cli.options import add_data_dir
from batchrun.client.apps import LOCAL_PROGRAM, command_line
from local.stack.options import add_containers, add_ports, add_subscribers, add_tick_and_pools, stack_options
from local.stack.stack import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `up`."""
    add_data_dir(parser)
    add_ports(parser)
    add_tick_and_pools(parser)
    add_containers(parser)
    add_subscribers(parser)
    parser.add_argument(
        "--without-functions",
        action="store_true",
        help="leave the app to `func start`, with local.settings.sample.json copied to local.settings.json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the stack until a signal stops it. Raises LocalError if it cannot start, or a service ends by itself."""
    print("Starting …", flush=True)
    options = stack_options(
        arguments,
        ports=arguments.ports,
        functions=not arguments.without_functions,
        subscribers=arguments.subscribers,
    )
    try:
        with Stack(options) as stack:
            print(_summary(stack), flush=True)
            stack.watch()
    except KeyboardInterrupt:
        print("Stopped.")
        return 0


def _functions(stack: Stack) -> str:
    """Where the app runs; another host must be where events are delivered."""
    if stack.options.functions:
        return "the app of this repository"
    return f"left to `func start --port {stack.functions_port}`, with the settings below in local.settings.json"


def _summary(stack: Stack) -> str:
    settings = stack.settings
    how = "in containers" if stack.options.containers else "as processes"
    rows = {
        "storage": "Azurite, account devstoreaccount1",
        "batch": f"{settings['BATCH_ACCOUNT_ENDPOINT']}, pool {settings['BATCH_POOL_ID']} (container tasks run {how})",
        "eventgrid": settings["EVENTGRID_TOPIC_ENDPOINT"],
        "functions": _functions(stack),
        "state, logs": str(stack.data_dir.path),
    }
    if stack.options.subscribers:
        rows["subscribers"] = ", ".join(stack.options.subscribers)
    lines = [f"  {name:<12} {value}" for name, value in rows.items()]
    command = functools.partial(command_line, LOCAL_PROGRAM, stack.options.data_dir)
    return "\n".join(
        [
            "The stack is up. Ctrl-C stops it.",
            "",
            *lines,
            "",
            f"  Run a manifest:    {command('run', 'samples/environment-info.yaml')}",
            f"  List the runs:     {command('ls')}",
            f"  Its app settings:  {command('env')}",
        ]
    )
