"""A planned round → the job and the tasks to create, as objects of the SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import overload

from azure.batch import models

from shared.documents.names import ARCHIVE, BEGUN, ENDED, LOG_NAMES
from shared.documents.run import Run
from shared.plan.round_plan import Image, MarkerOf, PlannedTask, RoundPlan, StagingAccess
from shared.plan.upstream import OutputPattern

MAX_CHUNK_TASKS = 100
MAX_CHUNK_BYTES = 1_000_000
SAFETY = 1.25
BACKSTOP = timedelta(minutes=10)
PACKING = timedelta(hours=1)  # to unpack and to pack a directory that several tasks share
RETENTION = timedelta(hours=1)
_UPLOADED = {
    MarkerOf.END: models.OutputFileUploadConfiguration(
        upload_condition=models.OutputFileUploadCondition.TASK_COMPLETION
    ),
    MarkerOf.FAILURE: models.OutputFileUploadConfiguration(
        upload_condition=models.OutputFileUploadCondition.TASK_FAILURE
    ),
}
ORIGIN = "origin"


def job(run: Run, plan: RoundPlan, time_left: timedelta, origin: str) -> models.BatchJobCreateOptions:
    """The job of the run's current round. It does not end by itself before `Batch.end_when_tasks_end`.

    `time_left` is the rest of the flow's timeout; `origin` identifies this app among those that share a Batch account.
    """
    metadata = {
        "runId": run.id,
        "round": str(run.progress.round),
        "manifestEtag": run.body.manifest.etag,
        ORIGIN: origin,
    }
    return models.BatchJobCreateOptions(
        id=run.job_id,
        pool_info=models.BatchPoolInfo(pool_id=plan.pool_id),
        priority=plan.priority,
        uses_task_dependencies=True,
        all_tasks_complete_mode=models.BatchAllTasksCompleteMode.NO_ACTION,
        task_failure_mode=models.BatchTaskFailureMode.PERFORM_EXIT_OPTIONS_JOB_ACTION,
        constraints=models.BatchJobConstraints(max_wall_clock_time=time_left),
        metadata=[models.BatchMetadataItem(name=name, value=value) for name, value in metadata.items()],
    )


class Tasks(Sequence[models.BatchTaskCreateOptions]):
    """The tasks of a round. Each is made when it is read, so that thousands of them are never in memory at once.

    `time_left` is the rest of the flow's timeout.
    """

    def __init__(self, plan: RoundPlan, access: StagingAccess, time_left: timedelta) -> None:
        self._plan = plan
        self._access = access
        self._time_left = time_left

    def __len__(self) -> int:
        return len(self._plan.tasks)

    @overload
    def __getitem__(self, place: int) -> models.BatchTaskCreateOptions: ...
    @overload
    def __getitem__(self, place: slice) -> list[models.BatchTaskCreateOptions]: ...
    def __getitem__(self, place: int | slice) -> models.BatchTaskCreateOptions | list[models.BatchTaskCreateOptions]:
        if isinstance(place, slice):
            return [self._task(planned) for planned in self._plan.tasks[place]]
        return self._task(self._plan.tasks[place])

    def _task(self, planned: PlannedTask) -> models.BatchTaskCreateOptions:
        limit = _wall_clock(planned, self._time_left)
        return _task(planned, self._access, limit)


def _wall_clock(planned: PlannedTask, time_left: timedelta) -> timedelta:
    """When Batch stops a task whose script does not end it: after all attempts, and never later than the flow."""
    more = BACKSTOP + PACKING if planned.handover.is_shared else BACKSTOP
    seconds = planned.attempts.seconds(planned.time_limit) + more.total_seconds()
    return timedelta(seconds=min(seconds, time_left.total_seconds()))


def _task(planned: PlannedTask, access: StagingAccess, wall_clock: timedelta) -> models.BatchTaskCreateOptions:
    return models.BatchTaskCreateOptions(
        id=planned.id,
        display_name=planned.display_name,
        command_line=planned.command_line,
        container_settings=_container(planned.image, _run_options(planned)),
        required_slots=planned.slots,
        user_identity=_user(runs_as_root=planned.runs_as_root),
        resource_files=_resource_files(planned, access),
        output_files=_output_files(planned, access),
        constraints=_constraints(wall_clock),
        depends_on=_dependencies(planned),
        exit_conditions=_exit_conditions(
            is_depended_on=planned.ties.is_depended_on,
            ends_job=planned.ties.ends_job,
            allow_failure=planned.allow_failure,
        ),
    )


# What the tasks of a fan-out have in common is made once: making the SDK's objects takes as long as sending them.
_once = lru_cache(maxsize=100)


@_once
def _constraints(wall_clock: timedelta) -> models.BatchTaskConstraints:
    """No retries by Batch: the script tries again. A task whose node is lost runs again nevertheless.

    https://learn.microsoft.com/rest/api/batchservice/tasks/create-task#batchtaskconstraints
    """
    return models.BatchTaskConstraints(max_wall_clock_time=wall_clock, retention_time=RETENTION, max_task_retry_count=0)


@_once
def _user(*, runs_as_root: bool) -> models.UserIdentity | None:
    """For root, a user of the pool with administrator rights; otherwise None: Batch's own unprivileged task user."""
    if not runs_as_root:
        return None
    administrator = models.AutoUserSpecification(
        scope=models.AutoUserScope.POOL, elevation_level=models.ElevationLevel.ADMIN
    )
    return models.UserIdentity(auto_user=administrator)


