"""Failures, errors and warnings of a run, each in words that say what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.record import Failure, Record, RunProblem, TaskRecord
from shared.documents.states import FailureCategory, State

MAX_FAILED_TASKS = 20
MAX_WARNINGS = 50

_BY_CODE = {
    "CommandsFailed": "Read the end of its log below, mend the commands, and drop the manifest again.",
    "TimeLimitExceeded": "Give the task a longer `timeout`, or less to do at once.",
    "FlowTimeout": "Give the flow a longer `timeout`, or the pool more nodes.",
    "WorkingDirectoryNotWritable": "Use `runAs: root`, or an image whose user may write everywhere in the task.",
    "TmpNotWritable": "Use an image with a `/tmp` that can be written.",
    "EndedByHand": "The manifest is not at fault: drop it again.",
    "TaskEnded": "It was stopped with its job, and may not be at fault: drop the manifest again.",
    "InputFileMissing": "An earlier task did not make this file: compare the name with that task's `outputFiles`.",
    "ContainerInvalidImage": "Check the name of `containerImage`, and the credentials of its registry.",
    "ContainerInvalidSettings": "Check `containerImage`, `containerRunOptions`, and the credentials of the registry.",
    "NotRecorded": "Ask the operator to look for this run id in the log of the app; then drop the manifest again.",
    "CannotPlan": "This is a bug in the app. Report it with the manifest; another way to write it may work meanwhile.",
}
_BY_CATEGORY = {
    FailureCategory.USER: "Mend this in the manifest, and drop it again.",
    FailureCategory.INFRASTRUCTURE: (
        "The manifest is not at fault: drop it again. If this happens again, ask the operator to look at the pool."
    ),
    FailureCategory.INTERNAL: "This is a fault of the app: its log says why. Drop the manifest again.",
}


@dataclass(frozen=True)
class Notice:
    """Something that somebody should know, and what to do; `task` is the task that it is about."""

    is_error: bool
    message: str
    advice: str = ""
    task: str | None = None
    code: str = ""
    path: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Notices:
    """The notices of a run; `left_out` is how many more there are, all of them in the record."""

    errors: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    errors_left_out: int
    warnings_left_out: int


def notices(record: Record) -> Notices:
    """What is wrong, the gravest first."""
    was_asked_for = {State.KILLED} if record.state is State.KILLED else set()
    failed = [task for task in record.tasks if task.failure and task.state not in was_asked_for]
    errors = [_of_problem(problem, record.failure, is_error=True) for problem in record.errors]
    if record.failure and not errors:  # otherwise its message is only theirs in one line
        errors = [_of_run(record.failure)]
    errors += [_of_task(task, task.failure) for task in failed[:MAX_FAILED_TASKS] if task.failure]
    return Notices(
        errors=tuple(errors),
        warnings=tuple(_of_problem(problem, None, is_error=False) for problem in record.warnings[:MAX_WARNINGS]),
        errors_left_out=max(0, len(failed) - MAX_FAILED_TASKS),
        warnings_left_out=max(0, len(record.warnings) - MAX_WARNINGS),
    )


def what_to_do(failure: Failure) -> str:
    """The next step for a person."""
    return _BY_CODE.get(failure.code) or _BY_CATEGORY[failure.category]


def _of_run(failure: Failure) -> Notice:
    return Notice(is_error=True, message=failure.message, advice=what_to_do(failure), code=failure.code)


def _of_task(task: TaskRecord, failure: Failure) -> Notice:
    is_error = task.state is not State.WARNING
    advice = what_to_do(failure) if is_error else "The manifest allows this failure (`allowFailure`)."
    return Notice(is_error, failure.message, advice, task=task.id, code=failure.code)


def _of_problem(problem: RunProblem, failure: Failure | None, *, is_error: bool) -> Notice:
    return Notice(
        is_error,
        problem.message,
        advice=what_to_do(failure) if failure else "",
        path=problem.path,
        line=problem.line,
        column=problem.column,
    )
