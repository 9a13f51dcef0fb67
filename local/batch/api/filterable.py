"""By which properties each listing can be filtered, and with which operators: nothing else is taken by the service.

https://learn.microsoft.com/rest/api/batchservice/odata-filters-in-batch
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from local.batch.models.job import JobState
from local.batch.models.job_schedule import JobScheduleState
from local.batch.models.node_task import NodeTaskState, TaskResult
from local.batch.models.pool import AllocationState, NodeState, PoolState
from local.batch.models.task import TaskState

EQUALITY = frozenset({"eq", "ne"})
COMPARISON = EQUALITY | {"ge", "gt", "le", "lt"}
STARTS_WITH = frozenset({"startswith"})


class PropertyType(Enum):
    """The type of a property: what its values are compared with, as a filter spells it."""

    TEXT = "text between single quotes"
    INTEGER = "a number"
    BOOLEAN = "true or false"
    DATETIME = "DateTime'2026-01-01T00:00:00Z'"


@dataclass(frozen=True)
class Filterable:
    """A property that a listing can be filtered by.

    `attributes` lead to its value in the resource; `values`, if given, are all that it can have, in lower case.
    """

    operators: frozenset[str]
    compared_with: PropertyType
    attributes: tuple[str, ...]
    values: tuple[str, ...] = ()


def _attributes(path: str) -> tuple[str, ...]:
    return tuple(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in path.split("/"))


def _times(*paths: str) -> dict[str, Filterable]:
    return {path: Filterable(COMPARISON, PropertyType.DATETIME, _attributes(path)) for path in paths}


def _state(path: str, values: Iterable[str]) -> dict[str, Filterable]:
    return {path: Filterable(EQUALITY, PropertyType.TEXT, _attributes(path), tuple(values))}


def _text(operators: frozenset[str], *paths: str) -> dict[str, Filterable]:
    return {path: Filterable(operators, PropertyType.TEXT, _attributes(path)) for path in paths}


_RESOURCE_TIMES = _times("stateTransitionTime", "creationTime", "lastModified")
_EXECUTION_TIMES = _times("executionInfo/startTime", "executionInfo/endTime")


def _node_task(path: str, attribute: str) -> dict[str, Filterable]:
    """Return the properties of a preparation, release or start task, which a resource has as `attribute`."""
    return {
        f"{path}/state": Filterable(EQUALITY, PropertyType.TEXT, (attribute, "state"), tuple(NodeTaskState)),
        f"{path}/startTime": Filterable(COMPARISON, PropertyType.DATETIME, (attribute, "start_time")),
        f"{path}/endTime": Filterable(COMPARISON, PropertyType.DATETIME, (attribute, "end_time")),
        f"{path}/exitCode": Filterable(COMPARISON, PropertyType.INTEGER, (attribute, "exit_code")),
        f"{path}/result": Filterable(EQUALITY, PropertyType.TEXT, (attribute, "result"), tuple(TaskResult)),
    }


FILTERABLE: dict[str, dict[str, Filterable]] = {
    "jobs": {
        **_text(COMPARISON | STARTS_WITH, "id", "executionInfo/poolId"),
        **_state("state", JobState),
        **_RESOURCE_TIMES,
        **_EXECUTION_TIMES,
    },
    "jobschedules": {
        **_text(COMPARISON | STARTS_WITH, "id"),
        **_state("state", JobScheduleState),
        **_RESOURCE_TIMES,
    },
    "tasks": {
        **_text(COMPARISON | STARTS_WITH, "id"),
        **_state("state", TaskState),
        **_RESOURCE_TIMES,
        "lastModifiedTime": Filterable(COMPARISON, PropertyType.DATETIME, ("last_modified",)),  # as documented
        **_EXECUTION_TIMES,
        "executionInfo/exitCode": Filterable(COMPARISON, PropertyType.INTEGER, ("execution_info", "exit_code")),
        **_state("executionInfo/result", TaskResult),
    },
    "pools": {
        **_text(COMPARISON | STARTS_WITH, "id"),
        **_text(EQUALITY, "vmSize"),
        **_state("state", PoolState),
        **_state("allocationState", AllocationState),
        **_RESOURCE_TIMES,
        **_times("allocationStateTransitionTime"),
        "enableAutoScale": Filterable(EQUALITY, PropertyType.BOOLEAN, ("enable_auto_scale",)),
        "enableInterNodeCommunication": Filterable(
            EQUALITY, PropertyType.BOOLEAN, ("enable_inter_node_communication",)
        ),
    },
    "nodes": {
        **_state("state", NodeState),
        **_times("stateTransitionTime", "allocationTime"),
        "lastBootTime": Filterable(COMPARISON, PropertyType.DATETIME, ("allocation_time",)),
        **_node_task("startTaskInfo", "start_task_info"),
    },
    "poolnodecounts": {"poolId": Filterable(frozenset({"eq"}), PropertyType.TEXT, ("id",))},
    "poolusagemetrics": {"poolId": Filterable(frozenset({"eq"}), PropertyType.TEXT, ("id",))},
    "files": _text(STARTS_WITH, "name"),
    "supportedimages": {
        **_text(EQUALITY, "osType", "verificationType"),
        "nodeAgentSKUId": Filterable(EQUALITY, PropertyType.TEXT, ("node_agent_sku_id",)),
    },
    "jobpreparationandreleasetaskstatuslist": {
        **_text(EQUALITY, "poolId", "nodeId"),
        **_node_task("jobPreparationTaskExecutionInfo", "preparation"),
        **_node_task("jobReleaseTaskExecutionInfo", "release"),
    },
}
"""By the name that a listing has in its `odata.metadata`."""
