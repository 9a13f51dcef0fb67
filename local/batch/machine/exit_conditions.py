"""What the end of a task means for its job and for the tasks that depend on it.

https://learn.microsoft.com/rest/api/batchservice/tasks/create-task#exitconditions
"""

from __future__ import annotations

from dataclasses import dataclass

from local.batch.failures import Phase, phase_of
from local.batch.models.task import DependencyAction, ExitConditions, ExitOptions, JobAction, Task, TaskExecutionInfo


@dataclass(frozen=True)
class ExitActions:
    """What is done when a task has completed."""

    job: JobAction
    dependency: DependencyAction


def exit_actions(task: Task) -> ExitActions:
    """Return what is to be done about a completed task; an action that it does not name is the service's default.

    One without exit conditions that was terminated before it had a node is no reason to end its job: azure-batch
    15.1.0's own test_batch_tasks reactivates such a task, and adds others to its job.
    """
    chosen = _options(task.exit_conditions or ExitConditions(), task.execution_info) or ExitOptions()
    ended_well = task.succeeded
    is_harmless = ended_well or (task.node_info is None and task.exit_conditions is None)
    return ExitActions(
        job=chosen.job_action or (JobAction.NONE if is_harmless else JobAction.TERMINATE),
        dependency=chosen.dependency_action or (DependencyAction.SATISFY if ended_well else DependencyAction.BLOCK),
    )


def _options(conditions: ExitConditions, execution: TaskExecutionInfo) -> ExitOptions | None:
    by_code = _options_of_exit_code(conditions, execution.exit_code)
    if by_code or execution.failure_info is None:
        return by_code
    phase = phase_of(execution.failure_info)
    if phase is Phase.PRE_PROCESSING and conditions.pre_processing_error:
        return conditions.pre_processing_error
    if phase is Phase.FILE_UPLOAD and conditions.file_upload_error:
        return conditions.file_upload_error
    return conditions.default


def _options_of_exit_code(conditions: ExitConditions, exit_code: int | None) -> ExitOptions | None:
    if exit_code is None:
        return None
    for mapping in conditions.exit_codes:
        if mapping.code == exit_code:
            return mapping.exit_options
    for span in conditions.exit_code_ranges:
        if span.start <= exit_code <= span.end:
            return span.exit_options
    return None
