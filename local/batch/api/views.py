"""How resources look over the wire: what is stored under the service's names, and the properties that are computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from local.batch.machine.state import NodeWork
from local.batch.models.auto_scale import AutoScaleRun
from local.batch.models.common import BatchModel, duration_text, time_text
from local.batch.models.job import Job, JobOnNode
from local.batch.models.job_schedule import JobSchedule
from local.batch.models.pool import Node, Pool
from local.batch.models.supported_images import SupportedImage
from local.batch.models.task import Task, TaskState
from local.batch.models.usage import TaskUsage
from local.batch.node.directories import task_root

_GIB = 2**30
IPV4, IPV6 = "127.0.0.1", "::1"
SSH_PORT = 22
NODE_AGENT_VERSION = "1.12.19"
"""That of the examples in the specification of this API version; nothing here depends on it."""
_NODE_COUNTS = (
    "creating",
    "idle",
    "offline",
    "preempted",
    "rebooting",
    "reimaging",
    "running",
    "starting",
    "startTaskFailed",
    "leavingPool",
    "unknown",
    "unusable",
    "waitingForStartTask",
    "deallocated",
    "deallocating",
    "upgradingOS",
)
_COUNTED_BY_NAME = (TaskState.ACTIVE, TaskState.COMPLETED)
"""Whatever a task does in between counts as running."""
_TASK_COUNTS = ("active", "running", "completed", "succeeded", "failed")


_NODE_PROPERTIES = (
    "ipAddress",
    "ipv6Address",
    "affinityId",
    "vmSize",
    "totalTasksRun",
    "totalTasksSucceeded",
    "runningTasksCount",
    "runningTaskSlotsCount",
    "recentTasks",
    "startTask",
    "startTaskInfo",
    "endpointConfiguration",
    "nodeAgentInfo",
    "virtualMachineInfo",
)
_SECRETS = frozenset({"password", "sshPrivateKey", "accountKey", "sasKey"})
_NODE_TASK_PROPERTIES = ("jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo")
_NOTHING: frozenset[str] = frozenset()


def _names(model: type[BatchModel], local_fields: frozenset[str], *more: str) -> frozenset[str]:
    shown = (field.alias or name for name, field in model.model_fields.items() if name not in local_fields)
    return frozenset({*shown, "url", *more})


PROPERTIES = {
    "jobs": _names(Job, Job.local_fields, "stats"),
    "jobschedules": _names(JobSchedule, JobSchedule.local_fields, "stats"),
    "tasks": _names(Task, Task.local_fields, "stats"),
    "pools": _names(
        Pool,
        Pool.local_fields,
        "currentDedicatedNodes",
        "currentLowPriorityNodes",
        "autoScaleRun",
        "identity",
        "stats",
    ),
    "nodes": _names(Node, Node.local_fields, *_NODE_PROPERTIES),
    "jobpreparationandreleasetaskstatuslist": frozenset({"poolId", "nodeId", "nodeUrl", *_NODE_TASK_PROPERTIES}),
}
"""What can be selected of each kind of resource."""


def job_view(job: Job, base_url: str) -> dict[str, Any]:
    """Return a job as JSON."""
    view = _dump(job, Job.local_fields)
    return {"id": job.id, "url": f"{base_url}/jobs/{job.id}", **view}


def job_schedule_view(schedule: JobSchedule, base_url: str) -> dict[str, Any]:
    """Return a job schedule as JSON."""
    view = _dump(schedule, JobSchedule.local_fields)
    if recent := view["executionInfo"].get("recentJob"):
        recent["url"] = f"{base_url}/jobs/{recent['id']}"
    return {"id": schedule.id, "url": f"{base_url}/jobschedules/{schedule.id}", **view}


def task_view(job_id: str, task: Task, base_url: str) -> dict[str, Any]:
    """Return a task as JSON."""
    view = _dump(task, Task.local_fields)
    if task.node_info:
        pool_id, node_id = task.node_info.pool_id, task.node_info.node_id
        node_url, root = f"{base_url}/pools/{pool_id}/nodes/{node_id}", task_root(job_id, task.id)
        view["nodeInfo"] = {
            "affinityId": f"TVM:{node_id}",
            "nodeUrl": node_url,
            "poolId": pool_id,
            "nodeId": node_id,
            "taskRootDirectory": root,
            "taskRootDirectoryUrl": f"{node_url}/files/{root}",
        }
    return {"id": task.id, "url": f"{base_url}/jobs/{job_id}/tasks/{task.id}", **view}


def task_statistics_view(task: Task, usage: TaskUsage, task_url: str) -> dict[str, Any]:
    """Return what a task that has ended has used as JSON, without what is not known; 64-bit integers are text there.

    `BatchTaskStatistics` in the specification; `waitTime` is "the time to the most recent Task execution".
    """
    execution, used = task.execution_info, usage.used
    started, ended = execution.start_time or task.creation_time, execution.end_time or task.state_transition_time
    values = {
        "url": f"{task_url}/stats",
        "startTime": time_text(usage.first_start),
        "lastUpdateTime": time_text(ended),
        "userCPUTime": duration_text(used.user_cpu_time),
        "kernelCPUTime": duration_text(used.kernel_cpu_time),
        "wallClockTime": duration_text(usage.wall_clock_time),
        "readIOps": None if used.read_operations is None else str(used.read_operations),
        "writeIOps": None if used.write_operations is None else str(used.write_operations),
        "readIOGiB": None if used.read_bytes is None else used.read_bytes / _GIB,
        "writeIOGiB": None if used.written_bytes is None else used.written_bytes / _GIB,
        "waitTime": duration_text(started - task.creation_time),
    }
    return {name: value for name, value in values.items() if value is not None}


def pool_view(pool: Pool, base_url: str) -> dict[str, Any]:
    """Return a pool as JSON."""
    return {
        "id": pool.id,
        "url": f"{base_url}/pools/{pool.id}",
        **_dump(pool, Pool.local_fields),
        "currentDedicatedNodes": pool.count(dedicated=True),
        "currentLowPriorityNodes": pool.count(dedicated=False),
    }


def auto_scale_run_view(run: AutoScaleRun) -> dict[str, Any]:
    """Return an evaluation of a formula as JSON."""
    return _dump(run, _NOTHING)


def node_view(pool: Pool, node: Node, work: NodeWork, base_url: str) -> dict[str, Any]:
    """Return a node as JSON, with the work that it does and has done."""
    view = _dump(node, Node.local_fields)
    if pool.start_task:
        view["startTask"] = _dump(pool.start_task, _NOTHING)
    return {
        **view,
        "url": f"{base_url}/pools/{pool.id}/nodes/{node.id}",
        "ipAddress": IPV4,
        "ipv6Address": IPV6,
        "affinityId": f"TVM:{node.id}",
        "vmSize": pool.vm_size,
        "totalTasksRun": work.completed,
        "totalTasksSucceeded": work.succeeded,
        "runningTasksCount": work.running,
        "runningTaskSlotsCount": work.used_slots,
        "endpointConfiguration": _endpoints(pool, node),
        "nodeAgentInfo": {"version": NODE_AGENT_VERSION, "lastUpdateTime": view["allocationTime"]},
        "virtualMachineInfo": _machine_info(pool),
    }


def remote_login_view(pool: Pool, node: Node) -> dict[str, Any]:
    """Return where one would log in to a node: by the endpoint of its port 22, if it has one."""
    endpoints = _endpoints(pool, node)["inboundEndpoints"]
    port = next((each["frontendPort"] for each in endpoints if each["backendPort"] == SSH_PORT), SSH_PORT)
    view = {"remoteLoginIPAddress": IPV4, "remoteLoginPort": port}
    if pool.network_configuration and pool.network_configuration.has_ipv6:
        view.update({"ipv6RemoteLoginIPAddress": IPV6, "ipv6RemoteLoginPort": port})
    return view


def job_on_node_view(job: Job, here: JobOnNode, base_url: str) -> dict[str, Any]:
    """Return how a job's preparation and release tasks went on a node."""
    node_url = f"{base_url}/pools/{here.pool_id}/nodes/{here.node_id}"
    view: dict[str, Any] = {"poolId": here.pool_id, "nodeId": here.node_id, "nodeUrl": node_url}
    tasks = ((job.job_preparation_task, here.preparation), (job.job_release_task, here.release))
    for name, (task, info) in zip(_NODE_TASK_PROPERTIES, tasks, strict=True):
        if task and info:
            root = task_root(job.id, task.id)
            directory = {"taskRootDirectory": root, "taskRootDirectoryUrl": f"{node_url}/files/{root}"}
            view[name] = {**_dump(info, _NOTHING), **directory}
    view.get("jobReleaseTaskExecutionInfo", {}).pop("retryCount", None)  # release tasks are never retried
    return view


