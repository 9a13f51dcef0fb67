"""A job `job` in the pool `local` of a service that a test has for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.batch import models
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

if TYPE_CHECKING:
    from azure.batch import BatchClient


def create_job(client: BatchClient) -> None:
    """Create it."""
    client.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="local")))


def add_task(client: BatchClient, task_id: str, command_line: str) -> None:
    """Add a task to it."""
    client.create_task("job", models.BatchTaskCreateOptions(id=task_id, command_line=command_line))


def stdout_of(client: BatchClient, task_id: str) -> str:
    """What a task has printed so far; nothing if it has no files yet, or any more."""
    try:
        return b"".join(client.download_task_file("job", task_id, "stdout.txt")).decode()
    except (ResourceExistsError, ResourceNotFoundError):
        return ""
