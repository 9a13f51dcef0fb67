"""The environment variables of a task.

https://learn.microsoft.com/azure/batch/batch-compute-node-environment-variables
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.batch.machine.commands import StartTask
    from local.batch.node.directories import TaskDirectories

_TAKEN_FROM_THIS_MACHINE = ("LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True)
class AccountInfo:
    """What tasks may know of the account."""

    name: str
    url: str


def task_environment(start: StartTask, directories: TaskDirectories, account: AccountInfo) -> dict[str, str]:
    """Return a task's variables: this machine's basics, the job's, the task's and Batch's own, later ones winning."""
    settings = (*start.job.common_environment_settings, *start.task.environment_settings)
    return {
        **_basics(os.environ, directories),
        **{setting.name: setting.value or "" for setting in settings},
        **_batch_variables(start, directories, account),
    }


def _basics(machine: Mapping[str, str], directories: TaskDirectories) -> dict[str, str]:
    """Take the little that a task may see of this machine; its `python` is the one that runs this service."""
    path = os.pathsep.join([str(Path(sys.executable).parent), machine.get("PATH", os.defpath)])
    taken = {name: machine[name] for name in _TAKEN_FROM_THIS_MACHINE if name in machine}
    return {**taken, "PATH": path, "HOME": str(directories.working)}


def _batch_variables(start: StartTask, directories: TaskDirectories, account: AccountInfo) -> dict[str, str]:
    node = directories.node
    dedicated = start.node_id.endswith("_d")
    return {
        "AZ_BATCH_ACCOUNT_NAME": account.name,
        "AZ_BATCH_ACCOUNT_URL": account.url,
        "AZ_BATCH_CERTIFICATES_DIR": str(directories.certificates),
        "AZ_BATCH_JOB_ID": start.job.id,
        "AZ_BATCH_NODE_ID": start.node_id,
        "AZ_BATCH_NODE_IS_DEDICATED": str(dedicated).lower(),
        "AZ_BATCH_NODE_MOUNTS_DIR": str(node / "fsmounts"),
        "AZ_BATCH_NODE_ROOT_DIR": str(node),
        "AZ_BATCH_NODE_SHARED_DIR": str(node / "shared"),
        "AZ_BATCH_NODE_STARTUP_DIR": str(node / "startup"),
        "AZ_BATCH_POOL_ID": start.pool_id,
        "AZ_BATCH_TASK_DIR": str(directories.task),
        "AZ_BATCH_TASK_ID": start.task.id,
        "AZ_BATCH_TASK_WORKING_DIR": str(directories.working),
    }
