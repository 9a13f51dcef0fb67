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
from local.batch.models.machine import ContainerConfiguration, ImageReference, VirtualMachineConfiguration
from local.batch.models.pool import (
    MAX_SLOTS_PER_NODE,
    PoolCreate,
    PoolResize,
    PoolUpdate,
)
from local.batch.models.supported_images import CONTAINER_IMAGE, PLAIN_IMAGE
from local.batch.models.vm_sizes import smallest_size_for
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.container_engine import find_engine
from local.batch.node.environment import AccountInfo
from local.batch.node.faults import NodeFaultList
from local.batch.node.resource_files import EmptyPrefix
from local.batch.node.storage_events import StorageEvents
from local.batch.node.task_process import NodeSettings
from local.batch.service import BatchService
from local.batch.store import Store
from local.http_server import listen, serve_until, stop_requested

HOST = "127.0.0.1"
DEFAULT_PORT = 10003
SLOTS_PER_CORE = 2
GRACE_SECONDS = 2


@dataclass(frozen=True)
class PoolOption:
    """A pool that the service has from the start; one for containers takes no other tasks, and the other way round."""

    id: str = "local"
    nodes: int = 1
    slots: int = min(SLOTS_PER_CORE * (os.cpu_count() or 1), MAX_SLOTS_PER_NODE)
    containers: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ID[:NODES[:SLOTS]]`; ValueError says what is wrong."""
        pool_id, *numbers = text.split(":")
        if not ID_PATTERN.fullmatch(pool_id) or len(numbers) > 2 or not all(map(str.isdecimal, numbers)):  # noqa: PLR2004
            raise ValueError(f"'{text}' is not a pool; give ID, ID:NODES or ID:NODES:SLOTS, such as local:1:4.")
        nodes, slots, *_ = [*map(int, numbers), *(cls.nodes, cls.slots)[len(numbers) :]]
        if not 1 <= slots <= MAX_SLOTS_PER_NODE:
            raise ValueError(f"'{text}' is not a pool; a node has 1 to {MAX_SLOTS_PER_NODE} slots.")
        return cls(pool_id, nodes, slots)


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
    completion_delay: float = 0
    events: str | None = None


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
    nodes = NodeSettings(
        options.data_dir / "nodes",
        account,
        options.blob_naming,
        options.empty_prefix,
        engine=engine,
        completion_delay=options.completion_delay,
        events=StorageEvents(options.events) if options.events else None,
    )
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
    """Create a pool, or make the one that is there as asked for; its nodes get these identities."""
    wanted = pool_of(option)
    pool = account.state.pools.get(key_of(option.id))
    if pool is None:
        account.pools.create(wanted)
    else:
        names = ("vm_size", "task_slots_per_node", "virtual_machine_configuration")
        changes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) != getattr(pool, name)}
        if changes:
            account.pools.update(option.id, PoolUpdate(**changes))
        if pool.enable_auto_scale:
            account.auto_scale.disable(option.id)
        if pool.target_dedicated_nodes != option.nodes:
            account.pools.resize(option.id, PoolResize(target_dedicated_nodes=option.nodes))
    account.pools.assign_identities(option.id, identities)


def pool_of(option: PoolOption) -> PoolCreate:
    """A pool as a client of the service would have to ask for it."""
    image = CONTAINER_IMAGE if option.containers else PLAIN_IMAGE
    machine = VirtualMachineConfiguration(
        image_reference=ImageReference(**dict(image.image_reference)),
        node_agent_sku_id=image.node_agent_sku_id,
        container_configuration=ContainerConfiguration(type="dockerCompatible") if option.containers else None,
    )
    return PoolCreate(
        id=option.id,
        vm_size=smallest_size_for(option.slots),
        target_dedicated_nodes=option.nodes,
        task_slots_per_node=option.slots,
        virtual_machine_configuration=machine,
    )
