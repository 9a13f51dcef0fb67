"""What Batch reports of a task, and what that means for the run."""

import pytest

from shared.documents.ended_task import BatchFailure, EndedTask, TaskState
from shared.documents.states import FailureCategory, State
from shared.documents.task_result import Attempt, TaskRecord
from shared.outputs.attempts import Tried
from shared.outputs.outcome import SKIPPED, outcome_of
from shared.plan.run_state import run_state
from shared.script.build import Marker, ScriptReport


def task(
    state: TaskState = TaskState.COMPLETED,
    exit_code: int | None = 0,
    *,
    succeeded: bool = True,
    failure: BatchFailure | None = None,
) -> EndedTask:
    return EndedTask(state=state, exit_code=exit_code, succeeded=succeeded, failure=failure, retries=1, node="n1")


def user_error(code: str) -> BatchFailure:
    return BatchFailure(code=code, message="m: Blob: b")


def test_success_needs_exit_code_result_and_no_failure() -> None:
    outcome = outcome_of(task())
    assert (outcome.state, outcome.exit_code, outcome.retries, outcome.node) == (State.SUCCESS, 0, 1, "n1")


@pytest.mark.parametrize(
    ("given", "state", "category", "code"),
    [
        pytest.param(
            task(exit_code=7, succeeded=False, failure=user_error("FailureExitCode")),
            State.FAILED,
            "user",
            "CommandsFailed",
            id="exit code",
        ),
        pytest.param(
            task(exit_code=0, failure=user_error("FileUploadMiscError")),
            State.FAILED,
            "user",
            "FileUploadMiscError",
            id="upload failed after exit code 0",
        ),
        pytest.param(
            task(exit_code=None, succeeded=False, failure=BatchFailure(code="DiskFull", is_server_error=True)),
            State.FAILED,
            "infrastructure",
            "DiskFull",
            id="node",
        ),
        pytest.param(
            task(exit_code=None, succeeded=False, failure=user_error("TaskEnded")),
            State.KILLED,
            "user",
            "TaskEnded",
            id="terminated",
        ),
        pytest.param(task(exit_code=None, succeeded=False), State.FAILED, "infrastructure", "NoResult", id="no word"),
    ],
)
def test_failures_say_whose_they_are(given, state: State, category: str, code: str) -> None:
    outcome = outcome_of(given)
    assert outcome.state is state
    assert outcome.failure is not None
    assert (outcome.failure.category, outcome.failure.code) == (FailureCategory(category), code)


def test_attempts_of_the_script_are_retries_and_the_failure_says_so() -> None:
    """Batch's own retries, of a task that an earlier version of the app submitted, count too."""
    attempts = (Attempt(exit_code=7), Attempt(exit_code=8))
    outcome = outcome_of(task(exit_code=8, succeeded=False), tried=Tried(attempts, 2))
    assert (outcome.retries, outcome.attempts) == (2, attempts)
    assert outcome.failure is not None
    assert outcome.failure.message == "the commands ended with exit code 8 in the last of 2 attempts"


def test_a_failure_has_the_words_of_batch() -> None:
    assert outcome_of(task(failure=user_error("FileUploadMiscError"))).failure.message == "m: Blob: b"


def test_a_failure_without_a_reason_is_recorded_as_such() -> None:
    failure = outcome_of(task(exit_code=None, succeeded=False, failure=BatchFailure())).failure
    assert (failure.code, failure.message) == ("unknown", "Azure Batch gives no reason")


def test_what_the_script_reports_comes_first() -> None:
    outcome = outcome_of(task(exit_code=124, succeeded=False), ScriptReport(Marker.TIME_LIMIT, "too long"))
    assert (outcome.state, outcome.failure.code, outcome.failure.message) == (
        State.FAILED,
        "TimeLimitExceeded",
        "too long",
    )


def test_what_the_script_kept_from_running_was_skipped() -> None:
    gated = task(exit_code=122, succeeded=False, failure=user_error("FailureExitCode"))
    assert outcome_of(gated, ScriptReport(Marker.SKIPPED, "a task of its group has failed")) == SKIPPED
    assert outcome_of(gated).failure.code == "CommandsFailed", "without a report it is the commands' own code"


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (None, State.SKIPPED),
        (task(TaskState.ACTIVE), State.SKIPPED),
        (task(TaskState.UNKNOWN), State.SKIPPED),
        (task(TaskState.RUNNING), State.KILLED),
    ],
)
def test_tasks_that_did_not_complete_in_an_ended_job(given, state: State) -> None:
    assert outcome_of(given).state is state


@pytest.mark.parametrize(
    ("states", "cancelled", "state"),
    [
        (["SUCCESS", "SUCCESS"], False, "SUCCESS"),
        (["SUCCESS", "WARNING"], False, "WARNING"),
        (["FAILED", "SKIPPED"], False, "FAILED"),
        (["SUCCESS", "KILLED"], False, "FAILED"),
        (["SUCCESS", "KILLED"], True, "KILLED"),
        (["SUCCESS", "SKIPPED"], True, "KILLED"),
        (["SUCCESS", "SUCCESS"], True, "SUCCESS"),
        (["FAILED"], True, "FAILED"),
    ],
)
def test_state_of_the_run(states: list[str], cancelled: bool, state: str) -> None:
    """A cancelled run is KILLED only if the cancel left something undone."""
    tasks = [TaskRecord(id="t", state=State(name)) for name in states]
    assert run_state(None, tasks, cancelled=cancelled) is State(state)
