"""The Batch service as a process: its options, its socket, its life from start to signal."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from local.batch.api.app import create_app
from local.batch.api.auth import ACCOUNT_KEY, ACCOUNT_NAME
from local.batch.api.faults import FaultList
from local.batch.machine.account import Account
from local.batch.machine.limits import Limits
from local.batch.models.common import ID_PATTERN, key_of
from local.batch.models.pool import MAX_SLOTS_PER_NODE, PoolCreate, PoolResize, PoolUpdate
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.container_engine import find_engine
from local.batch.node.environment import AccountInfo
from local.batch.node.faults import NodeFaultList
from local.batch.node.resource_files import EmptyPrefix
from local.batch.node.task_process import NodeSettings
from local.batch.service import BatchService
from local.batch.store import Store
from local.http_server import listen, serve_until, stop_requested

HOST = "127.0.0.1"
DEFAULT_PORT = 10003
SLOTS_PER_CORE = 2
VM_SIZE = "local"
GRACE_SECONDS = 2


@dataclass(frozen=True)
class PoolOption:
    """A pool that the service has from the start."""

    id: str = "local"
    nodes: int = 1
    slots: int = min(SLOTS_PER_CORE * (os.cpu_count() or 1), MAX_SLOTS_PER_NODE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ID[:NODES[:SLOTS]]`; ValueError says what is wrong."""
        pool_id, *numbers = text.split(":")
        if not ID_PATTERN.fullmatch(pool_id) or len(numbers) > 2 or not all(map(str.isdecimal, numbers)):  # noqa: PLR2004
            raise ValueError(f"'{text}' is not a pool; give ID, ID:NODES or ID:NODES:SLOTS, such as local:1:4.")
        values = dict(zip(("nodes", "slots"), map(int, numbers), strict=False))
        if not 1 <= values.get("slots", 1) <= MAX_SLOTS_PER_NODE:
            raise ValueError(f"'{text}' is not a pool; a node has 1 to {MAX_SLOTS_PER_NODE} slots.")
        return cls(pool_id, **values)


@dataclass(frozen=True)
class ServeOptions:
    """What the service is started with."""

    data_dir: Path
    port: int = DEFAULT_PORT
    pools: tuple[PoolOption, ...] = (PoolOption(),)
    limits: Limits = field(default_factory=Limits)
    blob_naming: BlobNaming = BlobNaming.WORKING_DIRECTORY
    empty_prefix: EmptyPrefix = EmptyPrefix.BRINGS_NOTHING
    faults: FaultList = field(default_factory=FaultList)
    node_faults: NodeFaultList = field(default_factory=NodeFaultList)
    containers: bool = False
    node_identities: tuple[str, ...] = ()


def serve(options: ServeOptions) -> None:
    """Run the service until SIGTERM or SIGINT, on loopback only.

    LocalError if the port is in use, or the data directory by another service, or no container engine works.
    """
    asyncio.run(_serve(options))


async def _serve(options: ServeOptions) -> None:
    stop = stop_requested()
    engine = find_engine() if options.containers else None
    listener = listen(options.port)
    options.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(options.data_dir / "batch.sqlite")
    account = AccountInfo(ACCOUNT_NAME, f"http://{HOST}:{listener.getsockname()[1]}")
    nodes = NodeSettings(options.data_dir / "nodes", account, options.blob_naming, options.empty_prefix, engine=engine)
    nodes.faults.replace(options.node_faults)
    service = BatchService(store, nodes, options.limits)
    try:
        service.open()
        for pool in options.pools:
            service.do(partial(ensure_pool, option=pool, identities=options.node_identities))
        print(f"Batch service: {account.url}  account: {ACCOUNT_NAME}  key: {ACCOUNT_KEY}", flush=True)
        await serve_until(stop, create_app(service, options.faults), listener, grace_seconds=GRACE_SECONDS)
    finally:
        await service.close()


def ensure_pool(account: Account, option: PoolOption, identities: tuple[str, ...] = ()) -> None:
    """Create a pool, or give the one that is there the size asked for; its nodes get these identities."""
    _ensure_size(account, option)
    account.pools.assign_identities(option.id, identities)


def _ensure_size(account: Account, option: PoolOption) -> None:
    pool = account.state.pools.get(key_of(option.id))
    if pool is None:
        spec = PoolCreate(
            id=option.id, vm_size=VM_SIZE, target_dedicated_nodes=option.nodes, task_slots_per_node=option.slots
        )
        account.pools.create(spec)
        return
    if pool.task_slots_per_node != option.slots:
        account.pools.update(option.id, PoolUpdate(task_slots_per_node=option.slots))
    if pool.target_dedicated_nodes != option.nodes:
        account.pools.resize(option.id, PoolResize(target_dedicated_nodes=option.nodes))
