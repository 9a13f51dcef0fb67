"""Applications of the account and extensions of nodes: there are none.

Applications are made by the management API, which is not here, and nodes are this machine, which is not extended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from local.batch.api.call import Call
from local.batch.api.operation import Operation
from local.batch.errors import BatchError, ErrorCode

if TYPE_CHECKING:
    from starlette.responses import Response


def list_node_extensions(call: Call) -> Response:
    """List the extensions of a node: there are none."""
    call.service.do(lambda account: account.nodes.find(call.params["pool_id"], call.params["node_id"]))
    return call.listing("extensions", (), dict)


def get_node_extension(call: Call) -> NoReturn:
    """Find no extension of a node."""
    call.service.do(lambda account: account.nodes.find(call.params["pool_id"], call.params["node_id"]))
    raise BatchError(ErrorCode.RESOURCE_NOT_FOUND)


def list_applications(call: Call) -> Response:
    """List the applications of the account: there are none."""
    return call.listing("applications", (), dict)


def get_application(_: Call) -> NoReturn:
    """Find no application."""
    raise BatchError(ErrorCode.APPLICATION_NOT_FOUND)


_EXTENSIONS = "/pools/{pool_id}/nodes/{node_id}/extensions"
OPERATIONS = [
    Operation("Applications_ListApplications", "GET", "/applications", list_applications),
    Operation("Applications_GetApplication", "GET", "/applications/{application_id}", get_application),
    Operation("Nodes_ListNodeExtensions", "GET", _EXTENSIONS, list_node_extensions),
    Operation("Nodes_GetNodeExtension", "GET", f"{_EXTENSIONS}/{{extension_name}}", get_node_extension),
]
