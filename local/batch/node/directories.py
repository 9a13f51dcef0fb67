"""Where things lie on a node.

https://learn.microsoft.com/azure/batch/files-and-directories: below the node's root directory, `shared`, `startup` and
`workitems/<job>/job-1/<task>`; in a task's directory `stdout.txt`, `stderr.txt` and the working directory `wd`. The
start task's directory is `startup`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

START_TASK_ROOT = "startup"
"""The directory of the start task, relative to its node's."""
_NODE_DIRECTORIES = ("shared", START_TASK_ROOT, "workitems", "volatile", "fsmounts", "applications")
_FOR_ALL_USERS = 0o777


def node_directory(root: Path, pool_id: str, node_id: str) -> Path:
    """Return the root directory of a node, below the directory of all nodes."""
    return root / pool_id / node_id


def create_node(node: Path) -> None:
    """Create the directories that every node has; what is there stays."""
    for name in _NODE_DIRECTORIES:
        (node / name).mkdir(parents=True, exist_ok=True)
    (node / "shared").chmod(_FOR_ALL_USERS)


def task_root(job_id: str, task_id: str) -> str:
    """Return the directory of a task, relative to its node's; that of a schedule's second job ends with `job-2`."""
    name, _, job = job_id.partition(":")
    return f"workitems/{name}/{job or 'job-1'}/{task_id}"


@dataclass(frozen=True)
class TaskDirectories:
    """The directories of one task on one node; all paths are absolute."""

    node: Path
    task: Path

    @classmethod
    def of(cls, root: Path, pool_id: str, node_id: str, below: str) -> TaskDirectories:
        """Name the directories of a task, whether they exist or not; `below` is `task_root` or `START_TASK_ROOT`."""
        node = node_directory(root.absolute(), pool_id, node_id)
        return cls(node=node, task=node / below)

    @property
    def shared(self) -> Path:
        """What all tasks of the node may read and write."""
        return self.node / "shared"

    @property
    def startup(self) -> Path:
        """The directory of the start task."""
        return self.node / START_TASK_ROOT

    @property
    def mounts(self) -> Path:
        """Where file systems would be mounted; always empty here."""
        return self.node / "fsmounts"

    @property
    def applications(self) -> Path:
        """Where application packages would lie; always empty here."""
        return self.node / "applications"

    def sibling(self, task_id: str) -> Path:
        """Return the directory of another task of the same job."""
        return self.task.parent / task_id

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
        create_node(self.node)
        self.working.mkdir(parents=True, exist_ok=True)
        self.certificates.mkdir(exist_ok=True)
