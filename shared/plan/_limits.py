"""Finds the parts of a plan that Azure Batch would refuse for their size, before anything is submitted.

https://learn.microsoft.com/azure/batch/batch-quota-limit, and the references of `resourceFiles` and `taskIds`. Other
sizes are limited elsewhere: ids (`documents/names.py`, `TaskId`), paths (`names.LONGEST_PATH`), the commands
(`_environment.LONGEST_ARGUMENT`), the manifest (`documents/manifest_blob.py`, `manifest/_source.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.plan.round_plan import PlannedTask, RoundPlan
from shared.settings import Settings

MAX_TASKS_OF_JOB = 20_000
MAX_RESOURCE_FILES = 32_768
MAX_DEPENDENCIES = 64_000
MAX_TASK = 1_000_000

_SAS_BY_KEY, _SAS_BY_IDENTITY = 200, 420  # characters of the longest SAS

_ENTRY = 80  # characters of the JSON around one resource file
_OUTPUT = 220  # characters of the JSON around one output file
_REST = 2_000  # characters of a task without its files


@dataclass(frozen=True)
class TooLarge:
    """A property that makes a task too large."""

    task: str
    path: tuple[str, ...]
    message: str


def too_many_tasks(count: int) -> str | None:
    """The problem if one job cannot have so many tasks; else None."""
    if count <= MAX_TASKS_OF_JOB:
        return None
    limit = f"but the limit is {MAX_TASKS_OF_JOB}"
    return f"one job would have {count} or more tasks, {limit}; process several items in one task"


def too_large(plan: RoundPlan, settings: Settings) -> Iterator[TooLarge]:
    """Everything in a plan that Batch would refuse for its size; of a fan-out, only its first problem."""
    access = longest_access(plan.staging, settings)
    reported: set[str] = set()
    for task in plan.tasks:
        for problem in _problems_of(task, access):
            if task.name not in reported:
                reported.add(task.name)
                yield problem


def _problems_of(task: PlannedTask, access: int) -> Iterator[TooLarge]:
    dependencies = sum(len(str(number)) for number in task.depends_on)
    if dependencies > MAX_DEPENDENCIES:
        message = f"the ids of the {len(task.depends_on)} tasks before it have {dependencies} characters"
        yield TooLarge(task.name, ("dependsOn",), f"{message}, but the limit is {MAX_DEPENDENCIES}")
    prefixes = task.prefixes
    resources = size_of_resource_files(task, access)
    if resources > MAX_RESOURCE_FILES:
        message = (
            f"it takes files from {len(prefixes)} places, which need up to {resources} characters in Azure Batch,"
            f" but the limit is {MAX_RESOURCE_FILES}; collect the files in an earlier task"
        )
        yield TooLarge(task.name, (), message)
    outputs = sum(_size_of_output(task, pattern.pattern, access) for pattern in task.output_patterns)
    markers = sum(_OUTPUT + access + len(task.system_folder) + len(marker) for marker in task.ties.markers)
    size = _REST + resources + outputs + markers + len(task.container_run_options)
    if size > MAX_TASK:
        message = (
            f"its {len(task.output_patterns)} patterns make a task of up to {size} characters,"
            f" but the limit is {MAX_TASK}; use `**`"
        )
        yield TooLarge(task.name, ("outputFiles",), message)


def size_of_resource_files(task: PlannedTask, access: int) -> int:
    """The most characters that the task's resource files have in a request."""
    return sum(_ENTRY + access + len(prefix) for prefix in task.prefixes)


def _size_of_output(task: PlannedTask, pattern: str, access: int) -> int:
    return (
        _OUTPUT
        + access
        + len(task.paths.inputs)
        + 2 * len(pattern)
        + len(task.paths.outputs(len(task.output_patterns)))
    )


def longest_access(container: str, settings: Settings) -> int:
    """The length of the longest address of the staging container, with its SAS or identity; in characters."""
    url = len(f"{settings.storage.blob_endpoint}/{container}?")
    if settings.staging_identity:
        return url + len('"identityReference": {"resourceId": ""}') + len(settings.staging_identity)
    return url + (_SAS_BY_KEY if settings.storage.connection_string else _SAS_BY_IDENTITY)
