"""What a task must be like to be added to a job: https://learn.microsoft.com/rest/api/batchservice/tasks/create-task."""

from __future__ import annotations

from pathlib import PurePosixPath

from local.batch.errors import BatchError, ErrorCode, invalid_property, not_implemented
from local.batch.models.common import key_of
from local.batch.models.job import Job, TaskFailureMode
from local.batch.models.node_task import NodeTask
from local.batch.models.task import TaskCreate

MAX_DEPENDENCIES_LENGTH = 64_000
MAX_RESOURCE_FILES_LENGTH = 32_768


def check_task(job: Job, task: TaskCreate) -> None:
    """Refuse a task that the service refuses, or that this service cannot run as the real one would."""
    if task.multi_instance_settings is not None:
        raise not_implemented("multiInstanceSettings")
    if task.application_package_references:  # the account has no applications
        raise BatchError(ErrorCode.INVALID_APPLICATION_PACKAGE_REFERENCES)
    if task.authentication_token_settings is not None:
        raise not_implemented("authenticationTokenSettings")
    _check_id(job, task)
    _check_dependencies(job, task)
    _check_exit_conditions(job, task)
    check_node_task(task)


def check_node_task(task: NodeTask) -> None:
    """Refuse what no task of any kind may have; a user that the pool does not have is found out on the node."""
    length = sum(len(file.model_dump_json(by_alias=True, exclude_none=True)) for file in task.resource_files)
    if length > MAX_RESOURCE_FILES_LENGTH:
        reason = f"resourceFiles take {length} characters; at most {MAX_RESOURCE_FILES_LENGTH} are allowed."
        raise BatchError(ErrorCode.REQUEST_BODY_TOO_LARGE, Reason=reason)
    for file in task.resource_files:
        path = PurePosixPath(file.file_path or "")
        if path.is_absolute() or ".." in path.parts:
            raise invalid_property("filePath", path, "It must stay inside the task's working directory.")
        if file.auto_storage_container_name is not None:
            raise not_implemented("autoStorageContainerName")


def _check_id(job: Job, task: TaskCreate) -> None:
    preparation, release = job.job_preparation_task, job.job_release_task
    if preparation and key_of(preparation.id) == key_of(task.id):
        raise BatchError(ErrorCode.TASK_ID_SAME_AS_JOB_PREPARATION_TASK)
    if release and key_of(release.id) == key_of(task.id):
        raise BatchError(ErrorCode.TASK_ID_SAME_AS_JOB_RELEASE_TASK)


def _check_dependencies(job: Job, task: TaskCreate) -> None:
    if task.depends_on is None:
        return
    if not job.uses_task_dependencies:
        raise BatchError(ErrorCode.TASK_DEPENDENCIES_NOT_SPECIFIED_ON_JOB)
    if sum(map(len, task.depends_on.task_ids)) > MAX_DEPENDENCIES_LENGTH:
        raise BatchError(ErrorCode.TASK_DEPENDENCY_LIST_TOO_LONG)
    for span in task.depends_on.task_id_ranges:
        if span.start > span.end:
            raise invalid_property("taskIdRanges", f"{span.start}-{span.end}", "start is greater than end.")


def _check_exit_conditions(job: Job, task: TaskCreate) -> None:
    for options in task.exit_conditions.all_options() if task.exit_conditions else ():
        if options.job_action is not None and job.on_task_failure is TaskFailureMode.NO_ACTION:
            raise invalid_property("jobAction", options.job_action, "The job's onTaskFailure is noaction.")
        if options.dependency_action is not None and not job.uses_task_dependencies:
            reason = "The job's usesTaskDependencies is false."
            raise invalid_property("dependencyAction", options.dependency_action, reason)
