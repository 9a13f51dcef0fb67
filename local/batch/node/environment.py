"""The environment variables of a task.

https://learn.microsoft.com/azure/batch/batch-compute-node-environment-variables
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.batch.machine.commands import PreparationRun, RunTask
from local.batch.node.directories import TaskDirectories

RESERVED_DISK_SPACE = "1000000"
"""Bytes of disk that a node keeps free: the value of Batch's documentation; nothing is done here when it is reached."""
_TAKEN_FROM_THIS_MACHINE = ("LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True)
class AccountInfo:
    """What tasks may know of the account."""

    name: str
    url: str


def task_variables(command: RunTask, directories: TaskDirectories, account: AccountInfo) -> dict[str, str]:
    """Return the variables that a task is given anywhere: the job's, the task's and Batch's own, later ones winning."""
    common = command.job.common_environment_settings if command.job else ()
    settings = {setting.name: setting.value or "" for setting in (*common, *command.task.environment_settings)}
    node = _node_variables(command, directories, account)
    return {**settings, **node, **_task_variables(command, directories), **_preparation_variables(command, directories)}


def on_this_machine(variables: Mapping[str, str], directories: TaskDirectories) -> dict[str, str]:
    """Return the variables of a task that runs as a process: this machine's basics, and over them its own."""
    return {**_basics(os.environ, directories), **variables}


def _basics(machine: Mapping[str, str], directories: TaskDirectories) -> dict[str, str]:
    """Take the little that a task may see of this machine; its `python` is the one that runs this service."""
    path = os.pathsep.join([str(Path(sys.executable).parent), machine.get("PATH", os.defpath)])
    taken = {name: machine[name] for name in _TAKEN_FROM_THIS_MACHINE if name in machine}
    return {**taken, "PATH": path, "HOME": str(directories.working)}


def _node_variables(command: RunTask, directories: TaskDirectories, account: AccountInfo) -> dict[str, str]:
    return {
        "AZ_BATCH_ACCOUNT_NAME": account.name,
        "AZ_BATCH_ACCOUNT_URL": account.url,
        "AZ_BATCH_NODE_ID": command.node_id,
        "AZ_BATCH_NODE_IS_DEDICATED": str(command.node_id.endswith("_d")).lower(),
        "AZ_BATCH_NODE_MOUNTS_DIR": str(directories.mounts),
        "AZ_BATCH_NODE_ROOT_DIR": str(directories.node),
        "AZ_BATCH_NODE_SHARED_DIR": str(directories.shared),
        "AZ_BATCH_NODE_STARTUP_DIR": str(directories.startup),
        "AZ_BATCH_POOL_ID": command.pool.id,
    }


def _task_variables(command: RunTask, directories: TaskDirectories) -> dict[str, str]:
    own = {
        "AZ_BATCH_CERTIFICATES_DIR": str(directories.certificates),
        "AZ_BATCH_TASK_DIR": str(directories.task),
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": RESERVED_DISK_SPACE,
        "AZ_BATCH_TASK_WORKING_DIR": str(directories.working),
    }
    if command.job is None:  # a start task
        return own
    return {**own, "AZ_BATCH_JOB_ID": command.job.id, "AZ_BATCH_TASK_ID": command.task_id}


def _preparation_variables(command: RunTask, directories: TaskDirectories) -> dict[str, str]:
    preparation = command.job.job_preparation_task if command.job else None
    if preparation is None or isinstance(command.run, PreparationRun):
        return {}
    directory = directories.sibling(preparation.id)
    return {"AZ_BATCH_JOB_PREP_DIR": str(directory), "AZ_BATCH_JOB_PREP_WORKING_DIR": str(directory / "wd")}