@_once
def _container(image: Image, run_options: str) -> models.BatchTaskContainerSettings:
    """`/bin/sh` in the image, whatever its entry point is (a command line does not override that).

    The container sees no directory of the node but the task's own.

    https://learn.microsoft.com/azure/batch/batch-docker-container-workloads#container-task-command-line
    """
    return models.BatchTaskContainerSettings(
        image_name=image.name,
        container_run_options=run_options,
        working_directory=models.ContainerWorkingDirectory.TASK_WORKING_DIRECTORY,
        container_host_batch_bind_mounts=[
            models.ContainerHostBatchBindMountEntry(source=models.ContainerHostDataPath.TASK, is_read_only=False)
        ],
        registry=_registry(image),
    )


def _run_options(planned: PlannedTask) -> str:
    user = "--user 0:0" if planned.runs_as_root else ""
    return " ".join(filter(None, ("--entrypoint /bin/sh", user, planned.container_run_options)))


def _registry(image: Image) -> models.ContainerRegistryReference | None:
    if not (image.server or image.user_name or image.identity):
        return None
    identity = _identity(image.identity)
    return models.ContainerRegistryReference(
        registry_server=image.server, username=image.user_name, password=image.password, identity_reference=identity
    )


def _resource_files(planned: PlannedTask, access: StagingAccess) -> list[models.ResourceFile]:
    """One entry per prefix, below which Batch keeps the blobs' full names, and one per fetched file."""
    staged = [_staged(access, prefix) for prefix in planned.prefixes]
    fetched = [
        models.ResourceFile(http_url=url, file_path=planned.paths.inputs + path)
        for path, url in planned.fetched_files.items()
    ]
    return [*staged, *fetched]


@_once
def _staged(access: StagingAccess, prefix: str) -> models.ResourceFile:
    return models.ResourceFile(
        storage_container_url=access.read_url, blob_prefix=prefix, identity_reference=_identity(access.identity)
    )


