"""The app settings of a stack: everything that is different from Azure for the app."""

from __future__ import annotations

from collections.abc import Mapping

from local import eventgrid
from local.batch.api.auth import ACCOUNT_KEY, ACCOUNT_NAME
from local.stack.azurite import AzuriteEndpoints
from local.stack.options import StackOptions
from local.stack.ports import Ports
from shared.settings import ENV_PREFIX, GLOBAL_PREFIX, SECRET_PREFIX

PASSED_THROUGH = frozenset(
    {
        "INBOX_CONTAINER",
        "RUNS_CONTAINER",
        "STAGING_CONTAINER",
        "RESULTS_CONTAINER",
        "NAMESPACES_CONTAINER",
        "FLOWS_CONTAINER",
        "UPLOADS_CONTAINER",
        "ALLOWED_CONTAINERS",
        "NODE_IDENTITY_RESOURCE_ID",
        "NODE_PRICES",
        "PRICE_CURRENCY",
    }
)
"""Settings that the stack takes from the environment, besides those with `_PREFIXES`. It never takes the endpoints of
services from there: a shell that is set up for Azure must not make a local stack use Azure."""

_PREFIXES = (SECRET_PREFIX, ENV_PREFIX, GLOBAL_PREFIX)


def azurite_endpoints(ports: Ports) -> AzuriteEndpoints:
    """The endpoints of the stack's storage."""
    return AzuriteEndpoints(ports.blob, ports.queue, ports.table)


def batch_endpoint(ports: Ports) -> str:
    """The endpoint of the stack's Batch account."""
    return f"http://127.0.0.1:{ports.batch}"


def stack_settings(ports: Ports, options: StackOptions) -> dict[str, str]:
    """All app settings of a stack, by name."""
    storage = azurite_endpoints(ports).connection_string
    passed = {n: v for n, v in options.environ.items() if n in PASSED_THROUGH or n.startswith(_PREFIXES)}
    return passed | {
        "AzureWebJobsStorage": storage,
        "RunStorage": storage,
        "INBOX_SOURCE": "EventGrid" if options.functions else "LogsAndContainerScan",  # `func start` knows the latter
        "BATCH_ACCOUNT_ENDPOINT": batch_endpoint(ports),
        "BATCH_ACCOUNT_NAME": ACCOUNT_NAME,
        "BATCH_ACCOUNT_KEY": ACCOUNT_KEY,
        "BATCH_POOL_ID": options.default_pool,
        "EVENTGRID_TOPIC_ENDPOINT": f"http://127.0.0.1:{ports.eventgrid}{eventgrid.OWN_PATH}",
        "EVENTGRID_TOPIC_KEY": eventgrid.TOPIC_KEY,
        "POLL_SCHEDULE": f"*/{options.tick} * * * * *",
        # Kestra's documented example reads these.
        "SECRET_AZURE_ACCOUNT": ACCOUNT_NAME,
        "SECRET_AZURE_ACCESS_KEY": ACCOUNT_KEY,
        "SECRET_AZURE_ENDPOINT": batch_endpoint(ports),
        "SECRET_AZURE_CONNECTION_STRING": storage,
    }


def default_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The app settings of a stack with default options, whether or not one is up."""
    return stack_settings(Ports.default(), StackOptions(environ=environ))
