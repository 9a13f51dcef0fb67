"""What others are told of a run that has ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from shared.documents.record import JobRecord, ManifestRef, Record, RecordedFlow, RunProblem, Timings
from shared.documents.run_ended import MAX_LABELS_BYTES, MAX_MESSAGE, RunEnded, run_ended, subject_of
from shared.documents.states import FailureCategory, FailureCode, JobReason, State
from shared.documents.task_result import Failure, Outputs, TaskRecord
from shared.documents.usage import Cost
from shared.script.build import Marker

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
URL = "https://s.blob.core.windows.net/results/nightly/RUN"
JOB = JobRecord(id="RUN-1", pool="p", account="a", reason=JobReason.FIRST)


def record(state: State, **more) -> Record:
    given = {
        "run_id": "RUN",
        "manifest": ManifestRef(name="nightly.yaml", etag="1", sha256=None),
        "flow": RecordedFlow(id="nightly", namespace="company.team"),
        "timings": Timings(dropped=NOW, recorded=NOW),
    }
    return Record(state=state, **(given | more))


def failed(code: str, message: str) -> TaskRecord:
    failure = Failure(category=FailureCategory.USER, code=code, message=message)
    return TaskRecord(id="t", state=State.FAILED, exit_code=3, failure=failure)


def test_it_says_what_ended_how_and_where_its_results_are() -> None:
    told = run_ended(record(State.SUCCESS, labels={"team": "data"}, outputs={"rows": 7}), URL).model_dump(
        mode="json", by_alias=True
    )
    assert told == {
        "schemaVersion": "1",
        "runId": "RUN",
        "state": "SUCCESS",
        "manifest": "nightly.yaml",
        "flow": {"id": "nightly", "namespace": "company.team"},
        "labels": {"team": "data"},
        "outputs": {"rows": 7},
        "times": {
            "dropped": "2026-11-28T12:00:00Z",
            "submitted": None,
            "started": None,
            "ended": None,
            "recorded": "2026-11-28T12:00:00Z",
        },
        "cost": None,
        "failure": None,
        "record": f"{URL}/record.json",
        "report": f"{URL}/report.html",
    }


def test_its_cost_is_told_where_it_is_known() -> None:
    cost = Cost(amount=0.42, currency="EUR", priced=2, basis="b", excludes="e")
    told = run_ended(record(State.SUCCESS, cost=cost), URL).cost
    assert told is not None
    assert told.model_dump(by_alias=True) == {"amount": 0.42, "currency": "EUR"}


@pytest.mark.parametrize(
    ("flow", "subject"),
    [
        (RecordedFlow(id="nightly", namespace="company.team"), "company.team/nightly/RUN"),
        (RecordedFlow(id="nightly"), "-/nightly/RUN"),
        (RecordedFlow(), "-/-/RUN"),
    ],
)
def test_its_subject_can_be_filtered_by_namespace_and_flow(flow: RecordedFlow, subject: str) -> None:
    assert subject_of(run_ended(record(State.SUCCESS, flow=flow), URL)) == subject


def test_the_first_task_that_failed_is_told() -> None:
    allowed = failed(FailureCode.COMMANDS_FAILED, "x").model_copy(update={"state": State.WARNING, "id": "allowed"})
    told = run_ended(record(State.FAILED, tasks=(allowed, failed(FailureCode.COMMANDS_FAILED, "exit code 3"))), URL)
    assert told.failure is not None
    assert (told.failure.task, told.failure.code, told.failure.message) == ("t", "CommandsFailed", "exit code 3")


@pytest.mark.parametrize("marker", [each for each in Marker if each is not Marker.SKIPPED])
def test_what_a_task_can_print_is_not_told(marker: Marker) -> None:
    """The message of such a failure is a line of the task's log."""
    told = run_ended(record(State.FAILED, tasks=(failed(marker.value, "printed by the task"),)), URL)
    assert told.failure is not None
    assert told.failure.code == marker.value
    assert "printed" not in told.failure.message


def test_values_of_earlier_tasks_are_not_told() -> None:
    """A text of a later round may quote them in its error."""
    problem = RunProblem(message="'printed' is not a number", path="tasks[1].env.N")
    failure = Failure(category=FailureCategory.USER, code=FailureCode.INVALID_MANIFEST, message=problem.message)
    done = TaskRecord(id="a", state=State.SUCCESS, outputs=Outputs(vars={"n": "printed"}))
    told = run_ended(record(State.FAILED, tasks=(done,), failure=failure, errors=(problem,), jobs=(JOB,)), URL)
    assert "printed" not in told.model_dump_json()
    assert told.failure is not None
    assert told.failure.code == FailureCode.INVALID_MANIFEST


def test_of_a_rejected_manifest_the_first_error_is_told() -> None:
    problem = RunProblem(message="unknown property", path="comands")
    told = run_ended(record(State.REJECTED, errors=(problem,)), URL)
    assert told.failure is not None
    assert (told.failure.code, told.failure.message) == ("InvalidManifest", "comands: unknown property")


def test_however_much_there_is_to_tell_the_event_stays_small() -> None:
    labels = {f"label{number}": "x" * 1000 for number in range(1000)}
    told = run_ended(record(State.FAILED, labels=labels, tasks=(failed("X", "é" * 10**6),)), URL)
    assert 0 < len(told.labels) < 1000
    assert told.failure is not None
    assert len(told.failure.message) == MAX_MESSAGE
    assert len(told.model_dump_json().encode()) < MAX_LABELS_BYTES + 16 * 1024


def test_of_many_outputs_the_first_are_told_so_that_the_event_stays_below_64_kib() -> None:
    """Event Grid writes JSON without letters that are not ASCII, and takes 64 KiB as one event."""
    outputs = {f"o{number}": {"é": ["ü" * 90]} for number in range(200)}
    labels = {f"label-{number}": "é" * 90 for number in range(200)}
    told = run_ended(record(State.SUCCESS, outputs=outputs, labels=labels), URL)
    assert list(told.outputs) == [f"o{number}" for number in range(len(told.outputs))]
    assert 20 < len(told.outputs) < len(outputs)
    assert len(json.dumps(told.model_dump(mode="json"))) < 64 * 1024


def test_what_is_told_can_be_read_again() -> None:
    told = run_ended(record(State.SUCCESS), URL)
    assert RunEnded.model_validate_json(told.to_json()) == told
