"""What Azure Batch reports of the tasks of a job, as the app's own objects."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from azure.batch import models

from shared.batch.client import Batch
from shared.documents.ended_task import BatchFailure, EndedTask, TaskState


def ended_task(**reported: Any) -> EndedTask:
    """The one task of a job of which Batch reports this."""
    listed = [models.BatchTask({"id": "1", **reported})]
    return Batch(SimpleNamespace(list_tasks=lambda *_, **__: listed)).tasks("job")["1"]


def failure_of(**reported: Any) -> BatchFailure:
    failure = ended_task(state="completed", executionInfo={"retryCount": 0, "failureInfo": reported}).failure
    assert failure is not None
    return failure


def test_a_task_that_succeeded() -> None:
    times = {"startTime": "2026-11-22T12:13:14Z", "endTime": "2026-11-22T12:13:15.5Z"}
    info = {"exitCode": 0, "result": "success", "retryCount": 2, "requeueCount": 3, **times}
    assert ended_task(state="completed", executionInfo=info, nodeInfo={"nodeId": "n1"}) == EndedTask(
        state=TaskState.COMPLETED,
        exit_code=0,
        succeeded=True,
        retries=2,
        requeues=3,
        node="n1",
        started=datetime(2026, 11, 22, 12, 13, 14, tzinfo=UTC),
        ended=datetime(2026, 11, 22, 12, 13, 15, 500_000, tzinfo=UTC),
    )


def test_a_task_that_never_ran() -> None:
    assert ended_task(state="active") == EndedTask(state=TaskState.ACTIVE)


@pytest.mark.parametrize("state", [member.value for member in models.BatchTaskState])
def test_every_state_of_the_service_is_known(state: str) -> None:
    assert ended_task(state=state).state.value == state


@pytest.mark.parametrize("state", ["other", None])
def test_a_state_that_is_new_is_neither_running_nor_completed(state: str | None) -> None:
    assert ended_task(state=state).state is TaskState.UNKNOWN


@pytest.mark.parametrize("word", ["Success", "success"])
def test_the_services_spelling_of_results_does_not_matter(word: str) -> None:
    """Recordings of the service have `Success`, its documentation and the SDK have `success`."""
    assert ended_task(state="completed", executionInfo={"exitCode": 0, "result": word, "retryCount": 0}).succeeded


@pytest.mark.parametrize(
    ("word", "is_server_error"),
    [("ServerError", True), ("servererror", True), ("UserError", False), ("usererror", False), (None, False)],
)
def test_the_services_spelling_of_categories_does_not_matter(word: str | None, is_server_error: bool) -> None:
    assert failure_of(category=word, code="DiskFull").is_server_error is is_server_error


def test_the_details_of_a_failure_are_part_of_its_message() -> None:
    details = [{"name": "Blob", "value": "b"}, {"name": "Status", "value": "404"}]
    failure = failure_of(category="UserError", code="FileUploadMiscError", message="m", details=details)
    assert failure == BatchFailure(code="FileUploadMiscError", message="m: Blob: b; Status: 404")


def test_a_failure_without_any_words() -> None:
    assert failure_of(category="UserError") == BatchFailure()


def test_addresses_in_messages_lose_their_sas() -> None:
    url = "https://a.blob.core.windows.net/c/x"
    details = [{"name": "Address", "value": f"'{url}?sv=1&sig=secret&se=2'"}]
    failure = failure_of(category="UserError", code="c", message=f"{url}?sv=1&sig=secret is gone", details=details)
    assert failure.message == f"{url} is gone: Address: '{url}'"


def test_only_a_task_that_was_terminated_has_been_ended_by_batch() -> None:
    terminated = {"category": "UserError", "code": "TaskEnded"}
    assert ended_task(state="completed", executionInfo={"retryCount": 0, "failureInfo": terminated}).was_terminated
    assert not ended_task(state="completed", executionInfo={"retryCount": 0, "exitCode": 1}).was_terminated
