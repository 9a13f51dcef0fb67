"""What `python -m local run` prints about a run that has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from batchrun.cli._summary import FailedLog, first_failure, summary_lines
from shared.documents.record import FanOutItems, Items, ManifestRef, Record, RunProblem, Timings
from shared.documents.states import FailureCategory, State
from shared.documents.task_result import (
    Failure,
    ItemRecord,
    ItemsSummary,
    Logs,
    Metric,
    OutputFile,
    Outputs,
    TaskRecord,
)
from shared.documents.usage import Cost

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
METRICS = (
    Metric(name="rows", type="counter", value=1234567, tags={"table": "b"}),
    Metric(name="load", type="timer", value=1.5),
)
FAILURE = Failure(category=FailureCategory.USER, code="CommandsFailed", message="it failed")


def record(state: State = State.SUCCESS, **values: object) -> Record:
    """A record with what a test is about."""
    manifest = ManifestRef(name="m.yaml", etag="1", sha256=None)
    return Record.model_validate(
        {"run_id": "m-1", "state": state, "manifest": manifest, "timings": Timings(dropped=BEGIN), **values}
    )


def summary(of: Record) -> list[str]:
    """The lines between the state and the folder of the results."""
    lines = summary_lines(of, Path("dir/m.yaml"), Path("out"), None)
    assert lines[0] == f"{of.state}  m-1"
    return lines[1 : lines.index("  results")]


REPEATED = RunProblem(message="run again: X: no such image", path="tasks.a")


def test_a_warning_that_each_round_has_of_its_own_is_told_once() -> None:
    other = RunProblem(message="run again: X: no such image", path="tasks.b")
    of = record(State.FAILED, warnings=(REPEATED, other, REPEATED, REPEATED))
    assert summary(of) == [
        "",
        "  warnings",
        "    tasks.a: run again: X: no such image (3 times)",
        "    tasks.b: run again: X: no such image",
        "",
    ]


def test_one_retry_is_one() -> None:
    fan_out = ItemsSummary(count=12, states={State.SUCCESS: 12})
    tasks = tuple(TaskRecord(id=f"t{n}", state=State.SUCCESS, items=fan_out, retries=n) for n in range(3))
    assert [line.split("12 SUCCESS")[1].strip(" ,") for line in summary(record(tasks=tasks))[1:4]] == [
        "", "1 retry", "2 retries"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("of", "lines"),
    [
        (record(), []),
        (
            record(cost=Cost(amount=1234.5, currency="EUR", priced=1, basis="b", excludes="e")),
            ["", "  cost 1,234.50 EUR, estimated"],
        ),
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
                    TaskRecord(id="a", state=State.FAILED, exit_code=7, retries=1),
                    TaskRecord(
                        id="b",
                        state=State.SUCCESS,
                        retries=3,
                        items=ItemsSummary(count=2, states={State.SUCCESS: 2}),
                    ),
                )
            ),
            ["", "  FAILED   a  exit code 7, 2 attempts", "  SUCCESS  b  2 SUCCESS, 3 retries"],
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
        (
            record(tasks=(TaskRecord(id="a", state=State.SUCCESS, metrics=METRICS),)),
            [
                *("", "  SUCCESS  a"),
                *("", "  metrics", "    a.rows  1,234,567  table=b", "    a.load  1.5 s"),
            ],
        ),
        (
            record(tasks=(TaskRecord(id="a", state=State.SUCCESS, metrics=METRICS[:1] * 22),)),
            ["", "  SUCCESS  a", "", "  metrics", *["    a.rows  1,234,567  table=b"] * 20, "    … and 2 more"],
        ),
        (
            record(outputs={"rows": 7, "longer": ["x"]}),
            ["", "  outputs", "    rows    7", '    longer  ["x"]'],
        ),
        (record(State.FAILED, failure=FAILURE), ["", "  it failed (user: CommandsFailed)"]),
        (
            record(State.REJECTED, errors=(RunProblem(message="no", path="tasks.a", line=3, column=5),)),
            ["", "  errors", "    dir/m.yaml:3:5: tasks.a: no"],
        ),
        (
            record(
                State.REJECTED,
                errors=(
                    RunProblem(message="no", path="inputs.a", line=2, column=4),
                    RunProblem(message="no", path="tasks.a", line=3, column=5, file="flow.yaml"),
                ),
                warnings=(RunProblem(message="odd", line=1, column=1, file="flow.yaml"),),
            ),
            [
                *("", "  warnings", "    out/flow.yaml:1:1: odd"),
                *("", "  errors", "    dir/m.yaml:2:4: inputs.a: no", "    out/flow.yaml:3:5: tasks.a: no"),
            ],
        ),
        (
            record(
                retry_of={"run_id": "e-2", "results": "e/e-2"},
                tasks=(
                    TaskRecord(
                        id="a",
                        state=State.SUCCESS,
                        exit_code=0,
                        retries=1,
                        started=BEGIN,
                        ended=BEGIN + timedelta(seconds=1),
                        taken_from="e-1",
                    ),
                    TaskRecord(
                        id="b",
                        state=State.SUCCESS,
                        items=ItemsSummary(count=10_000, states={State.SUCCESS: 10_000}, taken_over=9_993),
                    ),
                ),
            ),
            [
                *("", "  retry of e/e-2: 1 task and 9,993 items taken over"),
                *("", "  SUCCESS  a  taken over from e-1", "  SUCCESS  b  10000 SUCCESS, 9,993 taken over"),
            ],
        ),
        (
            record(State.REJECTED, retry_of={"run_id": "e-2", "results": "e/e-2"}, errors=(RunProblem(message="no"),)),
            ["", "  retry of e/e-2", "", "  errors", "    no"],
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
    ids=[
        "nothing",
        "cost",
        "tasks",
        "attempts",
        "values",
        "metrics",
        "many metrics",
        "outputs",
        "failure",
        "errors",
        "errors in two files",
        "a retry",
        "a retry of nothing",
        "a warning once",
    ],
)
def test_the_summary_has_a_section_for_what_there_is(of, lines):
    """Each begins with an empty line."""
    assert [line for line in summary(of) if line] == [line for line in lines if line]


def test_what_the_task_that_failed_first_wrote_last_stands_at_the_end():
    """That is what a person wants to know."""
    failed = TaskRecord(id="a", state=State.FAILED, failure=FAILURE, logs=Logs(stderr="logs/a/stderr.txt"))
    log = FailedLog("a", Path("out/logs/a/stderr.txt"), ("one", "two"))

    lines = summary_lines(record(State.FAILED, tasks=(failed,)), Path("m.yaml"), Path("out"), log)

    assert "  a: it failed (user: CommandsFailed)" in lines
    assert lines[-3:] == ["  the end of out/logs/a/stderr.txt", "    | one", "    | two"]


@pytest.fixture
def write_log(tmp_path):
    """Write a log of a task as it is downloaded; returns its name in records."""

    def write(name: str, text: str) -> str:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return name

    return write


def test_the_first_failure_is_that_which_ended_first(write_log, tmp_path):
    """Not the first of the manifest; failures that were allowed do not count."""
    later, first = (
        TaskRecord(
            id=name,
            state=State.FAILED,
            failure=FAILURE,
            ended=BEGIN + timedelta(seconds=seconds),
            logs=Logs(stderr=write_log(f"{name}.txt", name)),
        )
        for name, seconds in (("later", 2), ("first", 1))
    )
    allowed = first.model_copy(update={"id": "allowed", "state": State.WARNING, "ended": BEGIN})

    assert first_failure(record(tasks=(later, allowed, first)), tmp_path).task == "first"


def test_without_stderr_the_end_of_stdout_is_shown(write_log, tmp_path):
    """Many programs print their errors there; ten lines suffice."""
    logs = Logs(
        stdout=write_log("stdout.txt", "".join(f"{n}\n" for n in range(30))), stderr=write_log("stderr.txt", "")
    )
    failed = TaskRecord(id="a", state=State.FAILED, failure=FAILURE, logs=logs)

    found = first_failure(record(tasks=(failed,)), tmp_path)

    assert (found.file, found.lines) == (tmp_path / "stdout.txt", tuple(map(str, range(20, 30))))


@pytest.mark.parametrize("is_large", [False, True], ids=["in the record", "in tasks.json"])
def test_items_of_fan_outs_fail_too(write_log, tmp_path, is_large):
    """Those of a large fan-out stand in a file beside the record."""
    item = ItemRecord(
        index=3, value="x", state=State.FAILED, failure=FAILURE, logs=Logs(stderr=write_log("err.txt", "broken"))
    )
    summary_of_items = ItemsSummary(count=1, states={State.FAILED: 1}, records=None if is_large else (item,))
    if is_large:
        items = Items(run_id="m-1", tasks=(FanOutItems(id="each", items=(item,)),))
        (tmp_path / "tasks.json").write_text(items.model_dump_json(by_alias=True))

    found = first_failure(record(tasks=(TaskRecord(id="each", state=State.FAILED, items=summary_of_items),)), tmp_path)

    assert (found.task, found.lines) == ("each[3]", ("broken",))


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
        FailedLog(evil, Path(evil), (evil,)),
    )

    assert [line for line in lines if not line.isprintable()] == []


def test_many_files_are_counted():
    """The first twenty are named."""
    files = {f"{n:02}": OutputFile(blob=f"outputs/a/{n:02}", bytes=n, md5=None) for n in range(22)}
    made = record(tasks=(TaskRecord(id="a", state=State.SUCCESS, outputs=Outputs(output_files=files)),))

    lines = summary_lines(made, Path("m.yaml"), Path("out"), None)

    results = lines[lines.index("  results") + 1 :]
    assert results[0] == "    out/"
    assert results[1].startswith("      report.html")
    assert results[2] == "      outputs/a/00  0 B"
    assert lines[-1] == "      … and 2 more"
    assert len(results) == 1 + 1 + 20 + 1