def node_counts_view(pool: Pool, nodes: Iterable[Node]) -> dict[str, Any]:
    """Return how many nodes of a pool are in which state."""
    listed = list(nodes)
    return {
        "poolId": pool.id,
        "dedicated": _count_nodes(node for node in listed if node.is_dedicated),
        "lowPriority": _count_nodes(node for node in listed if not node.is_dedicated),
    }


def supported_image_view(image: SupportedImage) -> dict[str, Any]:
    """Return an image that pools can name as JSON."""
    return _dump(image, _NOTHING)


def task_counts_view(tasks: Iterable[Task]) -> dict[str, Any]:
    """Return how many tasks of a job are in which state, and how many slots they take."""
    counts: Counter[str] = Counter()
    slots: Counter[str] = Counter()
    for task in tasks:
        names = [task.state.value if task.state in _COUNTED_BY_NAME else "running"]
        if task.state is TaskState.COMPLETED:
            names.append("succeeded" if task.succeeded else "failed")
        for name in names:
            counts[name] += 1
            slots[name] += task.required_slots
    return {
        "taskCounts": {name: counts[name] for name in _TASK_COUNTS},
        "taskSlotCounts": {name: slots[name] for name in _TASK_COUNTS},
    }


def _endpoints(pool: Pool, node: Node) -> dict[str, Any]:
    """Return where the ports of a node are reached that its pool opens: on this machine, where nobody forwards them."""
    network = pool.network_configuration
    nat_pools = network.endpoint_configuration.inbound_nat_pools if network and network.endpoint_configuration else ()
    families = (("", IPV4), ("-ipv6", IPV6)) if network and network.has_ipv6 else (("", IPV4),)
    endpoints = [
        {
            "name": f"{nat_pool.name}{suffix}.{node.number}",
            "protocol": nat_pool.protocol.value,
            "publicIPAddress": address,
            "publicFQDN": "localhost",
            "frontendPort": nat_pool.frontend_ports[node.number % len(nat_pool.frontend_ports)],
            "backendPort": nat_pool.backend_port,
        }
        for nat_pool in nat_pools
        for suffix, address in families
    ]
    return {"inboundEndpoints": endpoints}


def _machine_info(pool: Pool) -> dict[str, Any]:
    """Return what a node is made of: what its pool says, as nothing comes of it here."""
    machine = pool.virtual_machine_configuration
    image = machine.image_reference if machine else None
    return {"imageReference": _dump(image, _NOTHING)} if image else {}


def _count_nodes(nodes: Iterable[Node]) -> dict[str, int]:
    counts = Counter(node.state.value for node in nodes)
    return {**{name: counts[name.lower()] for name in _NODE_COUNTS}, "total": counts.total()}


def _dump(resource: BatchModel, local_fields: frozenset[str]) -> dict[str, Any]:
    view = resource.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(local_fields))
    return {name: _without_secrets(value) for name, value in view.items() if value != []}


def _without_secrets(value: object) -> object:
    """Leave out what the service takes and never shows: of user accounts, registries and mounts."""
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items() if name not in _SECRETS}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value
