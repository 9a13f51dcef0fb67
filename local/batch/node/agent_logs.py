"""The logs of the nodes' agents: what they began and what became of it, for those who ask for them by upload.

https://learn.microsoft.com/rest/api/batchservice/nodes/upload-node-logs
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.batch.models.common import time_text
from local.batch.models.node import UploadLogs
from local.batch.node.storage import StorageAccess

FILE_NAME = "agent.log"


@dataclass(frozen=True)
class AgentLogs:
    """One file for each node, outside of its directory: tasks and clients do not see it there."""

    root: Path

    def add(self, pool_id: str, node_id: str, line: str) -> None:
        """Note something that happened on a node."""
        path = self._path(pool_id, node_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as log:
            log.write(f"{time_text(datetime.now(UTC))} {line}\n")

    def forget(self, pool_id: str, node_id: str) -> None:
        """Lose the log of a node that is no more, or has a new disk."""
        self._path(pool_id, node_id).unlink(missing_ok=True)

    def wanted(self, pool_id: str, node_id: str, request: UploadLogs) -> list[Path]:
        """Return the files that have a line of the times that are asked for; more than that may be in them."""
        path = self._path(pool_id, node_id)
        if not path.exists():
            return []
        times = [datetime.fromisoformat(line.partition(" ")[0]) for line in path.read_text().splitlines()]
        is_wanted = any(
            request.start_time <= time and (not request.end_time or time <= request.end_time) for time in times
        )
        return [path] if is_wanted else []

    def _path(self, pool_id: str, node_id: str) -> Path:
        return self.root / ".logs" / pool_id / node_id / FILE_NAME


def upload_logs(files: list[Path], folder: str, request: UploadLogs, access: StorageAccess) -> None:
    """Upload log files into a folder of a container; AzureError, or IdentityError if the identity cannot be used."""
    with access.container(request.container_url, request.identity_reference) as container:
        for file in files:
            container.upload_blob(f"{folder}/{file.name}", file.read_bytes(), overwrite=True)
