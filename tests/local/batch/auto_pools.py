"""What jobs and schedules say of a pool of their own, and what pools there are."""

from __future__ import annotations

IMAGE = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
POOL = {
    "vmSize": "Standard_D2s_v5",
    "virtualMachineConfiguration": {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 24.04"},
    "targetDedicatedNodes": 1,
}


def auto_pool(pool: dict | None = None, **more) -> dict:
    """What a job says of its pool."""
    return {"autoPoolSpecification": {"poolLifetimeOption": "job", "pool": pool or POOL, **more}}


def pools(machine) -> list[str]:
    """The pools that are there."""
    return [pool.id for pool in machine.account.pools.all()]
