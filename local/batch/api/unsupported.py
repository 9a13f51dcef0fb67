"""The operations of Azure Batch that this service answers with 501 and their name."""

from __future__ import annotations

from typing import NoReturn

from local.batch.api.call import Call
from local.batch.api.operation import Operation
from local.batch.errors import not_implemented

_NODE = "/pools/{pool_id}/nodes/{node_id}"

UNSUPPORTED = {
    "Applications_ListApplications": ("GET", "/applications"),
    "Applications_GetApplication": ("GET", "/applications/{application_id}"),
    "Pools_RemoveNodes": ("POST", "/pools/{pool_id}/removenodes"),
    "Nodes_CreateNodeUser": ("POST", f"{_NODE}/users"),
    "Nodes_DeleteNodeUser": ("DELETE", f"{_NODE}/users/{{user_name}}"),
    "Nodes_ReplaceNodeUser": ("PUT", f"{_NODE}/users/{{user_name}}"),
    "Nodes_RebootNode": ("POST", f"{_NODE}/reboot"),
    "Nodes_StartNode": ("POST", f"{_NODE}/start"),
    "Nodes_ReimageNode": ("POST", f"{_NODE}/reimage"),
    "Nodes_DeallocateNode": ("POST", f"{_NODE}/deallocate"),
    "Nodes_DisableNodeScheduling": ("POST", f"{_NODE}/disablescheduling"),
    "Nodes_EnableNodeScheduling": ("POST", f"{_NODE}/enablescheduling"),
    "Nodes_GetNodeRemoteLoginSettings": ("GET", f"{_NODE}/remoteloginsettings"),
    "Nodes_UploadNodeLogs": ("POST", f"{_NODE}/uploadbatchservicelogs"),
    "Nodes_GetNodeExtension": ("GET", f"{_NODE}/extensions/{{extension_name}}"),
    "Nodes_ListNodeExtensions": ("GET", f"{_NODE}/extensions"),
    "Nodes_ListNodeFiles": ("GET", f"{_NODE}/files"),
    "Nodes_DeleteNodeFile": ("DELETE", f"{_NODE}/files/{{file_path:path}}"),
    "Nodes_GetNodeFileProperties": ("HEAD", f"{_NODE}/files/{{file_path:path}}"),
    "Nodes_GetNodeFile": ("GET", f"{_NODE}/files/{{file_path:path}}"),
}


def _refusing(name: str, method: str, path: str) -> Operation:
    def refuse(_: Call) -> NoReturn:
        raise not_implemented(name)

    return Operation(name, method, path, refuse)


OPERATIONS = [_refusing(name, method, path) for name, (method, path) in UNSUPPORTED.items()]