def _output_files(planned: PlannedTask, access: StagingAccess) -> list[models.OutputFile]:
    paths = planned.paths
    logs = [(f"../{name}", f"{paths.logs}{name}") for name in LOG_NAMES]
    if planned.attempts.are_several:
        logs.append((planned.attempts_file, paths.attempts))
    if planned.handover.passes_on:
        logs.append((planned.system_folder + ARCHIVE, paths.archive))
    outputs = [
        (
            paths.inputs + pattern.pattern,
            _destination(paths.outputs(pattern.index), pattern),
            MarkerOf.FAILURE if pattern.if_failed else MarkerOf.END,
        )
        for pattern in planned.output_patterns
    ]
    begun, ended = planned.system_folder + BEGUN, planned.system_folder + ENDED
    ties = planned.ties
    markers = [
        *((begun, path, end) for path, end in ties.markers.items()),
        *((ended, path, end) for path, end in ties.end_markers.items()),
    ]
    return [
        *(_output_file(file, path, access, _UPLOADED[MarkerOf.END]) for file, path in logs),
        *(_output_file(pattern, path, access, _UPLOADED[end]) for pattern, path, end in [*outputs, *markers]),
    ]


def _destination(prefix: str, pattern: OutputPattern) -> str:
    """Where matching files are uploaded: a folder for a glob, the name of the blob for the name of a file."""
    return prefix + pattern.pattern.removeprefix(pattern.folder) if pattern.is_literal else prefix.rstrip("/")


def _output_file(
    pattern: str, path: str, access: StagingAccess, options: models.OutputFileUploadConfiguration
) -> models.OutputFile:
    container = models.OutputFileBlobContainerDestination(
        container_url=access.write_url, path=path, identity_reference=_identity(access.identity)
    )
    return models.OutputFile(
        file_pattern=pattern,
        destination=models.OutputFileDestination(container=container),
        upload_options=options,
    )


def _dependencies(planned: PlannedTask) -> models.BatchTaskDependencies | None:
    if not planned.depends_on:
        return None
    return models.BatchTaskDependencies(task_ids=[str(number) for number in planned.depends_on])


@_once
def _exit_conditions(*, is_depended_on: bool, ends_job: bool, allow_failure: bool) -> models.ExitConditions:
    """What a failure does. It must never leave a task waiting for ever, nor end one that has nothing to do with it.

    | task                                  | a failure                      | a failed upload                |
    | ------------------------------------- | ------------------------------ | ------------------------------ |
    | `allowFailure`                        | satisfies                      | satisfies                      |
    | nothing depends on it                 | blocks: the others go on       | blocks                         |
    | nothing else can run at the time      | ends the job, blocks           | ends the job, blocks           |
    | otherwise                             | satisfies: the marker tells    | ends the job, blocks           |

    After a failed upload the marker may be there although a file is not. Exit code 0 is not listed: the action of a
    listed code takes precedence over that of a failed upload.
    """
    harmless = models.ExitOptions(
        job_action=models.BatchJobActionKind.NONE, dependency_action=models.DependencyAction.SATISFY
    )
    blocking = models.ExitOptions(
        job_action=models.BatchJobActionKind.TERMINATE if is_depended_on else models.BatchJobActionKind.NONE,
        dependency_action=models.DependencyAction.BLOCK,
    )
    failed = blocking if ends_job or not is_depended_on else harmless
    failed, not_uploaded = (harmless, harmless) if allow_failure else (failed, blocking)
    return models.ExitConditions(pre_processing_error=failed, file_upload_error=not_uploaded, default=failed)


def chunks(all_tasks: Sequence[models.BatchTaskCreateOptions]) -> list[slice]:
    """Slices of tasks that fit into one request: at most 100, and under 1 MB if all are as large as the first.

    Measuring every task would take longer than adding them; a slice that is too large nevertheless is halved later.
    """
    if len(all_tasks) <= 1:
        return [slice(0, 1) for _ in all_tasks]
    task_bytes = len(json.dumps(all_tasks[0].as_dict()))
    size = max(1, min(MAX_CHUNK_TASKS, int(MAX_CHUNK_BYTES / (task_bytes * SAFETY))))
    return [slice(start, start + size) for start in range(0, len(all_tasks), size)]


def _identity(resource_id: str | None) -> models.BatchNodeIdentityReference | None:
    return models.BatchNodeIdentityReference(resource_id=resource_id) if resource_id else None
