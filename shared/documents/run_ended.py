"""RunEnded: what the app tells others of a run that has ended. Pure: a record → the data of the event.

Nothing in it comes from what tasks printed, but the outputs that the author of the flow chose to publish. So it may be
sent to places that must not see the rest: of failures whose message quotes a task's log, or the values of earlier
tasks, it has words of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, Field

from shared.documents.document import Document
from shared.documents.record import FlowRef, Record, Timings
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure, TaskRecord
from shared.documents.usage import Amount

_Value = TypeVar("_Value")
MAX_MESSAGE = 1_000
MAX_LABELS_BYTES = 32 * 1024
MAX_OUTPUTS_BYTES = 24 * 1024
"""Event Grid bills events by 64 KiB, and takes 1 MiB: https://learn.microsoft.com/azure/event-grid/quotas-limits"""

_IN_OTHER_WORDS: Mapping[str, str] = {
    FailureCode.TIME_LIMIT_EXCEEDED: "the commands were stopped after their time limit",
    FailureCode.WORKING_DIRECTORY_NOT_WRITABLE: "the working directory cannot be written by the user of the image",
    FailureCode.TMP_NOT_WRITABLE: "the folder for temporary files cannot be written in the image",
    FailureCode.INPUT_FILE_MISSING: "a file was not made by the earlier task",
    FailureCode.NO_ROOM_FOR_INPUTS: "the inputs cannot be copied for the attempts, or into the shared directory",
    FailureCode.PROGRAM_MISSING: "the image lacks a program that the attempts need",
    FailureCode.DEPENDENCIES_NOT_INSTALLED: "packages cannot be installed in the task's container",
    FailureCode.OUTPUTS_NOT_RENDERED: "the outputs of the flow cannot be rendered",
    FailureCode.INVALID_EXPRESSION: "an expression cannot be evaluated",
    FailureCode.FAIL_TASK: "a task is there to make the flow fail",
    FailureCode.ASSERTION_FAILED: "a condition that the flow asserts does not hold",
    FailureCode.TAR_MISSING: "the image lacks tar, with which a shared directory is passed on",
    FailureCode.DIRECTORY_NOT_PASSED_ON: "the shared directory cannot be packed, or is not there to be unpacked",
    FailureCode.CANNOT_PLAN: "a round could not be planned",
}
"""By failure code: those whose message comes from a task's log, or may quote values."""


class EndedFailure(Document):
    """The first failure of a run, in words; `task` is null if it is not that of a task."""

    task: str | None
    category: FailureCategory
    code: str
    message: str


class EndedTimes(Document):
    """When the run was dropped, submitted, started, ended and recorded, in UTC; null for what did not happen."""

    dropped: AwareDatetime
    submitted: AwareDatetime | None
    started: AwareDatetime | None
    ended: AwareDatetime | None
    recorded: AwareDatetime | None


class RunEnded(Document):
    """The data of an event of the type `AzureBatchTaskRunner.RunEnded`. Version "1" may gain fields, never lose one."""

    schema_version: Literal["1"] = "1"
    run_id: str
    """The run id, which is also the id of the event: the event may come more than once."""
    state: State
    """SUCCESS, WARNING, FAILED, KILLED or REJECTED."""
    manifest: str
    """The name of the manifest's blob in the inbox."""
    flow: FlowRef = FlowRef()
    labels: dict[str, str] = Field(default_factory=dict)
    """The labels of the flow; those left out that exceed 32 KiB together."""
    outputs: dict[str, Any] = Field(default_factory=dict)
    """The outputs of the flow; those left out that exceed 24 KiB together as JSON, which the record has."""
    times: EndedTimes
    cost: Amount | None = None
    """What the tasks of the run are estimated to have cost; null if that is not known."""
    failure: EndedFailure | None = None
    record: str
    """The address of the completion record, `record.json`."""
    report: str
    """The address of the report, `report.html`."""


def run_ended(record: Record, folder_url: str) -> RunEnded:
    """What RunEnded says of a recorded run, whose results are at `folder_url` (without a slash at its end)."""
    return RunEnded(
        run_id=record.run_id,
        state=record.state,
        manifest=record.manifest.name,
        flow=record.flow.ref,
        labels=_first(record.labels, MAX_LABELS_BYTES),
        outputs=_first(record.outputs, MAX_OUTPUTS_BYTES),
        times=ended_times(record.timings),
        cost=record.cost.figure if record.cost else None,
        failure=first_failure(record),
        record=f"{folder_url}/record.json",
        report=f"{folder_url}/report.html",
    )


def subject_of(ended: RunEnded) -> str:
    """The subject of the event: `<namespace>/<flow id>/<run id>`, with `-` for what the flow does not have."""
    return f"{ended.flow.namespace or '-'}/{ended.flow.id or '-'}/{ended.run_id}"


def ended_times(timings: Timings) -> EndedTimes:
    """The times of a run that others are told."""
    return EndedTimes.model_validate(timings.model_dump(exclude={"detected"}))


def _first(values: Mapping[str, _Value], most_bytes: int) -> dict[str, _Value]:
    """The first of some values, as many as fit into so many bytes of JSON."""
    left, kept = most_bytes, {}
    for name, value in values.items():
        left -= len(json.dumps({name: value}))
        if left < 0:
            break
        kept[name] = value
    return kept


def first_failure(record: Record) -> EndedFailure | None:
    """The first failure of a task; else that of the run; else the first error of the manifest."""
    for task in record.tasks:
        if task.failure and task.state is State.FAILED:
            return _failure(task.failure, task)
    if record.failure and record.errors and record.jobs:  # of a later round: they may quote values of earlier ones
        message = "a later round could not be submitted; the errors in the record say why"
        return _failure(record.failure.model_copy(update={"message": message}), None)
    if record.failure:
        return _failure(record.failure, None)
    if record.errors:
        error = record.errors[0]
        where = f"{error.path}: " if error.path else ""
        return EndedFailure(
            task=None,
            category=FailureCategory.USER,
            code=FailureCode.INVALID_MANIFEST,
            message=f"{where}{error.message}"[:MAX_MESSAGE],
        )
    return None


def _failure(failure: Failure, task: TaskRecord | None) -> EndedFailure:
    message = _IN_OTHER_WORDS.get(failure.code, failure.message)
    return EndedFailure(
        task=task.id if task else None, category=failure.category, code=failure.code, message=message[:MAX_MESSAGE]
    )
