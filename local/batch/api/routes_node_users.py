"""The operations on users of nodes, and where these would log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.batch.api.call import Call
from local.batch.api.operation import Operation
from local.batch.api.views import remote_login_view
from local.batch.machine.node_operations import require_reachable
from local.batch.models.node import NodeUserCreate, NodeUserReplace

if TYPE_CHECKING:
    from starlette.responses import Response


def create_node_user(call: Call) -> Response:
    """Add a user to a node."""
    user = call.read(NodeUserCreate)
    call.service.do(lambda account: account.node_users.create(*_ids(call), user))
    return call.done(201)


def replace_node_user(call: Call) -> Response:
    """Give a user of a node another password, key and end."""
    user = call.read(NodeUserReplace)
    call.service.do(lambda account: account.node_users.replace(*_ids(call), call.params["user_name"], user))
    return call.done(200)


def delete_node_user(call: Call) -> Response:
    """Remove a user from a node."""
    call.service.do(lambda account: account.node_users.delete(*_ids(call), call.params["user_name"]))
    return call.done(200)


def get_remote_login_settings(call: Call) -> Response:
    """Show where one would log in to a node: on this machine, where nobody waits for it."""
    node = call.service.do(lambda account: account.nodes.find(*_ids(call)))
    require_reachable(node)
    pool = call.service.do(lambda account: account.state.pool(call.params["pool_id"]))
    return call.entity("remoteloginsettings", remote_login_view(pool, node))


def _ids(call: Call) -> tuple[str, str]:
    return call.params["pool_id"], call.params["node_id"]


_NODE = "/pools/{pool_id}/nodes/{node_id}"
OPERATIONS = [
    Operation("Nodes_CreateNodeUser", "POST", f"{_NODE}/users", create_node_user),
    Operation("Nodes_ReplaceNodeUser", "PUT", f"{_NODE}/users/{{user_name}}", replace_node_user),
    Operation("Nodes_DeleteNodeUser", "DELETE", f"{_NODE}/users/{{user_name}}", delete_node_user),
    Operation("Nodes_GetNodeRemoteLoginSettings", "GET", f"{_NODE}/remoteloginsettings", get_remote_login_settings),
]
