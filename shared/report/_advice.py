"""Failures, errors and warnings of a run, each with what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from shared.documents.ended_task import TASK_ENDED
from shared.documents.names import FLOW_FILE, MANIFEST_FILE
from shared.documents.record import Record, RunProblem
from shared.documents.states import FailureCategory, FailureCode, State
from shared.documents.task_result import Failure, TaskRecord
from shared.report.text import times

MAX_FAILED_TASKS = 20
MAX_WARNINGS = 50

_BY_CATEGORY = {
    FailureCategory.USER: "Fix this in the manifest, and drop it again.",
    FailureCategory.INFRASTRUCTURE: (
        "The manifest is not at fault: drop it again. If this happens again, ask the operator to look at the pool."
    ),
    FailureCategory.INTERNAL: "This is a fault of the app: its log says why. Drop the manifest again.",
}
ADVICE: Mapping[FailureCode, str] = {
    FailureCode.COMMANDS_FAILED: "Read the end of its log below, fix the commands, and drop the manifest again.",
    FailureCode.TIME_LIMIT_EXCEEDED: "Give the task a longer `timeout`, or less to do at once.",
    FailureCode.FLOW_TIMEOUT: "Give the flow a longer `timeout`, or the pool more nodes.",
    FailureCode.WORKING_DIRECTORY_NOT_WRITABLE: (
        "Use `runAs: root`, or an image whose user may write everywhere in the task."
    ),
    FailureCode.TMP_NOT_WRITABLE: "Use an image with a writable `/tmp`.",
    FailureCode.INPUT_FILE_MISSING: (
        "An earlier task did not make this file: compare the name with that task's `outputFiles`."
    ),
    FailureCode.NO_ROOM_FOR_INPUTS: (
        "A `retry` and a WorkingDirectory need room for a copy of the input files: use a pool whose nodes have larger "
        "disks, or do without."
    ),
    FailureCode.PROGRAM_MISSING: "Use an image that has this program.",
    FailureCode.INVALID_EXPRESSION: (
        "Fix this expression: it uses a value that is not there, or is not of the kind that it needs. "
        "`??` gives a value where there is none."
    ),
    FailureCode.FAIL_TASK: "The flow fails here on purpose: its message says why.",
    FailureCode.ASSERTION_FAILED: "Look at the values that the condition uses, and at the tasks that made them.",
    FailureCode.DEPENDENCIES_NOT_INSTALLED: (
        "The end of its log below says which package cannot be had: correct its name or version in `dependencies`, "
        "let the pool's nodes reach the index of packages (`env` may name another: PIP_INDEX_URL), or use an image "
        "that has the packages."
    ),
    FailureCode.TAR_MISSING: (
        "Use an image that has `tar`, which the tasks of a WorkingDirectory need, or put their commands into one task."
    ),
    FailureCode.DIRECTORY_NOT_PASSED_ON: (
        "The disk of a node must hold the directory and two archives of it: use a pool whose nodes have larger disks, "
        "or let the commands remove what the next task does not need."
    ),
    FailureCode.INVALID_MANIFEST: _BY_CATEGORY[FailureCategory.USER],
    FailureCode.CANNOT_PLAN: (
        "This is a bug in the app. Report it with the manifest; another way to write it may work meanwhile."
    ),
    FailureCode.TOO_MANY_ATTEMPTS: (
        "The manifest is not at fault: drop it again. If this happens again, ask the operator to look at the log of "
        "the app."
    ),
    FailureCode.CONCURRENCY_LIMIT: "Use `behavior: QUEUE` for runs that wait, or a larger `limit`.",
    FailureCode.OUTPUTS_NOT_RENDERED: (
        "Correct `outputs`, or give those that may lack a value `required: false` or `?? …`; then drop it again."
    ),
    FailureCode.ENDED_BY_HAND: "The manifest is not at fault: drop it again.",
    FailureCode.NO_RESULT: _BY_CATEGORY[FailureCategory.INFRASTRUCTURE],
    FailureCode.NOT_RECORDED: (
        "Ask the operator to look for this run id in the log of the app; then drop the manifest again."
    ),
}
BATCH_ADVICE: Mapping[str, str] = {
    TASK_ENDED: "It was stopped with its job, and may not be at fault: drop the manifest again.",
    "ContainerInvalidImage": "Check the name of `containerImage`, and the credentials of its registry.",
    "ContainerInvalidSettings": "Check `containerImage`, `containerRunOptions`, and the credentials of the registry.",
}
"""By error code of Azure Batch."""
_BY_CODE: Mapping[str, str] = {**{code.value: advice for code, advice in ADVICE.items()}, **BATCH_ADVICE}


@dataclass(frozen=True)
class Notice:
    """A failure, error or warning, and what to do about it; `task` is the id of the task that it concerns."""

    is_error: bool
    message: str
    advice: str = ""
    task: str | None = None
    code: str = ""
    path: str | None = None
    line: int | None = None
    column: int | None = None
    file: str = MANIFEST_FILE


@dataclass(frozen=True)
class Notices:
    """The notices of a run; `left_out` is how many more there are, all of them in the record.

    If the run is rejected, `mistaken` says what is wrong, and `advice` what to do.
    """

    mistaken: str
    advice: str
    errors: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    errors_left_out: int
    warnings_left_out: int


def notices(record: Record) -> Notices:
    """The notices of a run: errors of the manifest or of the run first, then those of tasks."""
    was_asked_for = {State.KILLED} if record.state is State.KILLED else set()
    failed = [task for task in record.tasks if task.failure and task.state not in was_asked_for]
    errors = [_of_problem(problem, record.failure, is_error=True) for problem in record.errors]
    if record.failure and not errors:  # with errors, its message only repeats theirs
        errors = [_of_run(record.failure)]
    errors += [_of_task(task, task.failure) for task in failed[:MAX_FAILED_TASKS] if task.failure]
    warnings = Counter(record.warnings)  # each round may have the same one
    return Notices(
        mistaken=mistaken(record),
        advice=_advice_on_mistakes(record),
        errors=tuple(errors),
        warnings=tuple(_of_warning(*warning) for warning in islice(warnings.items(), MAX_WARNINGS)),
        errors_left_out=max(0, len(failed) - MAX_FAILED_TASKS),
        warnings_left_out=max(0, len(warnings) - MAX_WARNINGS),
    )


def mistaken(record: Record) -> str:
    """Where the errors of a record are: in the manifest, in the flow that it names, or in both."""
    in_flow = {error.file == FLOW_FILE for error in record.errors}
    if in_flow == {True}:
        return "flow"
    return "manifest and its flow" if True in in_flow else "manifest"


def _advice_on_mistakes(record: Record) -> str:
    these = "this" if len(record.errors) == 1 else "these"
    if mistaken(record) == "manifest":
        return f"Fix {these}, and drop the manifest again."
    if record.retry_of:
        return "A retry runs the flow of the earlier run as it was: drop the corrected flow instead."
    return f"Fix {these}, store the flow again, and drop the manifest again."


def what_to_do(failure: Failure) -> str:
    """The next step for a person."""
    return _BY_CODE.get(failure.code) or _BY_CATEGORY[failure.category]


def _of_run(failure: Failure) -> Notice:
    return Notice(is_error=True, message=failure.message, advice=what_to_do(failure), code=failure.code)


def _of_task(task: TaskRecord, failure: Failure) -> Notice:
    is_error = task.state is not State.WARNING
    advice = what_to_do(failure) if is_error else "The manifest allows this failure (`allowFailure`)."
    message = failure.message if is_error or task.items else f"the task {task.failed_how}"
    return Notice(is_error, message, advice, task=task.id, code=failure.code)


def _of_warning(problem: RunProblem, amount: int) -> Notice:
    notice = _of_problem(problem, None, is_error=False)
    return replace(notice, message=notice.message + times(amount))


def _of_problem(problem: RunProblem, failure: Failure | None, *, is_error: bool) -> Notice:
    return Notice(
        is_error,
        problem.message,
        advice=what_to_do(failure) if failure else "",
        path=problem.path,
        line=problem.line,
        column=problem.column,
        file=problem.file or MANIFEST_FILE,
    )
