"""Where tasks run, and what their files pass through: their pools, and the staging container that all of them share."""

from __future__ import annotations

from collections.abc import Iterable

from shared.manifest.read import Task
from shared.plan._rendering import NOT_KNOWN_YET, Rendering
from shared.settings import Settings

_CONTAINER = ("taskRunner", "blobStorage", "containerName")


def pool_of(task: Task, rendering: Rendering, default: str | None) -> str:
    """The pool of a task; empty, with a problem, if it names none and there is no default."""
    pool = rendering.optional(("taskRunner", "poolId"), task.task_runner.pool_id) or default
    if pool is None:
        rendering.fail(("taskRunner",), "no pool: name one in `poolId`, or set the app setting BATCH_POOL_ID")
    return pool or ""


def staging_container(tasks: Iterable[tuple[Task, Rendering]], default: str, settings: Settings) -> str:
    """The container that all tasks name, or the default; a problem for each that may not be used, or is another."""
    containers: dict[str, None] = {}
    for task, rendering in tasks:
        container = rendering.optional(_CONTAINER, task.task_runner.blob_storage.container_name) or default
        if container == NOT_KNOWN_YET:
            continue
        if container != default and not settings.container_is_allowed(container):
            rendering.fail(
                _CONTAINER,
                f"this container cannot be used here; name {default!r}, or leave it out; the app setting"
                " ALLOWED_CONTAINERS allows others",
            )
            continue
        containers[container] = None
        if len(containers) > 1:
            rendering.fail(_CONTAINER, "all tasks of a flow must use the same container")
    return next(iter(containers), default)
