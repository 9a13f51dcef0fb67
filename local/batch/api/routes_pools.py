"""The operations on pools and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.api.operation import Operation
from local.batch.api.views import node_counts_view, node_view, pool_view
from local.batch.models.pool import PoolCreate, PoolReplace, PoolResize, PoolUpdate

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from local.batch.api.call import Call
    from local.batch.machine.account import Account
    from local.batch.models.pool import Pool


def create_pool(call: Call) -> Response:
    """Add a pool."""
    spec = call.read(PoolCreate)
    pool = call.service.do(lambda account: account.pools.create(spec))
    return call.created(f"pools/{pool.id}", pool.e_tag, pool.last_modified)


def get_pool(call: Call) -> Response:
    """Show a pool; for HEAD, say whether there is one."""
    pool = _pool(call)
    return call.entity("pools", pool_view(pool, call.base_url), (pool.e_tag, pool.last_modified))


def list_pools(call: Call) -> Response:
    """List all pools."""
    pools = call.service.do(lambda account: account.pools.all())
    return call.listing("pools", pools, lambda pool: pool_view(pool, call.base_url))


def update_pool(call: Call) -> Response:
    """Change some properties of a pool."""
    update = call.read(PoolUpdate)
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.update(pool.id, update))
    return call.done(200)


def replace_pool_properties(call: Call) -> Response:
    """Replace the properties of a pool that may be replaced as a whole."""
    replacement = call.read(PoolReplace)
    pool = _pool(call)
    call.service.do(lambda account: account.pools.replace(pool.id, replacement))
    return call.done(204)


def resize_pool(call: Call) -> Response:
    """Change the number of nodes."""
    resize = call.read(PoolResize)
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.resize(pool.id, resize))
    return call.done(202)


def delete_pool(call: Call) -> Response:
    """Remove a pool."""
    pool = _checked_pool(call)
    call.service.do(lambda account: account.pools.delete(pool.id))
    return call.done(202)


def list_nodes(call: Call) -> Response:
    """List the nodes of a pool."""
    pool = _pool(call)
    nodes = call.service.do(lambda account: account.pools.nodes(pool.id))
    return call.listing(
        "nodes",
        sorted(nodes, key=lambda node: node.id),
        lambda node: node_view(pool, node, call.service.do(_running_on(node.id)), call.base_url),
    )


def get_node(call: Call) -> Response:
    """Show a node."""
    pool = _pool(call)
    node = call.service.do(lambda account: account.pools.node(pool.id, call.params["node_id"]))
    return call.entity("nodes", node_view(pool, node, call.service.do(_running_on(node.id)), call.base_url))


def list_pool_node_counts(call: Call) -> Response:
    """Count the nodes of all pools by state."""
    pools = call.service.do(lambda account: account.pools.all())
    return call.listing(
        "poolnodecounts",
        pools,
        lambda pool: node_counts_view(pool, call.service.do(lambda account: account.pools.nodes(pool.id))),
    )


def _pool(call: Call) -> Pool:
    return call.service.do(lambda account: account.state.pool(call.params["pool_id"]))


def _checked_pool(call: Call) -> Pool:
    pool = _pool(call)
    call.check_conditions(pool.e_tag)
    return pool


def _running_on(node_id: str) -> Callable[[Account], tuple[int, int]]:
    return lambda account: (account.state.running_tasks[node_id], account.state.used_slots[node_id])


OPERATIONS = [
    Operation("Pools_CreatePool", "POST", "/pools", create_pool),
    Operation("Pools_ListPools", "GET", "/pools", list_pools),
    Operation("Pools_PoolExists", "HEAD", "/pools/{pool_id}", get_pool),
    Operation("Pools_GetPool", "GET", "/pools/{pool_id}", get_pool),
    Operation("Pools_UpdatePool", "PATCH", "/pools/{pool_id}", update_pool),
    Operation("Pools_ReplacePoolProperties", "POST", "/pools/{pool_id}/updateproperties", replace_pool_properties),
    Operation("Pools_ResizePool", "POST", "/pools/{pool_id}/resize", resize_pool),
    Operation("Pools_DeletePool", "DELETE", "/pools/{pool_id}", delete_pool),
    Operation("Nodes_ListNodes", "GET", "/pools/{pool_id}/nodes", list_nodes),
    Operation("Nodes_GetNode", "GET", "/pools/{pool_id}/nodes/{node_id}", get_node),
    Operation("Pools_ListPoolNodeCounts", "GET", "/nodecounts", list_pool_node_counts),
]
