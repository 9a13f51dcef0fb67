"""What `python -m local run` prints about a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.batch.models import BatchTaskState

from local.dropped_run import RunView, TaskView
from local.run_report import progress_lines, summary_lines
from shared.record import (
    Failure,
    Logs,
    ManifestRef,
    OutputFile,
    Outputs,
    Record,
    RunProblem,
    TaskRecord,
    Timings,
)
from shared.states import FailureCategory, State

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
FAILURE = Failure(category=FailureCategory.USER, code="CommandsFailed", message="it failed")


def record(state: State = State.SUCCESS, **values: object) -> Record:
    """A record with what a test is about."""
    manifest = ManifestRef(name="m.yaml", etag="1", sha256=None)
    return Record.model_validate(
        {"run_id": "m-1", "state": state, "manifest": manifest, "timings": Timings(dropped=BEGIN), **values}
    )


def summary(of: Record, **error_tails: list[str]) -> list[str]:
    """The lines between the state and the folder of the results."""
    lines = summary_lines(of, Path("dir/m.yaml"), Path("out"), error_tails)
    assert lines[0] == f"{of.state}  m-1"
    return lines[1 : lines.index("  results")]


def task(state: BatchTaskState, exit_code: int | None = None) -> TaskView:
    """A task as Batch shows it."""
    return TaskView("build", state, exit_code)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (RunView(None), RunView(None), []),
        (RunView(None), RunView(State.QUEUED), ["QUEUED"]),
        (RunView(State.QUEUED), RunView(State.QUEUED), []),
        (RunView(State.QUEUED), RunView(State.RUNNING), ["RUNNING"]),
        (RunView(State.RUNNING), RunView(State.RUNNING, (task(BatchTaskState.ACTIVE),)), ["build waits"]),
        (RunView(State.RUNNING), RunView(State.RUNNING, (task(BatchTaskState.RUNNING),)), ["build runs"]),
        (
            RunView(State.RUNNING, (task(BatchTaskState.RUNNING),)),
            RunView(State.RUNNING, (task(BatchTaskState.RUNNING),)),
            [],
        ),
        (
            RunView(State.RUNNING, (task(BatchTaskState.RUNNING),)),
            RunView(State.RUNNING, (task(BatchTaskState.COMPLETED, 3),)),
            ["build has ended, exit code 3"],
        ),
        (RunView(State.RUNNING), RunView(State.RUNNING, (task(BatchTaskState.COMPLETED),)), ["build has ended"]),
    ],
)
def test_progress_is_what_has_changed(before, after, lines):
    """Nothing is said twice."""
    assert progress_lines(before, after) == lines


@pytest.mark.parametrize(
    ("of", "lines"),
    [
        (record(), []),
        (
            record(
                tasks=(
                    TaskRecord(
                        id="a", state=State.SUCCESS, exit_code=0, started=BEGIN, ended=BEGIN + timedelta(seconds=1.25)
                    ),
                    TaskRecord(id="longer", state=State.SKIPPED),
                )
            ),
            ["", "  SUCCESS  a       exit code 0  1.2 s", "  SKIPPED  longer"],
        ),
        (
            record(
                tasks=(
                    TaskRecord(id="a", state=State.SUCCESS, outputs=Outputs(vars={"x": "text", "longer": [1, "é"]})),
                    TaskRecord(id="b", state=State.SUCCESS, outputs=Outputs(vars={"x": "v" * 101})),
                )
            ),
            [
                *("", "  SUCCESS  a", "  SUCCESS  b"),
                *("", "  values", "    a.x       text", '    a.longer  [1, "é"]', f"    b.x       {'v' * 99}…"),
            ],
        ),
        (record(State.FAILED, failure=FAILURE), ["", "  it failed (user: CommandsFailed)"]),
        (
            record(State.REJECTED, errors=(RunProblem(message="no", path="tasks.a", line=3, column=5),)),
            ["", "  errors", "    dir/m.yaml:3:5: tasks.a: no"],
        ),
        (
            record(
                State.WARNING,
                tasks=(TaskRecord(id="a", state=State.WARNING, warnings=("no file",)),),
                warnings=(RunProblem(message="no file", path="tasks.a"),),
            ),
            ["", "  WARNING  a", "", "  warnings", "    tasks.a: no file"],
        ),
    ],
    ids=["nothing", "tasks", "values", "failure", "errors", "a warning once"],
)
def test_the_summary_has_a_section_for_what_there_is(of, lines):
    """Each begins with an empty line."""
    assert [line for line in summary(of) if line] == [line for line in lines if line]


def test_a_failed_task_shows_what_it_wrote_last_and_where_all_of_it_is():
    """On stderr."""
    failed = TaskRecord(id="a", state=State.FAILED, failure=FAILURE, logs=Logs(stderr="logs/a/stderr.txt"))

    lines = summary(record(State.FAILED, tasks=(failed,)), a=["one", "two"])

    assert lines[3:7] == [
        "  a: it failed (user: CommandsFailed)",
        "    | one",
        "    | two",
        "    out/logs/a/stderr.txt",
    ]


def test_what_a_terminal_would_obey_is_escaped():
    """Values, file names and what tasks write are made by others."""
    evil = "\x1b]0;owned\x07\n"
    file = OutputFile(blob=evil, bytes=1, md5=None)
    outputs = Outputs(vars={evil: evil}, output_files={evil: file})
    failure = FAILURE.model_copy(update={"message": evil})
    failed = TaskRecord(id="a", state=State.FAILED, failure=failure, outputs=outputs, warnings=(evil,))

    problem = RunProblem(message=evil)
    lines = summary_lines(
        record(State.FAILED, tasks=(failed,), errors=(problem,), warnings=(problem,)),
        Path(evil),
        Path(evil),
        {"a": [evil]},
    )

    assert [line for line in lines if not line.isprintable()] == []


def test_many_files_are_counted():
    """The first twenty are named."""
    files = {f"{n:02}": OutputFile(blob=f"outputs/a/{n:02}", bytes=n, md5=None) for n in range(22)}
    made = record(tasks=(TaskRecord(id="a", state=State.SUCCESS, outputs=Outputs(output_files=files)),))

    lines = summary_lines(made, Path("m.yaml"), Path("out"), {})

    assert lines[lines.index("  results") + 1 :][:2] == ["    out/", "      outputs/a/00  0 bytes"]
    assert lines[-1] == "      … and 2 more"
    assert len(lines[lines.index("    out/") + 1 :]) == 21
