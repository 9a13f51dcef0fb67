"""Whether an app can be used: its storage, its timer, its pools, and the rights of whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ResourceNotFoundError

from batchrun.client._card import is_dead, read_card
from batchrun.client._connections import Connections
from batchrun.client._faults import batch_failure, unreachable
from batchrun.client.apps import App
from batchrun.errors import Unreachable, printable
from shared.version import VERSION

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.batch.models import AllocationState, BatchPool, BatchPoolState
    from azure.storage.blob import ContainerClient

    from shared.documents.card import AppCard

NO_BLOB = "_doctor/no-such-blob"
READ = ("runs", "results", "flows")
WRITTEN = ("inbox", "namespaces", "uploads")
"""The containers that a person needs: to read, and to write. What is staged is a matter of the app and its nodes, and
stored flows are written by operators alone."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do, and is empty if it is as it should be."""

    subject: str
    text: str
    advice: str = ""


def findings(app: App) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing needs the other."""
    with Connections(app.services) as connections:
        card = yield from _of_card(app)
        names = asdict(app.services.containers)
        for kind in (*WRITTEN, *READ):
            if card and kind not in card.containers.model_fields_set:
                text = f"the app {printable(card.version)} is of before there was such a container"
                yield Finding(f"container {names[kind]}", text, "deploy the app again")
                continue
            container = connections.blobs.get_container_client(names[kind])
            yield _tried(connections, f"container {names[kind]}", partial(_of_container, container, kind))
        if connections.batch is None:
            yield Finding("Batch", "there is no Batch service", "start the stack")
            return
        yield from _of_pools(app, connections, connections.batch)


def _of_card(app: App) -> Generator[Finding, None, AppCard | None]:
    account = app.services.storage.account_name
    try:
        card = read_card(app.services)
    except Unreachable as error:
        yield Finding(f"storage account {account}", "the app's card cannot be read", str(error))
        return None
    yield Finding(f"storage account {account}", "answers")
    same = card.version == VERSION
    update = f"install batchrun {card.version}, or deploy the app again: they may read manifests differently"
    yield Finding("versions", f"the app {printable(card.version)}, batchrun {VERSION}", "" if same else update)
    now = datetime.now(UTC)
    minutes = max(0, int((now - card.last_tick).total_seconds() // 60))
    dead = "no run is submitted or closed. Is the function app stopped, or poll_runs disabled? docs/operate.md"
    yield Finding("timer", f"its last tick was told {minutes} min ago", dead if is_dead(card, now) else "")
    return card


def _of_container(container: ContainerClient, kind: str) -> Finding:
    """Reading is tried by reading, writing by the removal of a blob that cannot be there."""
    subject = f"container {container.container_name}"
    try:
        if kind in WRITTEN:
            container.delete_blob(NO_BLOB)
        else:
            next(iter(container.list_blobs(results_per_page=1)), None)
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", "") == "ContainerNotFound":
            return Finding(subject, "does not exist", "create it, or deploy the app again")
    return Finding(subject, "can be written" if kind in WRITTEN else "can be read")


def _of_pools(app: App, connections: Connections, batch: BatchClient) -> Iterator[Finding]:
    account = connections.services.batch.account_name if connections.services.batch else ""
    try:
        pools = list(batch.list_pools())
    except AzureError as error:
        yield Finding(f"Batch account {account}", "cannot be read", batch_failure(error, connections.services))
        return
    yield Finding(f"Batch account {account}", "answers")
    default = app.settings.get("BATCH_POOL_ID")
    if default and default not in {pool.id for pool in pools}:
        yield Finding(
            f"pool {default}", "does not exist, and is the app's default", "docs/deploy.md says how to create it"
        )
    for pool in pools:
        yield pool_finding(pool)


def pool_finding(pool: BatchPool) -> Finding:
    """Whether a pool has nodes, or gets them for tasks; otherwise why it does not."""
    nodes = pool.current_dedicated_nodes or 0
    nodes += pool.current_low_priority_nodes or 0
    text = f"{_word(pool.state)}, {_word(pool.allocation_state)}, {nodes} node{'' if nodes == 1 else 's'}"
    errors = [f"{error.code}: {error.message}" for error in pool.resize_errors or ()]
    formula = pool.auto_scale_run.error if pool.auto_scale_run else None
    if formula:
        errors.append(f"its formula, {formula.code}: {formula.message}")
    if pool.state == "deleting":
        errors.append("it is being deleted: name another pool")
    if not errors and not nodes and not pool.enable_auto_scale and not pool.target_dedicated_nodes:
        errors += [] if pool.target_low_priority_nodes else ["it has no nodes and no formula: resize it"]
    return Finding(f"pool {pool.id}", text, printable("; ".join(errors)))


def _word(value: BatchPoolState | AllocationState | str | None) -> str:
    return str(getattr(value, "value", value))


def _tried(connections: Connections, subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except AzureError as error:
        return Finding(subject, "cannot be used", str(unreachable(error, connections.services)))
