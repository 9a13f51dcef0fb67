"""The operations on nodes, and on what they can be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.batch.api.call import Call
from local.batch.api.conditions import Version
from local.batch.api.operation import Operation
from local.batch.api.views import node_counts_view, node_view, supported_image_view
from local.batch.machine.node_operations import require_reachable
from local.batch.models.node import (
    NodeDeallocate,
    NodeDisableScheduling,
    NodeReboot,
    NodeReimage,
    NodeRemove,
    UploadLogs,
)
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


def remove_nodes(call: Call) -> Response:
    """Take nodes out of a pool."""
    request, pool = call.read(NodeRemove), _pool(call)
    version = Version(pool.e_tag, pool.last_modified)
    call.check_conditions(version)
    call.service.do(lambda account: account.pools.remove_nodes(pool.id, request))
    changed = _pool(call)
    return call.done(202, Version(changed.e_tag, changed.last_modified))


def reboot_node(call: Call) -> Response:
    """Restart a node."""
    option = call.read(NodeReboot).node_reboot_option
    call.service.do(lambda account: account.node_operations.reboot(*_ids(call), option))
    return call.done(202)


def reimage_node(call: Call) -> Response:
    """Refuse to install a node's system anew: no pool here takes that."""
    call.read(NodeReimage)
    return call.service.do(lambda account: account.node_operations.reimage(*_ids(call)))


def deallocate_node(call: Call) -> Response:
    """Switch a node off."""
    option = call.read(NodeDeallocate).node_deallocate_option
    call.service.do(lambda account: account.node_operations.deallocate(*_ids(call), option))
    return call.done(202)


def start_node(call: Call) -> Response:
    """Switch a node on."""
    call.service.do(lambda account: account.node_operations.start(*_ids(call)))
    return call.done(202)


def disable_node_scheduling(call: Call) -> Response:
    """Give a node no more tasks."""
    option = call.read(NodeDisableScheduling).node_disable_scheduling_option
    call.service.do(lambda account: account.node_operations.disable_scheduling(*_ids(call), option))
    return call.done(200)


def enable_node_scheduling(call: Call) -> Response:
    """Give a node tasks again."""
    call.service.do(lambda account: account.node_operations.enable_scheduling(*_ids(call)))
    return call.done(200)


def upload_node_logs(call: Call) -> Response:
    """Have a node upload what its agent has logged; the answer does not wait for it."""
    request, pool = call.read(UploadLogs), _pool(call)
    node = call.service.do(lambda account: account.nodes.find(*_ids(call)))
    require_reachable(node)
    folder, count = call.service.upload_logs(pool, node.id, request)
    return call.entity("uploadbatchservicelogs", {"virtualDirectoryName": folder, "numberOfFilesUploaded": count})


def _ids(call: Call) -> tuple[str, str]:
    return call.params["pool_id"], call.params["node_id"]


def _pool(call: Call) -> Pool:
    return call.service.do(lambda account: account.state.pool(call.params["pool_id"]))


def _view(call: Call, pool: Pool, node: Node) -> dict[str, Any]:
    work = call.service.do(lambda account: account.state.work_of(node.id))
    return node_view(pool, node, work, call.base_url)


_NODE = "/pools/{pool_id}/nodes/{node_id}"
OPERATIONS = [
    Operation("Nodes_ListNodes", "GET", "/pools/{pool_id}/nodes", list_nodes),
    Operation("Nodes_GetNode", "GET", _NODE, get_node),
    Operation("Nodes_RebootNode", "POST", f"{_NODE}/reboot", reboot_node),
    Operation("Nodes_ReimageNode", "POST", f"{_NODE}/reimage", reimage_node),
    Operation("Nodes_DeallocateNode", "POST", f"{_NODE}/deallocate", deallocate_node),
    Operation("Nodes_StartNode", "POST", f"{_NODE}/start", start_node),
    Operation("Nodes_DisableNodeScheduling", "POST", f"{_NODE}/disablescheduling", disable_node_scheduling),
    Operation("Nodes_EnableNodeScheduling", "POST", f"{_NODE}/enablescheduling", enable_node_scheduling),
    Operation("Nodes_UploadNodeLogs", "POST", f"{_NODE}/uploadbatchservicelogs", upload_node_logs),
    Operation("Pools_RemoveNodes", "POST", "/pools/{pool_id}/removenodes", remove_nodes),
    Operation("Pools_ListPoolNodeCounts", "GET", "/nodecounts", list_pool_node_counts),
    Operation("Pools_ListSupportedImages", "GET", "/supportedimages", list_supported_images),
]
