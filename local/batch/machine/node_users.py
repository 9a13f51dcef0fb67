"""The users that clients make on nodes, to log in: https://learn.microsoft.com/rest/api/batchservice/nodes."""

from __future__ import annotations

from datetime import datetime, timedelta

from local.batch.errors import BatchError, ErrorCode, invalid_property
from local.batch.machine.node_operations import require_usable
from local.batch.machine.nodes import Nodes
from local.batch.machine.state import State
from local.batch.models.node import NodeUser, NodeUserCreate, NodeUserReplace
from local.batch.models.pool import Node

DEFAULT_LIFE = timedelta(days=1)


class NodeUsers:
    """Keeps the users of nodes; nodes must be idle or running for whatever is done to them."""

    def __init__(self, state: State, nodes: Nodes) -> None:
        self._state = state
        self._nodes = nodes

    def create(self, pool_id: str, node_id: str, spec: NodeUserCreate) -> None:
        """Add a user. BatchError NodeUserExists, and what is said of nodes that are not usable."""
        node = self._usable(pool_id, node_id)
        if self._of_name(node, spec.name):
            raise BatchError(ErrorCode.NODE_USER_EXISTS)
        user = NodeUser(name=spec.name, is_admin=spec.is_admin, expiry_time=self._expiry(spec))
        self._put(pool_id, node, spec.name, user)

    def replace(self, pool_id: str, node_id: str, name: str, replacement: NodeUserReplace) -> None:
        """Give a user another password, key and end. BatchError NodeUserNotFound."""
        node = self._usable(pool_id, node_id)
        user = self._existing(node, name)
        self._put(pool_id, node, name, user.changed(expiry_time=self._expiry(replacement)))

    def delete(self, pool_id: str, node_id: str, name: str) -> None:
        """Remove a user. BatchError NodeUserNotFound."""
        node = self._usable(pool_id, node_id)
        self._existing(node, name)
        self._put(pool_id, node, name, None)

    def _usable(self, pool_id: str, node_id: str) -> Node:
        node = self._nodes.find(pool_id, node_id)
        require_usable(node)
        return node

    def _existing(self, node: Node, name: str) -> NodeUser:
        user = self._of_name(node, name)
        if user is None:
            raise BatchError(ErrorCode.NODE_USER_NOT_FOUND)
        return user

    def _of_name(self, node: Node, name: str) -> NodeUser | None:
        now = self._state.now()
        return next((user for user in node.users if user.name == name and user.expiry_time > now), None)

    def _expiry(self, spec: NodeUserReplace) -> datetime:
        if spec.password is None and spec.ssh_public_key is None:
            raise BatchError(ErrorCode.MISSING_REQUIRED_PROPERTY, PropertyName="password")
        now = self._state.now()
        if spec.expiry_time and spec.expiry_time <= now:
            raise invalid_property("expiryTime", spec.expiry_time, "It has passed.")
        return spec.expiry_time or now + DEFAULT_LIFE

    def _put(self, pool_id: str, node: Node, name: str, user: NodeUser | None) -> None:
        others = tuple(each for each in node.users if each.name != name)
        self._state.put_node(pool_id, node.changed(users=(*others, user) if user else others))
