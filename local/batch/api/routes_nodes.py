"""The operations on nodes, and on what they can be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.batch.api.call import Call
from local.batch.api.operation import Operation
from local.batch.api.views import node_counts_view, node_view, supported_image_view
from local.batch.models.pool import Node, Pool
from local.batch.models.supported_images import SUPPORTED_IMAGES

if TYPE_CHECKING:
    from starlette.responses import Response


def list_nodes(call: Call) -> Response:
    """List the nodes of a pool."""
    pool = _pool(call)
    nodes = call.service.do(lambda account: account.nodes.all(pool.id))
    return call.listing("nodes", nodes, lambda node: _view(call, pool, node))


def get_node(call: Call) -> Response:
    """Show a node."""
    pool = _pool(call)
    node = call.service.do(lambda account: account.nodes.get(pool.id, call.params["node_id"]))
    return call.entity("nodes", _view(call, pool, node))


def list_pool_node_counts(call: Call) -> Response:
    """Count the nodes of all pools by state."""
    pools = call.service.do(lambda account: account.pools.all())
    return call.listing(
        "poolnodecounts",
        pools,
        lambda pool: node_counts_view(pool, call.service.do(lambda account: account.nodes.all(pool.id))),
    )


def list_supported_images(call: Call) -> Response:
    """List what the nodes of a pool can be made of."""
    return call.listing("supportedimages", SUPPORTED_IMAGES, supported_image_view)


def _pool(call: Call) -> Pool:
    return call.service.do(lambda account: account.state.pool(call.params["pool_id"]))


def _view(call: Call, pool: Pool, node: Node) -> dict[str, Any]:
    work = call.service.do(lambda account: account.state.work_of(node.id))
    return node_view(pool, node, work, call.base_url)


OPERATIONS = [
    Operation("Nodes_ListNodes", "GET", "/pools/{pool_id}/nodes", list_nodes),
    Operation("Nodes_GetNode", "GET", "/pools/{pool_id}/nodes/{node_id}", get_node),
    Operation("Pools_ListPoolNodeCounts", "GET", "/nodecounts", list_pool_node_counts),
    Operation("Pools_ListSupportedImages", "GET", "/supportedimages", list_supported_images),
]
