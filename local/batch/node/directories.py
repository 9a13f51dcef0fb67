"""Where things lie on a node.

https://learn.microsoft.com/azure/batch/files-and-directories: below the node's root directory, `shared`, `startup` and
`workitems/<job>/job-1/<task>`; in a task's directory `stdout.txt`, `stderr.txt` and the working directory `wd`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NODE_DIRECTORIES = ("shared", "startup", "workitems", "volatile", "fsmounts", "applications")


def node_directory(root: Path, pool_id: str, node_id: str) -> Path:
    """Return the root directory of a node, below the directory of all nodes."""
    return root / pool_id / node_id


def task_root(job_id: str, task_id: str) -> str:
    """Return the directory of a task, relative to its node's."""
    return f"workitems/{job_id}/job-1/{task_id}"


@dataclass(frozen=True)
class TaskDirectories:
    """The directories of one task on one node; all paths are absolute."""

    node: Path
    task: Path

    @classmethod
    def of(cls, root: Path, pool_id: str, node_id: str, job_id: str, task_id: str) -> TaskDirectories:
        """Name the directories of a task, whether they exist or not."""
        node = node_directory(root.absolute(), pool_id, node_id)
        return cls(node=node, task=node / task_root(job_id, task_id))

    @property
    def working(self) -> Path:
        """The working directory."""
        return self.task / "wd"

    @property
    def stdout(self) -> Path:
        """What the task's process printed."""
        return self.task / "stdout.txt"

    @property
    def stderr(self) -> Path:
        """What the task's process printed on standard error."""
        return self.task / "stderr.txt"

    @property
    def certificates(self) -> Path:
        """Where Batch puts certificates on Linux; always empty here."""
        return self.task / "certs"

    def create(self) -> None:
        """Create what is not there; what an earlier run of the task left stays."""
        for name in _NODE_DIRECTORIES:
            (self.node / name).mkdir(parents=True, exist_ok=True)
        self.working.mkdir(parents=True, exist_ok=True)
        self.certificates.mkdir(exist_ok=True)
