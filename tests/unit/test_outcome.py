"""What Batch says of a task, and what that means for the run."""

import pytest
from azure.batch import models

from shared.documents.record import TaskRecord
from shared.documents.states import FailureCategory, State
from shared.outputs.outcome import judge
from shared.outputs.record_tasks import run_state
from shared.script.build import Marker, ScriptReport


def task(
    state: str = "completed", exit_code: int | None = 0, result: str | None = "success", failure: dict | None = None
):
    info = {"exitCode": exit_code, "result": result, "failureInfo": failure, "retryCount": 1, "requeueCount": 0}
    return models.BatchTask({"id": "1", "state": state, "executionInfo": info, "nodeInfo": {"nodeId": "n1"}})


def user_error(code: str) -> dict:
    return {"category": "UserError", "code": code, "message": "m", "details": [{"name": "Blob", "value": "b"}]}


def test_the_services_spelling_of_names_does_not_matter() -> None:
    """Recordings of the service have `Success`, its documentation and the SDK have `success`."""
    assert judge(task(result="Success")).state is State.SUCCESS


def test_success_needs_exit_code_result_and_no_failure() -> None:
    outcome = judge(task())
    assert (outcome.state, outcome.exit_code, outcome.retries, outcome.node) == (State.SUCCESS, 0, 1, "n1")


@pytest.mark.parametrize(
    ("given", "state", "category", "code"),
    [
        pytest.param(
            task(exit_code=7, result="failure", failure=user_error("FailureExitCode")),
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
            task(exit_code=None, result="failure", failure={"category": "ServerError", "code": "DiskFull"}),
            State.FAILED,
            "infrastructure",
            "DiskFull",
            id="node",
        ),
        pytest.param(
            task(exit_code=None, result="failure", failure=user_error("TaskEnded")),
            State.KILLED,
            "user",
            "TaskEnded",
            id="terminated",
        ),
        pytest.param(task(exit_code=None, result=None), State.FAILED, "infrastructure", "NoResult", id="no word"),
    ],
)
def test_failures_say_whose_they_are(given, state: State, category: str, code: str) -> None:
    outcome = judge(given)
    assert outcome.state is state
    assert outcome.failure is not None
    assert (outcome.failure.category, outcome.failure.code) == (FailureCategory(category), code)


def test_details_of_batch_are_kept() -> None:
    assert judge(task(exit_code=0, failure=user_error("FileUploadMiscError"))).failure.message == "m: Blob: b"


def test_what_the_script_reports_comes_first() -> None:
    outcome = judge(task(exit_code=124, result="failure"), ScriptReport(Marker.TIME_LIMIT, "too long"))
    assert (outcome.state, outcome.failure.code, outcome.failure.message) == (
        State.FAILED,
        "TimeLimitExceeded",
        "too long",
    )


@pytest.mark.parametrize(
    ("given", "state"), [(None, State.SKIPPED), (task("active"), State.SKIPPED), (task("running"), State.KILLED)]
)
def test_tasks_that_did_not_complete_in_an_ended_job(given, state: State) -> None:
    assert judge(given).state is state


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
    assert run_state(tasks, cancelled=cancelled) is State(state)
