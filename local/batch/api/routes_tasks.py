"""The operations on tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from local.batch.api.call import Call, json_response
from local.batch.api.conditions import Version
from local.batch.api.error_body import error_body
from local.batch.api.operation import Operation
from local.batch.api.views import task_statistics_view, task_view
from local.batch.errors import BatchError
from local.batch.machine.statistics import told_usage
from local.batch.models.common import BatchModel, time_text
from local.batch.models.task import Task, TaskCreate, TaskReplace
from local.batch.service import utc_now

if TYPE_CHECKING:
    from starlette.responses import Response

MAX_TASKS_PER_COLLECTION = 100


class TaskCollection(BatchModel):
    """The body of `addtaskcollection`."""

    value: tuple[TaskCreate, ...] = Field(max_length=MAX_TASKS_PER_COLLECTION)


def create_task(call: Call) -> Response:
    """Add a task to a job."""
    spec = call.read(TaskCreate)
    task = call.service.do(lambda account: account.tasks.create(_job_id(call), spec))
    return call.created(f"jobs/{_job_id(call)}/tasks/{task.id}", _version_of(task))


def create_task_collection(call: Call) -> Response:
    """Add up to 100 tasks to a job; the answer says for each how it went."""
    specs = call.read(TaskCollection).value
    results = call.service.do(lambda account: account.tasks.create_collection(_job_id(call), specs))
    value = [_add_result(call, spec, result) for spec, result in zip(specs, results, strict=True)]
    return json_response({"odata.metadata": f"{call.base_url}/$metadata#taskaddresult", "value": value})


def get_task(call: Call) -> Response:
    """Show a task."""
    task = _checked_task(call)
    response = call.entity("tasks", _view(call, task), _version_of(task))
    response.headers["DataServiceId"] = call.base_url + call.path
    return response


def list_tasks(call: Call) -> Response:
    """List the tasks of a job."""
    tasks = call.service.do(lambda account: account.tasks.all(_job_id(call)))
    return call.listing("tasks", tasks, lambda task: _view(call, task))


def replace_task(call: Call) -> Response:
    """Change the constraints of a task."""
    replacement = call.read(TaskReplace)
    task = _checked_task(call)
    call.service.do(lambda account: account.tasks.replace(_job_id(call), task.id, replacement))
    return call.done(200, _version_of(_task(call)))


def delete_task(call: Call) -> Response:
    """Remove a task."""
    task = _checked_task(call)
    call.service.do(lambda account: account.tasks.delete(_job_id(call), task.id))
    return call.done(200)


def terminate_task(call: Call) -> Response:
    """End a task."""
    task = _checked_task(call)
    call.service.do(lambda account: account.tasks.terminate(_job_id(call), task.id))
    return call.done(204, _version_of(_task(call)))


def list_subtasks(call: Call) -> Response:
    """List the subtasks of a task: only multi-instance tasks have some, and those are not served."""
    _task(call)
    return call.listing("subtasks", (), dict)


def reactivate_task(call: Call) -> Response:
    """Let a task that failed run again."""
    task = _checked_task(call)
    call.service.do(lambda account: account.tasks.reactivate(_job_id(call), task.id))
    return call.done(204, _version_of(_task(call)))


def _view(call: Call, task: Task) -> dict[str, Any]:
    view = task_view(_job_id(call), task, call.base_url)
    usage = told_usage(task, utc_now(), call.service.limits.statistics_delay) if call.expands_statistics else None
    return {**view, "stats": task_statistics_view(task, usage, view["url"])} if usage else view


def _job_id(call: Call) -> str:
    return call.params["job_id"]


def _task(call: Call) -> Task:
    return call.service.do(lambda account: account.state.task(_job_id(call), call.params["task_id"]))


def _checked_task(call: Call) -> Task:
    task = _task(call)
    call.check_conditions(_version_of(task))
    return task


def _version_of(task: Task) -> Version:
    return Version(task.e_tag, task.last_modified)


def _add_result(call: Call, spec: TaskCreate, result: Task | BatchError) -> dict[str, Any]:
    if isinstance(result, BatchError):
        return {"status": "ClientError", "taskId": spec.id, "error": error_body(result, call.request_id)}
    return {
        "status": "Success",
        "taskId": result.id,
        "eTag": result.e_tag,
        "lastModified": time_text(result.last_modified),
        "location": f"{call.base_url}/jobs/{_job_id(call)}/tasks/{result.id}",
    }


OPERATIONS = [
    Operation("Tasks_CreateTask", "POST", "/jobs/{job_id}/tasks", create_task),
    Operation("Tasks_CreateTaskCollection", "POST", "/jobs/{job_id}/addtaskcollection", create_task_collection),
    Operation("Tasks_ListTasks", "GET", "/jobs/{job_id}/tasks", list_tasks),
    Operation("Tasks_GetTask", "GET", "/jobs/{job_id}/tasks/{task_id}", get_task),
    Operation("Tasks_ReplaceTask", "PUT", "/jobs/{job_id}/tasks/{task_id}", replace_task),
    Operation("Tasks_DeleteTask", "DELETE", "/jobs/{job_id}/tasks/{task_id}", delete_task),
    Operation("Tasks_TerminateTask", "POST", "/jobs/{job_id}/tasks/{task_id}/terminate", terminate_task),
    Operation("Tasks_ListSubTasks", "GET", "/jobs/{job_id}/tasks/{task_id}/subtasksinfo", list_subtasks),
    Operation("Tasks_ReactivateTask", "POST", "/jobs/{job_id}/tasks/{task_id}/reactivate", reactivate_task),
]
