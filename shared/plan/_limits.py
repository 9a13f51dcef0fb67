"""What Azure Batch would refuse of a plan because it is too large: found before anything is submitted. Pure.

https://learn.microsoft.com/azure/batch/batch-quota-limit, and the references of `resourceFiles` and `taskIds`. What
needs no check is bounded where it is made: ids (`run_id.py`, `TaskId`), paths (`outputs.LONGEST_PATH`), the commands
(`task_properties.LONGEST_COMMANDS`), the manifest (`manifest.MAX_BYTES`, `yaml_source.py`).
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


_SAS_BY_KEY, _SAS_BY_IDENTITY = 200, 420  # characters of the longest

_ENTRY = 80  # of the JSON around one resource file
_OUTPUT = 220  # of the JSON around one output file
_REST = 2_000  # of a task without its files


@dataclass(frozen=True)
class TooLarge:
    """A property of a task that makes it too large."""

    task: str
    path: tuple[str, ...]
    message: str


def too_many_tasks(count: int) -> str | None:
    """What is wrong with so many tasks in one job."""
    if count <= MAX_TASKS_OF_JOB:
        return None
    return (
        f"one job would have {count} tasks or more, of at most {MAX_TASKS_OF_JOB}; let tasks do more than one item each"
    )


def too_large(plan: RoundPlan, settings: Settings) -> Iterator[TooLarge]:
    """Everything of a plan that Batch would refuse for its size; a fan-out is told of once."""
    access = longest_access(plan.staging, settings)
    told: set[str] = set()
    for task in plan.tasks:
        for problem in _of_task(task, access):
            if task.name not in told:
                told.add(task.name)
                yield problem


def _of_task(task: PlannedTask, access: int) -> Iterator[TooLarge]:
    dependencies = sum(len(str(number)) for number in task.depends_on)
    if dependencies > MAX_DEPENDENCIES:
        message = f"the ids of the {len(task.depends_on)} tasks before it have {dependencies} characters, of at most"
        yield TooLarge(task.name, ("dependsOn",), f"{message} {MAX_DEPENDENCIES}")
    prefixes = task.prefixes
    resources = size_of_resource_files(task, access)
    if resources > MAX_RESOURCE_FILES:
        message = (
            f"it takes files from {len(prefixes)} places, which need up to {resources} characters in Azure Batch,"
            f" of at most {MAX_RESOURCE_FILES}; let an earlier task collect them"
        )
        yield TooLarge(task.name, (), message)
    outputs = sum(_output(task, pattern.pattern, access) for pattern in task.output_patterns)
    size = _REST + resources + outputs + len(task.container_run_options)
    if size > MAX_TASK:
        message = (
            f"its {len(task.output_patterns)} patterns make a task of up to {size} characters, of at most {MAX_TASK};"
            " use globs"
        )
        yield TooLarge(task.name, ("outputFiles",), message)


def size_of_resource_files(task: PlannedTask, access: int) -> int:
    """How many characters the task's resource files have in a request, at most."""
    return sum(_ENTRY + access + len(prefix) for prefix in task.prefixes)


def _output(task: PlannedTask, pattern: str, access: int) -> int:
    return (
        _OUTPUT
        + access
        + len(task.paths.inputs)
        + 2 * len(pattern)
        + len(task.paths.outputs(len(task.output_patterns)))
    )


def longest_access(container: str, settings: Settings) -> int:
    """How many characters the longest address of the staging container has, with what opens it."""
    url = len(f"{settings.storage.blob_endpoint}/{container}?")
    if settings.node_identity:
        return url + len('"identityReference": {"resourceId": ""}') + len(settings.node_identity)
    return url + (_SAS_BY_KEY if settings.storage.connection_string else _SAS_BY_IDENTITY)
