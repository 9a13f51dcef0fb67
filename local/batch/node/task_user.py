"""Who a task runs as on this machine.

On a real node a task is an unprivileged user of Batch's own unless it is an administrator. Here it can be another user
than the service only if the service runs as root: `nobody` then stands for Batch's user, and root for an administrator.

https://learn.microsoft.com/azure/batch/batch-user-accounts
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from local.batch.failures import FailureCode
from local.batch.models.node_task import AutoUser, NodeTask, UserIdentity
from local.batch.models.pool import Pool
from local.batch.node.pre_processing import PreProcessingError

UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class TaskUser:
    """A user by its ids."""

    user_id: int
    group_id: int


def service_is_root() -> bool:
    """Whether the service may act as any user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def user_of(task: NodeTask) -> TaskUser | None:
    """Return the user that a task runs as by its own settings; None is the service's own."""
    return unprivileged_user() if service_is_root() and not task.is_admin else None


def with_account(task: NodeTask, pool: Pool) -> NodeTask:
    """Return a task that runs as a user account of its pool as one of Batch's own user of that level.

    PreProcessingError if the pool has no such account; the code is this service's, Azure's is documented nowhere.
    """
    name = task.user_identity.username if task.user_identity else None
    if name is None:
        return task
    account = next((account for account in pool.user_accounts or () if account.name == name), None)
    if account is None:
        message = f"The pool {pool.id} has no user account {name}."
        raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=message))
    user = UserIdentity(auto_user=AutoUser(elevation_level=account.elevation_level))
    return task.changed(user_identity=user)


def unprivileged_user() -> TaskUser:
    """Return the user that stands for Batch's unprivileged ones."""
    import pwd  # noqa: PLC0415 - Windows has none, and no root either

    entry = pwd.getpwnam(UNPRIVILEGED)
    return TaskUser(entry.pw_uid, entry.pw_gid)


def own(directory: Path, user: TaskUser) -> None:
    """Make everything in a task's directory the user's; links are not followed."""
    for folder, folders, files in os.walk(directory):
        for name in (".", *folders, *files):
            os.chown(os.path.join(folder, name), user.user_id, user.group_id, follow_symlinks=False)  # noqa: PTH118


def check_enterable(directory: Path, user: TaskUser) -> None:
    """Refuse to run a task in a directory that its user could not enter; PreProcessingError says which and why."""
    for folder in (directory, *directory.parents):
        if not _may_enter(folder.stat(), user):
            message = (
                f"The task's user {UNPRIVILEGED} cannot enter {folder}, as the service runs as root and the task is no "
                f"administrator. Allow it with `chmod o+x {folder}`, or choose another --data-dir."
            )
            raise PreProcessingError(FailureCode.COMMAND_LAUNCH_FAILED.info(Message=message))


def _may_enter(folder: os.stat_result, user: TaskUser) -> bool:
    if user.user_id == 0:
        return True
    if folder.st_uid == user.user_id:
        return bool(folder.st_mode & stat.S_IXUSR)
    return bool(folder.st_mode & (stat.S_IXGRP if folder.st_gid == user.group_id else stat.S_IXOTH))
